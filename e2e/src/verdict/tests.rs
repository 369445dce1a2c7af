use super::*;
use crate::selection::{Selection, Which};
use kcluster_matrix::outcome::Totals;

fn list(label_filter: &str) -> SpecList {
    let file = match label_filter {
        "Conformance" => include_bytes!("../../fixtures/list.json").as_slice(),
        _ => include_bytes!("../../fixtures/list-all.json").as_slice(),
    };
    let selection = Selection {
        which: Which::All,
        label_filter: Some(label_filter.into()),
        ..Selection::default()
    };
    SpecList::from_report(&Report::read(file).unwrap(), &selection).unwrap()
}

fn report(bytes: &[u8]) -> Report {
    Report::read(bytes).unwrap()
}

fn judged(list: &SpecList, report: Option<&Report>, end: &End, health: &Health) -> Vec<Case> {
    judge(&Evidence {
        list,
        report,
        live: &[],
        tally: None,
        end,
        health,
        fail_fast: false,
    })
}

#[test]
fn each_listed_spec_has_one_verdict_and_totals_are_ginkgos() {
    let report = report(include_bytes!("../../fixtures/parallel.json"));
    let list = list("Conformance");
    let cases = judged(&list, Some(&report), &End::Completed, &Health::default());
    let totals = Totals::of(&cases);
    // "5 Passed | 3 Failed | 1 Flaked", and one skipped itself; the filter's are not there.
    assert_eq!((totals.passed, totals.failed, totals.flaky), (5, 3, 1));
    assert_eq!((totals.skipped, totals.errored, cases.len()), (1, 0, 9));
    let mut seen: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    seen.sort_unstable();
    assert_eq!(seen, names(&list).collect::<Vec<_>>());
}

#[test]
fn a_spec_that_is_missing_is_never_green() {
    let mut report = report(include_bytes!("../../fixtures/parallel.json"));
    report
        .spec_reports
        .retain(|spec| spec.state == State::Passed);
    report
        .spec_reports
        .retain(|spec| !spec.name().contains("is last"));
    report.suite_succeeded = true;
    let list = list("Conformance");
    let cases = judged(&list, Some(&report), &End::Completed, &Health::default());
    let totals = Totals::of(&cases);
    assert_eq!((cases.len(), totals.passed, totals.errored), (9, 4, 5));
    assert_eq!(totals.exit_code(), kcluster_matrix::exit::CLUSTER_FAILED);
    let missing = cases
        .iter()
        .find(|case| case.name.contains("is last"))
        .unwrap();
    assert_eq!(
        missing.outcome,
        errored("not run: ginkgo reports nothing of it")
    );
}

#[test]
fn one_that_nobody_asked_for_is_not_green_either() {
    let report = report(include_bytes!("../../fixtures/parallel.json"));
    let list = list("Conformance").only(|spec| !spec.name.contains("is last"));
    let cases = judged(&list, Some(&report), &End::Completed, &Health::default());
    let stranger = cases
        .iter()
        .find(|case| case.name.contains("is last"))
        .unwrap();
    assert!(stranger.name.starts_with("[kcluster] not on the list"));
    assert_eq!(stranger.outcome.severity(), 3);
}

#[test]
fn after_a_set_up_that_failed_each_spec_says_so() {
    let report = report(include_bytes!("../../fixtures/broken.json"));
    let cases = judged(
        &list("Conformance"),
        Some(&report),
        &End::Completed,
        &Health::default(),
    );
    assert_eq!((cases.len(), Totals::of(&cases).errored), (10, 10));
    let Outcome::Errored { message } = &cases[0].outcome else {
        panic!("{:?}", cases[0]);
    };
    assert!(
        message.starts_with("not run: set-up failed: Error waiting for all pods"),
        "{message}"
    );
}

