use std::sync::Mutex;

use super::*;
use crate::selection::{Selection, Which};
use kcluster_matrix::outcome::Outcome;

/// Keeps every event.
#[derive(Default)]
struct Kept(Mutex<Vec<EventKind>>);

impl Sink for Kept {
    fn emit(&self, kind: EventKind) {
        self.0.lock().unwrap().push(kind);
    }
}

impl Kept {
    fn finished(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        let mut names: Vec<String> = events
            .iter()
            .filter_map(|event| match event {
                EventKind::SpecFinished { case, .. } => Some(case.name.clone()),
                _ => None,
            })
            .collect();
        names.sort();
        names
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    request: RunRequest,
    sink: Kept,
    cancel: CancellationToken,
}

/// A run with the stand-ins of `fixtures/fake`, in the manner `fake`.
fn bench(fake: &str, label_filter: &str) -> Bench {
    let fixtures = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folder = tempfile::tempdir().unwrap();
    let out = Utf8Path::from_path(folder.path()).unwrap();
    let selection = Selection {
        which: Which::All,
        label_filter: Some(label_filter.into()),
        ..Selection::default()
    };
    let file = if label_filter == "Conformance" {
        "list.json"
    } else {
        "list-all.json"
    };
    let report = Report::read(fs_err::File::open(fixtures.join(file)).unwrap()).unwrap();
    let request = RunRequest {
        tools: Tools {
            ginkgo: fixtures.join("fake/ginkgo"),
            e2e_test: "/nowhere/e2e.test".into(),
            kubectl: fixtures.join("fake/kubectl"),
        },
        kubeconfig: out.join("kubeconfig"),
        list: SpecList::from_report(&report, &selection).unwrap(),
        processes: 3,
        out: out.join("out"),
        timeout: Duration::from_secs(60),
        spec_timeout: None,
        patience: Patience {
            every: Duration::from_millis(50),
            api_server: Duration::from_secs(60),
            node: Duration::from_millis(200),
        },
        grace: Duration::from_millis(300),
        attempts: 2,
        fail_fast: false,
        extra_args: vec![format!("--fake={fake}")],
    };
    Bench {
        _folder: folder,
        request,
        sink: Kept::default(),
        cancel: CancellationToken::new(),
    }
}

impl Bench {
    async fn run(&self) -> Result<RunResult, E2eError> {
        run(&self.request, &self.sink, &self.cancel).await
    }

    /// Cancels once the sink has been told of `name` running or ended.
    async fn cancel_when(&self, seen: impl Fn(&EventKind) -> bool) {
        while !self.sink.0.lock().unwrap().iter().any(&seen) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.cancel.cancel();
    }

    fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.request.out.join(name)).unwrap()
    }
}

#[tokio::test]
async fn a_run_to_its_end_agrees_with_ginkgo_and_the_list() {
    let bench = bench("parallel", "Conformance");
    let result = bench.run().await.unwrap();
    assert_eq!((result.end.clone(), result.listed), (End::Completed, 9));
    let (totals, tally) = (result.totals(), result.tally.unwrap());
    assert_eq!(
        (totals.passed, totals.failed, totals.flaky),
        (tally.passed, tally.failed, tally.flaked)
    );
    assert_eq!((totals.passed, totals.skipped, totals.errored), (5, 1, 0));

    // Each spec was told once, also the one that skipped itself and is not in the output.
    let listed: Vec<String> = bench
        .request
        .list
        .specs
        .iter()
        .map(|spec| spec.name.clone())
        .collect();
    assert_eq!(bench.sink.finished(), listed);
    assert_eq!(bench.read("list.txt").lines().collect::<Vec<_>>(), listed);
    assert_eq!(
        bench.read("e2e.log"),
        include_str!("../../fixtures/parallel.txt")
    );

    let suite = result.suite("v1.36.3-bridge-amd64", "conformance", "here", Vec::new());
    assert_eq!(suite.cases.len(), 9);
}

