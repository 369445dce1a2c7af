//! Keys of runs of specs, and of boots that fail: what they do is seen in the cluster's own record of requests.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kcluster_tests::{Inventory, Kcluster, SettingsSchema, docker, real_clusters};
use serde_json::Value;

use super::support::{good, inside, leaving_nothing, report};

const NAME: &str = "r";

/// A handful of specs, each of which makes one namespace.
const VOLUMES: &str = "\\[sig-storage\\] ConfigMap should be consumable from pods in volume";

/// It makes a ConfigMap whose name begins with this.
const CONFIG_MAP: (&str, &str) = (
    "ConfigMap should be consumable via the environment",
    "configmap-test-",
);

/// It takes four minutes.
const LONG: &str = "Probing container should \\*not\\* be restarted with a exec";

#[test]
#[ignore = "suite options: real clusters, each with many keys"]
fn boots_and_runs_obey_their_keys() {
    leaving_nothing("boots_and_runs_obey_their_keys", NAME, |kcluster| {
        boots_end_in_time_and_leave_what_was_asked(kcluster);
        as_much_is_told_as_was_asked(kcluster);
        specs_run_at_the_same_time_as_processes_say(kcluster);
        specs_are_run_again_as_often_as_asked(kcluster);
        specs_and_runs_are_stopped_in_time(kcluster);
    });
}

fn containers() -> String {
    let label = format!("label=dev.kcluster.cluster={NAME}");
    docker(&["ps", "--all", "--filter", &label, "--format", "{{.Names}}"]).unwrap()
}

fn boots_end_in_time_and_leave_what_was_asked(kcluster: &Kcluster) {
    let up = ["up", "--name", NAME, "--nodes", "0", "--boot-timeout", "2s"];
    let ended = kcluster.run(&up).unwrap().expect_code(3).unwrap();
    assert!(
        ended.stderr.contains("was not up after 2s"),
        "{}",
        ended.stderr
    );
    assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
    assert_eq!(containers(), "", "left behind");

    let kept = [&up[..], &["--retain"]].concat();
    let kept = kcluster.run(&kept).unwrap().expect_code(3).unwrap();
    assert!(
        kept.stderr.contains("down --name r") && !kept.stderr.contains("taking it down"),
        "{}",
        kept.stderr
    );
    assert_eq!(containers().trim(), "r-control-plane");
    let processes = docker(&["top", "r-control-plane"]).unwrap();
    assert!(processes.contains("containerd"), "{processes}");
}

fn as_much_is_told_as_was_asked(kcluster: &Kcluster) {
    let up = [
        "up",
        "--name",
        NAME,
        "--nodes",
        "0",
        "--audit",
        "metadata",
        "--variant",
        "mine",
    ];
    // What was kept is no cluster: it is made anew, and kubeadm is heard.
    let all = good(kcluster, &[&up[..], &["-v", "2"]].concat()).stderr;
    assert!(
        all.contains("removing what is left") && all.contains("[control-plane]"),
        "{all}"
    );
    let nothing = good(kcluster, &[&up[..], &["-v", "0"]].concat()).stderr;
    assert_eq!(nothing, "");
    let cell = "{{index .Config.Labels \"dev.kcluster.cell\"}}";
    let cell = docker(&["inspect", "--format", cell, "r-control-plane"]).unwrap();
    assert!(cell.trim().ends_with("-mine"), "{cell}");
    let steps = good(kcluster, &up).stderr;
    assert!(
        steps.contains("is up already") && !steps.contains("[control-plane]"),
        "{steps}"
    );
}

/// What the API server wrote down, from that line on.
fn requests(kcluster: &Kcluster, from: usize) -> Vec<Value> {
    let script = format!("tail -n +{} /var/log/kcluster/audit/audit.log", from + 1);
    let log = inside(kcluster, NAME, "control-plane", &script);
    let lines = log.lines();
    // The last line may still be written.
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn written(kcluster: &Kcluster) -> usize {
    let script = "wc -l < /var/log/kcluster/audit/audit.log";
    inside(kcluster, NAME, "control-plane", script)
        .trim()
        .parse()
        .unwrap()
}

/// Namespaces of specs that were there at the same time, at most. A spec's ends when its deletion is asked for.
fn at_the_same_time(requests: &[Value]) -> usize {
    let mut moments: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for request in requests {
        let (object, verb) = (&request["objectRef"], &request["verb"]);
        let name = object["name"].as_str().unwrap_or_default();
        let begins = verb == "create";
        let counts = object["resource"] == "namespaces"
            && object["subresource"].is_null()
            && name.starts_with("configmap-")
            && request["stage"] == "ResponseComplete";
        if counts && (begins || verb == "delete") {
            let at = request["requestReceivedTimestamp"].as_str().unwrap();
            *moments.entry((at.to_owned(), begins)).or_default() += 1;
        }
    }
    let (mut now, mut most) = (0_usize, 0);
    for ((_, begins), count) in moments {
        now = match begins {
            true => now + count,
            false => now.saturating_sub(count),
        };
        most = most.max(now);
    }
    most
}

fn specs_run_at_the_same_time_as_processes_say(kcluster: &Kcluster) {
    for processes in [1, 3] {
        let before = written(kcluster);
        let out = format!("processes-{processes}");
        let count = processes.to_string();
        let args = [
            "e2e",
            "--name",
            NAME,
            "--report-dir",
            &out,
            "--focus",
            VOLUMES,
            "--processes",
            &count,
        ];
        let told = good(kcluster, &args).stderr;
        assert!(
            told.contains(&format!("in {processes} processes")),
            "{told}"
        );
        let passed = &report(kcluster, &out)["totals"]["passed"];
        assert!(passed.as_u64().unwrap() >= 4, "{passed} specs are too few");
        let most = at_the_same_time(&requests(kcluster, before));
        eprintln!("{processes} processes: {most} specs at the same time");
        let expected = if processes == 1 { 1..=1 } else { 2..=processes };
        assert!(expected.contains(&most), "{most} at the same time");
    }
}

/// Refuses the ConfigMaps of [`CONFIG_MAP`] for as long as it is there.
const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: not-yet }
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - { apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps] }
  validations:
  - expression: "!object.metadata.name.startsWith('configmap-test-')"
    message: not yet
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: not-yet }
spec: { policyName: not-yet, validationActions: [Deny] }
"#;