#[test]
fn a_time_limit_and_an_interrupt_keep_what_was_told_before() {
    for (bytes, end, passed, failed, skipped, errored) in [
        // "3 Passed | 4 Failed": the fourth is the one that the suite's limit ended.
        (
            include_bytes!("../../fixtures/timeout.json").as_slice(),
            End::TimedOut,
            3,
            3,
            2,
            3,
        ),
        (
            include_bytes!("../../fixtures/interrupt.json").as_slice(),
            End::Cancelled,
            2,
            3,
            2,
            4,
        ),
    ] {
        let list = list("!Nothing");
        let cases = judged(&list, Some(&report(bytes)), &end, &Health::default());
        let totals = Totals::of(&cases);
        assert_eq!(cases.len(), list.len());
        assert_eq!((totals.passed, totals.failed), (passed, failed), "{end:?}");
        assert_eq!(
            (totals.skipped, totals.errored),
            (skipped, errored),
            "{end:?}"
        );
    }
}

#[test]
fn without_a_report_what_was_seen_live_counts_and_the_rest_is_an_error() {
    let list = list("Conformance");
    let live = [Case {
        attempts: 1,
        ..blank(&list.specs[0].name, "sig-network", Outcome::Passed)
    }];
    let end = End::Crashed {
        detail: "signal: 9".into(),
    };
    let cases = judge(&Evidence {
        list: &list,
        report: None,
        live: &live,
        tally: None,
        end: &end,
        health: &Health::default(),
        fail_fast: false,
    });
    let totals = Totals::of(&cases);
    assert_eq!((totals.passed, totals.errored), (1, 8));
    assert_eq!(cases[5].outcome, errored("not run: ginkgo died: signal: 9"));
}

#[test]
fn a_lost_api_server_is_no_failure_of_specs_that_say_so() {
    let report = report(include_bytes!("../../fixtures/parallel.json"));
    let health = Health {
        api_server: Some("connect: connection refused".into()),
        lost_nodes: vec![],
    };
    let cases = judged(
        &list("Conformance"),
        Some(&report),
        &End::Completed,
        &health,
    );
    let severity = |part: &str| {
        let case = cases.iter().find(|case| case.name.contains(part)).unwrap();
        case.outcome.severity()
    };
    assert_eq!((severity("panics"), severity("message of lines")), (3, 2));
    let health = Health {
        api_server: None,
        lost_nodes: vec!["a-worker-1".into()],
    };
    let cases = judged(
        &list("Conformance"),
        Some(&report),
        &End::Completed,
        &health,
    );
    assert_eq!(
        (Totals::of(&cases).failed, Totals::of(&cases).errored),
        (0, 3)
    );
}

#[test]
fn a_count_that_differs_from_what_ginkgo_printed_is_an_error() {
    let report = report(include_bytes!("../../fixtures/parallel.json"));
    let tally = |passed, failed| {
        let tally = Tally {
            passed,
            failed,
            ..Tally::default()
        };
        disagreement(&report, tally)
    };
    assert_eq!(tally(5, 3), None);
    assert!(tally(6, 3).is_some());
    let mut report = report.clone();
    report
        .spec_reports
        .retain(|spec| spec.is_spec() && spec.state == State::Passed);
    let list = list("Conformance").only(|spec| report.specs().any(|s| s.name() == spec.name));
    let cases = judged(&list, Some(&report), &End::Completed, &Health::default());
    assert_eq!(cases.len(), 6);
    assert_eq!(cases[5].name, "[kcluster] ginkgo's own verdict");
}

#[test]
fn what_fail_fast_left_out_is_skipped_and_never_green() {
    let mut report = report(include_bytes!("../../fixtures/parallel.json"));
    report
        .spec_reports
        .retain(|spec| spec.state != State::Passed || !spec.is_spec());
    let list = list("Conformance");
    let cases = |report: &Report| {
        judge(&Evidence {
            list: &list,
            report: Some(report),
            live: &[],
            tally: None,
            end: &End::Completed,
            health: &Health::default(),
            fail_fast: true,
        })
    };
    let totals = Totals::of(&cases(&report));
    assert_eq!((totals.failed, totals.errored), (3, 0));
    assert_eq!(totals.cases(), list.len());
    assert_eq!(totals.exit_code(), kcluster_matrix::exit::TESTS_FAILED);
    // Without a failure nothing was to be stopped, so what is missing is missing.
    report.spec_reports.clear();
    assert_eq!(Totals::of(&cases(&report)).errored, list.len());
}