#[tokio::test]
async fn the_command_is_what_upstream_runs_and_its_environment_is_clean() {
    let bench = bench("parallel", "Conformance");
    bench.run().await.unwrap();
    let folder = bench.request.out.canonicalize_utf8().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
    let arguments = bench
        .read("ginkgo/arguments")
        .replace(folder.as_str(), "OUT")
        .replace(bench.request.kubeconfig.as_str(), "KUBECONFIG")
        .replace(fixtures, "FIXTURES");
    insta::assert_snapshot!(arguments, @r"
    run
    -v
    --no-color
    --silence-skips
    --keep-going
    --nodes=3
    --timeout=60s
    --grace-period=1s
    --poll-progress-after=60s
    --poll-progress-interval=240s
    --output-dir=OUT/ginkgo
    --json-report=report.json
    --flake-attempts=2
    --label-filter=Conformance
    /nowhere/e2e.test
    --
    --kubeconfig=KUBECONFIG
    --provider=skeleton
    --num-nodes=2
    --non-blocking-taints=node-role.kubernetes.io/control-plane
    --report-dir=OUT/ginkgo
    --kubectl-path=FIXTURES/fake/kubectl
    --disable-log-dump
    --delete-namespace-on-failure=false
    --fake=parallel
    ");
    let environment = bench.read("ginkgo/environment");
    assert!(environment.contains("KUBERNETES_CONFORMANCE_TEST=y"));
    for name in ["KUBECONFIG=", "PROXY", "proxy", "CARGO"] {
        assert!(!environment.contains(name), "{name} in {environment}");
    }
}

#[tokio::test]
async fn an_interrupt_keeps_what_was_found() {
    let bench = bench("interrupt", "!Nothing");
    let hangs = |event: &EventKind| matches!(event, EventKind::SpecFinished { case, .. } if case.name.contains("panics"));
    let (result, ()) = tokio::join!(bench.run(), bench.cancel_when(hangs));
    let result = result.unwrap();
    assert_eq!(result.end, End::Cancelled);
    let totals = result.totals();
    assert_eq!((totals.passed, totals.failed, totals.skipped), (2, 3, 2));
    assert_eq!(totals.errored, 4);
    assert_eq!(result.cases.len(), bench.request.list.len());
}

#[tokio::test]
async fn whoever_is_deaf_to_interrupts_is_killed() {
    let bench = bench("deaf", "Conformance");
    let begun = |event: &EventKind| matches!(event, EventKind::SpecFinished { .. });
    let (result, ()) = tokio::join!(bench.run(), bench.cancel_when(begun));
    let result = result.unwrap();
    assert_eq!(result.end, End::Cancelled);
    assert!(result.took < Duration::from_secs(10), "{:?}", result.took);
    // There is no report, and what was followed live stands; only the self-skipped one was not seen.
    let totals = result.totals();
    assert_eq!((totals.passed, totals.failed, totals.errored), (5, 3, 1));
    assert!(bench.sink.finished().len() == 9);
}

#[tokio::test]
async fn a_time_limit_that_ginkgo_ignores_ends_it_too() {
    let mut bench = bench("deaf", "Conformance");
    bench.request.timeout = Duration::ZERO;
    assert_eq!(bench.run().await.unwrap().end, End::TimedOut);
}

#[tokio::test]
async fn a_ginkgo_that_dies_leaves_errors_and_no_older_report_is_believed() {
    let bench = bench("crash", "Conformance");
    fs_err::create_dir_all(bench.request.out.join("ginkgo")).unwrap();
    let stale = bench.request.out.join("ginkgo/report.json");
    fs_err::write(stale, include_bytes!("../../fixtures/parallel.json")).unwrap();
    let result = bench.run().await.unwrap();
    let End::Crashed { detail } = &result.end else {
        panic!("{:?}", result.end);
    };
    assert!(
        detail.contains("signal: 9") && detail.contains("out of memory"),
        "{detail}"
    );
    let totals = result.totals();
    assert_eq!((totals.passed, totals.failed, totals.errored), (4, 1, 4));
    assert_eq!(totals.exit_code(), kcluster_matrix::exit::CLUSTER_FAILED);
}

#[tokio::test]
async fn a_report_that_is_cut_off_is_replaced_by_what_was_seen() {
    let bench = bench("cut", "Conformance");
    let result = bench.run().await.unwrap();
    let totals = result.totals();
    assert_eq!((totals.passed, totals.failed, totals.errored), (5, 3, 1));
}

#[tokio::test]
async fn a_process_that_ginkgo_leaves_does_not_hold_us_up() {
    let bench = bench("leak", "Conformance");
    let result = bench.run().await.unwrap();
    assert_eq!(result.end, End::Completed);
    assert!(result.took < Duration::from_secs(10), "{:?}", result.took);
}

#[tokio::test]
async fn no_api_server_is_an_error_before_and_a_verdict_after() {
    let bench = bench("lost", "Conformance");
    let result = bench.run().await.unwrap();
    let panics = result
        .cases
        .iter()
        .find(|case| case.name.contains("panics"))
        .unwrap();
    let Outcome::Errored { message } = &panics.outcome else {
        panic!("{panics:?}");
    };
    assert!(
        message.starts_with("the API server was lost (The connection"),
        "{message}"
    );

    let after = not_run(&bench.request.list, &result.end);
    assert_eq!(after.totals().skipped, 9);
    let lost = End::NodesLost {
        nodes: vec!["b".into()],
    };
    let after = not_run(&bench.request.list, &lost);
    assert_eq!((after.totals().errored, after.listed), (9, 9));

    let error = bench.run().await.unwrap_err().to_string();
    assert!(
        error.contains("no spec was run") && error.contains("was refused"),
        "{error}"
    );
}

#[tokio::test]
async fn a_worker_that_is_killed_ends_the_run_and_its_failures_are_errors() {
    let bench = bench("worker", "Conformance");
    let result = bench.run().await.unwrap();
    let nodes = vec!["a-worker-2".to_owned()];
    assert_eq!(result.end, End::NodesLost { nodes });
    let totals = result.totals();
    assert_eq!((totals.passed, totals.failed, totals.errored), (5, 0, 4));
    assert_eq!(totals.exit_code(), kcluster_matrix::exit::CLUSTER_FAILED);
    for case in result.cases.iter().filter(|case| !case.outcome.is_passed()) {
        let Outcome::Errored { message } = &case.outcome else {
            panic!("{case:?}");
        };
        assert!(message.contains("a-worker-2 was lost"), "{message}");
    }
}

#[tokio::test]
async fn an_api_server_that_is_gone_ends_the_run() {
    let mut bench = bench("deaf", "Conformance");
    bench.request.patience.api_server = Duration::from_millis(200);
    let begun = |event: &EventKind| matches!(event, EventKind::SpecFinished { .. });
    let down = format!("{}.down", bench.request.kubeconfig);
    let kill = async {
        while !bench.sink.0.lock().unwrap().iter().any(&begun) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fs_err::write(down, "").unwrap();
    };
    let (result, ()) = tokio::join!(bench.run(), kill);
    let result = result.unwrap();
    assert!(
        matches!(result.end, End::ApiServerLost { .. }),
        "{:?}",
        result.end
    );
    assert_eq!(
        result.totals().exit_code(),
        kcluster_matrix::exit::CLUSTER_FAILED
    );
    assert_eq!(result.cases.len(), bench.request.list.len());
}

#[tokio::test]
async fn a_spec_that_takes_too_long_fails_alone() {
    let mut bench = bench("slow", "Conformance");
    bench.request.processes = 1;
    bench.request.spec_timeout = Some(Duration::from_secs(1));
    let result = bench.run().await.unwrap();
    assert_eq!(result.end, End::Completed);
    let late = result
        .cases
        .iter()
        .find(|case| case.name.contains("passes at once"))
        .unwrap();
    let Outcome::Failed { message } = &late.outcome else {
        panic!("{late:?}");
    };
    assert!(message.contains("--spec-timeout (1 s)"), "{message}");
    // The second leg ran it too, being only a replay; without it all specs have one verdict.
    let strangers = result
        .cases
        .iter()
        .filter(|case| case.name.starts_with("[kcluster]"));
    assert_eq!(
        result.cases.len() - strangers.count(),
        bench.request.list.len()
    );
    assert!(!bench.read("ginkgo/arguments").contains("passes at once"));
    assert!(bench.read("e2e.log").matches("passes at once").count() > 1);
}

#[tokio::test]
async fn what_a_failure_left_is_in_its_output() {
    let bench = bench("parallel", "Conformance");
    let result = bench.run().await.unwrap();
    let of = |part: &str| {
        result
            .cases
            .iter()
            .find(|case| case.name.contains(part))
            .unwrap()
    };
    let failed = &of("message of lines").output;
    assert!(
        failed.contains("--- logs of namespace services-1 ---"),
        "{failed}"
    );
    assert!(!of("passes at once").output.contains("--- logs"));
    let deleted = format!("{}.deleted", bench.request.kubeconfig);
    assert!(
        fs_err::read_to_string(deleted)
            .unwrap()
            .contains("services-1")
    );
}

/// The real ginkgo with the suite of `fixtures/suite` in place of `e2e.test`, as `cargo xtask test` builds both.
fn real() -> Bench {
    let mut bench = bench("", "!Nothing");
    let tools = Utf8PathBuf::from(std::env::var("KCLUSTER_E2E_TOOLS").unwrap());
    bench.request.tools.ginkgo = tools.join("ginkgo");
    bench.request.tools.e2e_test = tools.join("suite.test");
    bench.request.extra_args.clear();
    bench.request.grace = Duration::from_secs(1);
    bench
}

#[tokio::test]
#[ignore = "needs ginkgo and `fixtures/suite` built for it in KCLUSTER_E2E_TOOLS; `cargo xtask test` does both"]
async fn the_real_ginkgo_runs_exactly_what_is_listed_and_heeds_an_interrupt() {
    let mut bench = real();
    let selection = Selection {
        which: Which::All,
        substring: Some("[Conformance]".into()),
        ..Selection::default()
    };
    bench.request.list = crate::list::list(&bench.request.tools, &selection)
        .await
        .unwrap();
    assert_eq!(bench.request.list.ginkgo_flags().len(), 2);
    for processes in [3, 1] {
        bench.request.processes = processes;
        bench.request.attempts = 2;
        let result = bench.run().await.unwrap();
        assert_eq!((result.end.clone(), result.listed), (End::Completed, 9));
        let (totals, tally) = (result.totals(), result.tally.unwrap());
        assert_eq!((totals.passed, totals.failed, totals.flaky), (5, 3, 1));
        assert_eq!((tally.passed, tally.failed, tally.flaked), (5, 3, 1));
        assert_eq!((totals.skipped, totals.errored), (1, 0));
    }

    let everything = Selection {
        label_filter: Some("Hang || Conformance".into()),
        which: Which::All,
        ..Selection::default()
    };
    bench.request.list = crate::list::list(&bench.request.tools, &everything)
        .await
        .unwrap();
    bench.request.processes = 3;
    bench.sink.0.lock().unwrap().clear();
    let last = |event: &EventKind| matches!(event, EventKind::SpecFinished { case, .. } if case.name.contains("panics"));
    let (result, ()) = tokio::join!(bench.run(), bench.cancel_when(last));
    let result = result.unwrap();
    assert_eq!(result.end, End::Cancelled);
    assert_eq!(result.cases.len(), 10);
    assert!(result.totals().errored >= 1 && result.took < Duration::from_secs(10));
}

#[tokio::test]
#[ignore = "needs what the other needs"]
async fn the_real_ginkgo_is_run_again_without_a_spec_that_hangs() {
    let mut bench = real();
    let everything = Selection {
        label_filter: Some("Hang || Conformance".into()),
        which: Which::All,
        ..Selection::default()
    };
    bench.request.list = crate::list::list(&bench.request.tools, &everything)
        .await
        .unwrap();
    bench.request.spec_timeout = Some(Duration::from_secs(2));
    for processes in [3, 1] {
        bench.request.processes = processes;
        let result = bench.run().await.unwrap();
        assert_eq!(result.end, End::Completed, "{:?}", result.cases);
        assert_eq!(result.cases.len(), 10);
        let late = |case: &&Case| case.name.contains("hangs");
        let late = result.cases.iter().find(late).unwrap();
        let Outcome::Failed { message } = &late.outcome else {
            panic!("{late:?}");
        };
        assert!(message.contains("--spec-timeout (2 s)"), "{message}");
        let totals = result.totals();
        assert_eq!(
            (totals.passed, totals.errored),
            (5, 0),
            "{:?}",
            result.cases
        );
        assert!(result.took < Duration::from_secs(20), "{:?}", result.took);
    }
}
