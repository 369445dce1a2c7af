use super::*;

/// A case of a SIG that took 2.5 s.
pub(crate) fn case(name: &str, outcome: Outcome, attempts: u32, output: &str) -> Case {
    Case {
        name: name.into(),
        class: name
            .split([' ', ']'])
            .next()
            .unwrap_or("e2e")
            .replace('[', ""),
        took: Duration::from_millis(2500),
        outcome,
        attempts,
        output: output.into(),
    }
}

pub(crate) fn failed(message: &str) -> Outcome {
    Outcome::Failed {
        message: message.into(),
    }
}

/// A conformance suite of the cell.
pub(crate) fn suite(kubernetes: &str, cni: &str, arch: &str, cases: Vec<Case>) -> Suite {
    let properties = [
        (property::KUBERNETES, kubernetes),
        (property::CNI, cni),
        (property::ARCH, arch),
        (property::SECONDS, "60"),
    ];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Suite {
        name: format!("{kubernetes}-{cni}-{arch}"),
        phase: "conformance".into(),
        host: "here".into(),
        started: "2026-11-21T03:00:00Z".parse().unwrap(),
        properties: properties.map(own).into(),
        cases,
    }
}

/// Two versions, two plugins, two architectures; `fails` decides about the one spec.
pub(crate) fn matrix(fails: impl Fn(&str, &str, &str) -> bool) -> Vec<Suite> {
    let mut suites = Vec::new();
    for kubernetes in ["v1.9.1", "v1.10.0"] {
        for cni in ["bridge", "flannel"] {
            for arch in ["amd64", "s390x"] {
                let outcome = if fails(kubernetes, cni, arch) {
                    failed("no")
                } else {
                    Outcome::Passed
                };
                let cases = vec![case("[sig-x] a", outcome, 1, "")];
                suites.push(suite(kubernetes, cni, arch, cases));
            }
        }
    }
    suites
}

fn told(fails: impl Fn(&str, &str, &str) -> bool) -> Option<String> {
    let suites = matrix(fails);
    let across = Across::new(&suites);
    across.pattern(&across.specs[0]).words()
}

#[test]
fn what_failing_cells_share_is_told() {
    let told = |fails: fn(&str, &str, &str) -> bool| told(fails).unwrap_or_default();
    assert_eq!(told(|_, _, arch| arch == "s390x"), "fails only on s390x");
    assert_eq!(
        told(|_, cni, arch| arch == "s390x" && cni == "flannel"),
        "fails only on flannel × s390x"
    );
    assert_eq!(
        told(|k, cni, arch| k == "v1.9.1" && arch == "s390x" && cni == "flannel"),
        "fails only on v1.9.1 × flannel × s390x"
    );
    assert_eq!(
        told(|_, cni, arch| !(arch == "s390x" && cni == "flannel")),
        "fails on all but flannel × s390x"
    );
    assert_eq!(told(|_, _, _| true), "fails on all 8 cells");
    assert_eq!(
        told(|k, cni, _| (k == "v1.9.1") == (cni == "bridge")),
        "fails on 4 of 8 cells"
    );
    assert_eq!(told(|_, _, _| false), "");
}

#[test]
fn one_cell_has_no_pattern_and_skips_are_no_verdict() {
    let suites = [suite(
        "v1.36.3",
        "bridge",
        "amd64",
        vec![case("[sig-x] a", failed("m"), 1, "")],
    )];
    let across = Across::new(&suites);
    assert_eq!(across.pattern(&across.specs[0]), Pattern::One);
    let mut suites = matrix(|_, _, arch| arch == "s390x");
    let skipped = || Outcome::Skipped {
        reason: "no".into(),
    };
    for suite in &mut suites {
        if suite.property(property::ARCH) == Some("amd64") {
            suite.cases[0].outcome = skipped();
        }
    }
    let across = Across::new(&suites);
    assert_eq!(
        across.pattern(&across.specs[0]),
        Pattern::Everywhere(4),
        "amd64 did not judge it"
    );
}

#[test]
fn cells_stand_in_the_order_of_their_values_and_have_verdicts() {
    let mut suites = matrix(|k, _, _| k == "v1.10.0");
    suites[0].cases.clear();
    suites.push(Suite {
        phase: BOOT.into(),
        cases: vec![case(
            "init",
            Outcome::Errored {
                message: "gone".into(),
            },
            1,
            "",
        )],
        ..suites[1].clone()
    });
    let across = Across::new(&suites);
    let names: Vec<&str> = across.cells.iter().map(|cell| cell.name).collect();
    assert_eq!(names[0], "v1.9.1-bridge-amd64");
    assert_eq!(names[7], "v1.10.0-flannel-s390x");
    let verdicts: Vec<&str> = across
        .cells
        .iter()
        .map(|cell| cell.verdict.word())
        .collect();
    assert_eq!(verdicts[..3], ["nothing", "errored", "passed"]);
    assert_eq!(verdicts[7], "failed");
    assert_eq!(across.totals().cases(), 7);
    assert_eq!(across.cells[1].took(), Duration::from_secs(120));
}

#[test]
fn the_same_fault_is_seen_behind_other_names() {
    let one = "timed out after 10.2s\nGet \"https://10.96.0.1:443/api\": refused";
    let two = "timed out after 600s\n\n  Get \"https://10.96.0.7:443/apis/x1\": refused";
    assert_eq!(alike(one), "timed out after # Get # refused");
    assert_eq!(alike(one), alike(two));
    assert_ne!(alike(one), alike("timed out after 10.2s\nPut x: refused"));
    let cases = |message: &str| {
        vec![
            case("[sig-x] a", failed(one), 1, ""),
            case("[sig-x] b", failed(message), 1, ""),
            case("[sig-x] c", failed("other"), 1, ""),
        ]
    };
    let suites = [
        suite("v1.36.3", "bridge", "amd64", cases(two)),
        suite("v1.36.3", "bridge", "arm64", cases("lone")),
    ];
    let across = Across::new(&suites);
    let [cluster] = &across.clusters()[..] else {
        panic!("{:?}", across.clusters());
    };
    assert_eq!((cluster.specs.len(), cluster.failures), (2, 3));
    assert_eq!(cluster.cells, [0, 1]);
}
