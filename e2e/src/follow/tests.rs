use super::*;
use crate::ginkgo::{Report, State};
use crate::selection::{Selection, Which};
use proptest::prelude::*;

fn list() -> SpecList {
    let report = Report::read(include_bytes!("../../fixtures/list-all.json").as_slice()).unwrap();
    let selection = Selection {
        which: Which::All,
        label_filter: Some("!Nothing".into()),
        ..Selection::default()
    };
    SpecList::from_report(&report, &selection).unwrap()
}

fn follow(log: &str) -> Vec<Progress> {
    let mut follower = Follower::new(&list());
    let mut seen: Vec<Progress> = log.lines().flat_map(|line| follower.line(line)).collect();
    seen.extend(follower.end());
    seen
}

fn show(progress: &[Progress]) -> String {
    let line = |progress: &Progress| match progress {
        Progress::Finished(case) => {
            let verdict = match &case.outcome {
                Outcome::Passed => "passed".to_owned(),
                Outcome::Failed { message } => format!("failed: {message:?}"),
                Outcome::Errored { message } => format!("errored: {message:?}"),
                Outcome::Skipped { reason } => format!("skipped {reason:?}"),
            };
            format!(
                "{} | {} x{} | {verdict}\n",
                case.class, case.name, case.attempts
            )
        }
        other => format!("{other:?}\n"),
    };
    progress.iter().map(line).collect()
}