/// ConfigMaps of the spec that were refused since.
fn refusals(kcluster: &Kcluster, from: usize) -> usize {
    let refused = |request: &&Value| {
        let name = request["objectRef"]["name"].as_str().unwrap_or_default();
        request["verb"] == "create"
            && name.starts_with(CONFIG_MAP.1)
            && request["responseStatus"]["code"].as_u64() >= Some(400)
    };
    requests(kcluster, from).iter().filter(refused).count()
}

fn specs_are_run_again_as_often_as_asked(kcluster: &Kcluster) {
    let kubectl = |args: &[&str]| {
        let args = [&["kubectl", "--name", NAME, "--"], args].concat();
        kcluster.run(&args).unwrap()
    };
    let file = kcluster.state().join("policy.yaml");
    fs_err::write(&file, POLICY).unwrap();
    let file = file.display().to_string();
    kubectl(&["apply", "-f", &file]).expect_code(0).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let probe = [
        "create",
        "configmap",
        "configmap-test-probe",
        "--dry-run=server",
    ];
    while kubectl(&probe).code == 0 {
        assert!(Instant::now() < deadline, "the policy is never obeyed");
    }

    let e2e = [
        "e2e",
        "--name",
        NAME,
        "--focus",
        CONFIG_MAP.0,
        "--report-dir",
    ];
    let before = written(kcluster);
    let once = [&e2e[..], &["once", "--retries", "2"]].concat();
    kcluster.run(&once).unwrap().expect_code(4).unwrap();
    assert_eq!(refusals(kcluster, before), 3, "one run and two more");

    let before = written(kcluster);
    let mut child = kcluster
        .command(&[&e2e[..], &["again", "--retries", "50"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while refusals(kcluster, before) == 0 {
        assert!(Instant::now() < deadline, "no spec ran");
    }
    kubectl(&["delete", "-f", &file]).expect_code(0).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let report = report(kcluster, "again");
    assert_eq!(report["totals"]["flaky"], 1, "{}", report["totals"]);
}

fn specs_and_runs_are_stopped_in_time(kcluster: &Kcluster) {
    let e2e = ["e2e", "--name", NAME, "--focus", LONG, "--report-dir"];
    for (key, folder, code, why) in [
        (
            "--spec-timeout",
            "spec",
            4,
            "did not end within --spec-timeout (10 s)",
        ),
        ("--timeout", "whole", 3, "raise `--timeout`"),
    ] {
        let args = [&e2e[..], &[folder, key, "10s"]].concat();
        let ended = kcluster.run(&args).unwrap().expect_code(code).unwrap();
        eprintln!("{key} 10s: {:.0} s", ended.took.as_secs_f64());
        assert!(ended.took < Duration::from_secs(90), "{:?}", ended.took);
        assert!(
            report(kcluster, folder).to_string().contains(why),
            "{}",
            ended.stderr
        );
    }
    // Nothing of them runs on.
    let pods = good(
        kcluster,
        &[
            "kubectl", "--name", NAME, "--", "get", "pods", "-A", "-o", "name",
        ],
    );
    assert!(!pods.stdout.contains("test-"), "{}", pods.stdout);
}

#[test]
#[ignore = "suite options: four cells"]
fn what_failed_comes_first() {
    if !real_clusters("what_failed_comes_first") {
        return;
    }
    let kcluster = Kcluster::new().unwrap();
    let before = Inventory::take().unwrap();
    let text = r#"
cells-at-once = 1

[matrix]
nodes = 0
cni = "bridge"
# No cell of anybody else is called so, and what is remembered of cells goes by what they are called.
pod-subnet = "10.77.0.0/16"
suites = ["events"]

[matrix.suite.events]
focus = ["Events API should delete a collection of events"]

[[matrix.include]]
cni = "ptp"
nodes = 1

[[matrix.override]]
when = { cni = "ptp" }
runtime-config = { "events.k8s.io/v1" = "false" }
"#;
    SettingsSchema::of(&kcluster).unwrap().expect(text).unwrap();
    fs_err::write(kcluster.state().join("kcluster.toml"), text).unwrap();
    for (order, first) in [("cheapest-first", "-bridge-"), ("failures-first", "-ptp-")] {
        let args = [
            "matrix",
            "run",
            "--matrix-order",
            order,
            "--report-dir",
            order,
        ];
        kcluster.run(&args).unwrap().expect_code(4).unwrap();
        let report = report(&kcluster, order);
        let mut suites: Vec<&Value> = report["suites"].as_array().unwrap().iter().collect();
        suites.sort_by_key(|suite| suite["started"].as_str());
        let name = suites[0]["name"].as_str().unwrap();
        assert!(name.contains(first), "{order}: {name} was first");
        assert_eq!(report["totals"]["failed"], 1, "{}", report["totals"]);
    }
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}
