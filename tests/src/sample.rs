//! A report as large as they come, made up but deterministic: 40 cells, each with all of conformance.

use std::time::Duration;

use serde_json::{Value, json};

/// Specs and the seconds they took once.
const DURATIONS: &str = include_str!("../../e2e/data/durations.tsv");

/// Conformance specs of 1.36.
pub const SPECS: usize = 446;

const KUBERNETES: [&str; 5] = ["v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.1"];
const CNIS: [&str; 2] = ["bridge", "flannel"];
const ARCHS: [&str; 4] = ["amd64", "arm64", "ppc64le", "s390x"];

/// A spec that fails on s390x × flannel and nowhere else.
pub const ONLY_THERE: usize = 7;

/// How many cells [`matrix_report`] has.
pub const CELLS: usize = KUBERNETES.len() * CNIS.len() * ARCHS.len();

/// The text of a `report.json` of [`CELLS`] × [`SPECS`].
#[must_use]
pub fn matrix_report() -> String {
    let mut suites = Vec::new();
    for kubernetes in KUBERNETES {
        for cni in CNIS {
            for arch in ARCHS {
                suites.push(suite(kubernetes, cni, arch));
            }
        }
    }
    report(&suites)
}

/// The text of a `report.json` of one cell on which some failed.
#[must_use]
pub fn cell_report() -> String {
    report(&[suite("v1.36.3", "flannel", "s390x")])
}

/// The name of a spec by its number.
#[must_use]
pub fn spec(number: usize) -> String {
    let line = DURATIONS.lines().nth(number);
    let name = line.and_then(|line| line.split('\t').nth(1));
    name.map_or_else(
        || format!("[sig-apps] Daemon set [Serial] number {number} [Conformance]"),
        str::to_owned,
    )
}

fn report(suites: &[Value]) -> String {
    // The totals are only copied, never read back.
    let totals = json!({"passed": 0, "failed": 0, "errored": 0, "skipped": 0, "flaky": 0});
    json!({"schema": 1, "generator": "sample", "totals": totals, "suites": suites}).to_string()
}

fn suite(kubernetes: &str, cni: &str, arch: &str) -> Value {
    let emulation = if arch == "amd64" { "native" } else { "hybrid" };
    let seconds = if arch == "amd64" { "1320" } else { "9800" };
    let cases: Vec<Value> = (0..SPECS).map(|n| case(n, kubernetes, cni, arch)).collect();
    json!({
        "name": format!("{kubernetes}-{cni}-{arch}"),
        "phase": "conformance",
        "host": "runner",
        "started": "2026-11-21T03:00:00Z",
        "properties": [
            ["kubernetes", kubernetes],
            ["cni", cni],
            ["arch", arch],
            ["emulation", emulation],
            ["workers", "2"],
            ["seconds", seconds],
            ["memory-peak-bytes", "3435973836"],
        ],
        "cases": cases,
    })
}

fn case(number: usize, kubernetes: &str, cni: &str, arch: &str) -> Value {
    let name = spec(number);
    let class = name.split(']').next().unwrap_or("").replace('[', "");
    // Any spread will do that is the same each time.
    let dice = (number * 31 + kubernetes.len() * 7 + cni.len() * 13 + arch.len() * 17) % 97;
    let line = DURATIONS.lines().nth(number);
    let seconds = line.and_then(|line| line.split('\t').next()?.parse::<f64>().ok());
    let took = Duration::from_secs_f64(seconds.unwrap_or(4.0));
    let (outcome, attempts) = if number == ONLY_THERE && (cni, arch) == ("flannel", "s390x") {
        (
            failed("Timed out after 300.012s.\nexpected pod to be reachable on 10.244.1.7:8080"),
            1,
        )
    } else if number == ONLY_THERE {
        (json!({"is": "passed"}), 1)
    } else if dice == 3 && arch == "s390x" {
        let text = format!(
            "Told to stop trying after {number}.5s.\nGet \"https://10.96.0.1:443/api/v1/namespaces/e2e-{number}\": connection refused"
        );
        (failed(&text), 2)
    } else if number == SPECS - 1 && arch == "ppc64le" {
        (
            json!({"is": "skipped", "reason": "its image has no ppc64le"}),
            0,
        )
    } else if number == SPECS - 2 && kubernetes == "v1.37.1" {
        let message = "not run: node worker-1 was lost";
        (json!({"is": "errored", "message": message}), 0)
    } else if dice == 5 {
        (json!({"is": "passed"}), 2)
    } else {
        (json!({"is": "passed"}), 1)
    };
    let output = if outcome["is"] == "failed" || attempts > 1 {
        log(number)
    } else {
        String::new()
    };
    json!({
        "name": name,
        "class": class,
        "took": {"secs": took.as_secs(), "nanos": took.subsec_nanos()},
        "outcome": outcome,
        "attempts": attempts,
        "output": output,
    })
}

fn failed(message: &str) -> Value {
    json!({"is": "failed", "message": message})
}

/// About what a failed spec prints.
fn log(number: usize) -> String {
    let lines = (0..300).map(|line| {
        format!("I1121 03:{:02}:{:02}.000000 {number} e2e.go:{line}] waiting for pod <e2e-{number}> \"client\" to be Running\n", line / 60, line % 60)
    });
    lines.collect::<String>() + "STEP: dump namespace information\nthe last line that matters\n"
}