#[test]
fn parallel_output_is_followed() {
    insta::assert_snapshot!(show(&follow(include_str!("../../fixtures/parallel.txt"))), @r#"
    Announced { specs: 9 }
    sig-node | [sig-node] Pods is flaky [Conformance] x2 | passed
    sig-node | [sig-node] Pods is last [Conformance] x1 | passed
    sig-storage | [sig-storage] ConfigMap passes at once [NodeConformance] [Conformance] x1 | passed
    sig-storage | [sig-storage] ConfigMap passes after printing what looks like a report [Conformance] x1 | passed
    sig-network | [sig-network] Services (really) fails with a message of lines [Conformance] x1 | failed: "the sum\nof two ones\nExpected\n    <int>: 2\nto equal\n    <int>: 3"
    sig-network | [sig-network] Services (really) panics [Conformance] x1 | failed: "Test Panicked\ndial tcp 127.0.0.1:6443: connect: connection refused"
    sig-scheduling | [sig-scheduling] Preemption runs alone [Serial] [Conformance] x1 | passed
    sig-scheduling | [sig-scheduling] Preemption fails alone [Serial] [Conformance] x1 | failed: "alone"
    Summary(Tally { passed: 5, failed: 3, flaked: 1, skipped: 3 })
    "#);
}

#[test]
fn serial_output_tells_starts_too() {
    insta::assert_snapshot!(show(&follow(include_str!("../../fixtures/serial.txt"))), @r#"
    Announced { specs: 9 }
    Running { name: "[sig-storage] ConfigMap passes at once [NodeConformance] [Conformance]", process: 1 }
    sig-storage | [sig-storage] ConfigMap passes at once [NodeConformance] [Conformance] x1 | passed
    Running { name: "[sig-storage] ConfigMap passes after printing what looks like a report [Conformance]", process: 1 }
    Running { name: "[sig-storage] ConfigMap skips itself [Conformance]", process: 1 }
    Running { name: "[sig-scheduling] Preemption runs alone [Serial] [Conformance]", process: 1 }
    sig-scheduling | [sig-scheduling] Preemption runs alone [Serial] [Conformance] x1 | passed
    Running { name: "[sig-scheduling] Preemption fails alone [Serial] [Conformance]", process: 1 }
    sig-scheduling | [sig-scheduling] Preemption fails alone [Serial] [Conformance] x1 | failed: "alone"
    Running { name: "[sig-network] Services (really) fails with a message of lines [Conformance]", process: 1 }
    sig-network | [sig-network] Services (really) fails with a message of lines [Conformance] x1 | failed: "the sum\nof two ones\nExpected\n    <int>: 2\nto equal\n    <int>: 3"
    Running { name: "[sig-network] Services (really) panics [Conformance]", process: 1 }
    sig-network | [sig-network] Services (really) panics [Conformance] x1 | failed: "Test Panicked\ndial tcp 127.0.0.1:6443: connect: connection refused"
    Running { name: "[sig-node] Pods is flaky [Conformance]", process: 1 }
    sig-node | [sig-node] Pods is flaky [Conformance] x1 | failed: "passes the second time\nExpected\n    <int>: 1\nto be >\n    <int>: 1"
    Summary(Tally { passed: 3, failed: 4, flaked: 0, skipped: 4 })
    "#);
}

#[test]
fn a_time_limit_and_long_specs_are_seen() {
    insta::assert_snapshot!(show(&follow(include_str!("../../fixtures/timeout.txt"))), @r#"
    Announced { specs: 11 }
    sig-storage | [sig-storage] ConfigMap passes after printing what looks like a report [Conformance] x1 | passed
    sig-storage | [sig-storage] ConfigMap passes at once [NodeConformance] [Conformance] x1 | passed
    sig-network | [sig-network] Services (really) fails with a message of lines [Conformance] x1 | failed: "the sum\nof two ones\nExpected\n    <int>: 2\nto equal\n    <int>: 3"
    sig-network | [sig-network] Services (really) panics [Conformance] x1 | failed: "Test Panicked\ndial tcp 127.0.0.1:6443: connect: connection refused"
    sig-network | [sig-network] Services (really) is slow [Slow] x1 | passed
    sig-node | [sig-node] Pods is flaky [Conformance] x1 | failed: "passes the second time\nExpected\n    <int>: 1\nto be >\n    <int>: 1"
    Running { name: "[sig-network] Services (really) hangs", process: 2 }
    Running { name: "[sig-network] Services (really) hangs", process: 2 }
    sig-network | [sig-network] Services (really) hangs x1 | failed: "A suite timeout occurred"
    Summary(Tally { passed: 3, failed: 4, flaked: 0, skipped: 4 })
    "#);
}

#[test]
fn a_set_up_that_fails_is_told_for_each_process() {
    insta::assert_snapshot!(show(&follow(include_str!("../../fixtures/broken.txt"))), @r#"
    Announced { specs: 9 }
    SuiteNodeFailed { node: "SynchronizedBeforeSuite", message: "Error waiting for all pods to be running and ready: connection refused" }
    SuiteNodeFailed { node: "SynchronizedBeforeSuite", message: "\u{1b}[1m\u{1b}[38;5;9mSynchronizedBeforeSuite failed on Ginkgo parallel process #1\u{1b}[0m\n  The first SynchronizedBeforeSuite function running on Ginkgo parallel process\n  #1 failed.  This suite will now abort." }
    SuiteNodeFailed { node: "SynchronizedBeforeSuite", message: "\u{1b}[1m\u{1b}[38;5;9mSynchronizedBeforeSuite failed on Ginkgo parallel process #1\u{1b}[0m\n  The first SynchronizedBeforeSuite function running on Ginkgo parallel process\n  #1 failed.  This suite will now abort." }
    "#);
}

#[test]
fn the_real_suite_without_an_api_server_fails_in_its_set_up() {
    insta::assert_snapshot!(show(&follow(include_str!("../../fixtures/unreachable.txt"))), @r#"
    Announced { specs: 17 }
    SuiteNodeFailed { node: "SynchronizedBeforeSuite", message: "A suite timeout occurred and then the following failure was recorded in the timedout node before it exited:\ncontext canceled" }
    SuiteNodeFailed { node: "SynchronizedBeforeSuite", message: "\u{1b}[1m\u{1b}[38;5;9mSynchronizedBeforeSuite failed on Ginkgo parallel process #1\u{1b}[0m\n  The first SynchronizedBeforeSuite function running on Ginkgo parallel process\n  #1 failed.  This suite will now abort." }
    SuiteNodeFailed { node: "SynchronizedBeforeSuite", message: "\u{1b}[1m\u{1b}[38;5;9mSynchronizedBeforeSuite failed on Ginkgo parallel process #1\u{1b}[0m\n  The first SynchronizedBeforeSuite function running on Ginkgo parallel process\n  #1 failed.  This suite will now abort." }
    "#);
}

/// What was followed live agrees with the report that ginkgo wrote at the end of the same run.
#[test]
fn what_is_seen_agrees_with_the_report() {
    for (log, report) in [
        (
            include_str!("../../fixtures/parallel.txt"),
            include_bytes!("../../fixtures/parallel.json").as_slice(),
        ),
        (
            include_str!("../../fixtures/timeout.txt"),
            include_bytes!("../../fixtures/timeout.json").as_slice(),
        ),
        (
            include_str!("../../fixtures/interrupt.txt"),
            include_bytes!("../../fixtures/interrupt.json").as_slice(),
        ),
    ] {
        let report = Report::read(report).unwrap();
        let mut expected: Vec<(String, u8)> = report
            .specs()
            .filter_map(|spec| {
                let severity = match spec.state {
                    State::Passed => 0,
                    State::Failed | State::Panicked | State::Timedout => 2,
                    State::Interrupted => 3,
                    _ => return None,
                };
                Some((spec.name(), severity))
            })
            .collect();
        let mut seen: Vec<(String, u8)> = follow(log)
            .into_iter()
            .filter_map(|progress| match progress {
                Progress::Finished(case) => Some((case.name, case.outcome.severity())),
                _ => None,
            })
            .filter(|(_, severity)| *severity != 1)
            .collect();
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected);
    }
}

#[test]
fn names_are_found_however_ginkgo_marks_them() {
    let full = "[sig-x] Pods [NodeConformance] should be a b [Conformance]";
    let known = |name: &str| name == full;
    for line in [
        full.to_owned(),
        format!("{full} [sig-x, Conformance]"),
        "[sig-x] Pods [NodeConformance] [BeforeEach] should be a b [Conformance] [sig-x]"
            .to_owned(),
        "[sig-x] Pods [NodeConformance] should be [It] a b [Conformance] [sig-x]".to_owned(),
        format!("TOP-LEVEL [BeforeEach] {full} [sig-x]"),
    ] {
        assert_eq!(parse::name(&line, known).as_deref(), Some(full), "{line}");
    }
    assert_eq!(parse::name("[sig-x] Pods", known), None);
}

proptest! {
    #[test]
    fn no_output_makes_it_panic(lines in proptest::collection::vec(
        prop_oneof![
            Just("------------------------------".to_owned()),
            Just("• [0.001 seconds]".to_owned()),
            Just("[sig-node] Pods is last [Conformance]".to_owned()),
            Just("  Progress Report for Ginkgo Process #2".to_owned()),
            "(•|↺|P|S|\\[SynchronizedBeforeSuite\\]) \\[?[A-Z]{0,8}\\]? ?\\[?[0-9.]{0,4} seconds\\]",
            "\\PC{0,40}",
        ], 0..40)) {
        let log = lines.join("\n");
        follow(&log);
    }

    /// Whatever a spec prints is indented by ginkgo, and then it changes no verdict.
    #[test]
    fn what_a_spec_prints_is_no_verdict(lines in proptest::collection::vec(
        prop_oneof![
            Just("------------------------------".to_owned()),
            Just("• [FAILED] [9.999 seconds]".to_owned()),
            Just("[sig-node] Pods is flaky [Conformance]".to_owned()),
            Just("SUCCESS! -- 9 Passed | 0 Failed | 0 Pending | 0 Skipped".to_owned()),
            "\\PC{0,40}",
        ], 0..20)) {
        let printed: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        let log = format!("------------------------------\n• [0.001 seconds]\n[sig-node] Pods is last [Conformance]\n/a.go:1\n\n{printed}------------------------------\n");
        let seen = follow(&log);
        prop_assert_eq!(seen.len(), 1, "{:?}", seen);
        let is_it = matches!(&seen[0], Progress::Finished(case)
            if case.name == "[sig-node] Pods is last [Conformance]" && case.outcome.is_passed());
        prop_assert!(is_it);
    }
}
