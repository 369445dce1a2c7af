//! The pull-request workflow with the repository's own action, run by act: a job per cell, one report.
//!
//! Jobs run on this machine, not in containers. The marketplace's actions are stand-ins (`tests/actions`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use kcluster_tests::{
    Kcluster, Workflow, WorkflowRun, checkout, junit_totals, real_clusters, tool,
};
use tempfile::TempDir;

/// A spec that fails because the API it is about is switched off.
const BROKEN: &str = r#"
runtime-config = { "events.k8s.io/v1" = "false" }

[matrix]
kubernetes = ["1.35", "1.36"]
cni = ["bridge"]
suites = ["events"]

[matrix.suite.events]
focus = ["Events API should delete a collection of events", "ConfigMap should be consumable from pods in volume \\["]
"#;

/// A repository with what a pull request of this one would have.
fn repository(config: Option<&str>) -> TempDir {
    let text = config.map(|config| format!("egress = \"closed\"\nnodes = 1\n{config}"));
    let changed = text.as_deref().map(|text| (".github/kcluster.toml", text));
    checkout("file:///kcluster/kcluster", changed.as_slice()).unwrap()
}

/// Runs the workflow; every `uses` of the marketplace is a stand-in.
fn act(program: &Path, repository: &Path) -> WorkflowRun {
    let state = TempDir::with_prefix("kcluster-state-").unwrap();
    let binary = Kcluster::binary();
    let workflow = Workflow {
        program,
        event: "pull_request",
        file: "pull-request.yml",
        repository,
        inputs: &[],
        environment: &[
            ("KCLUSTER_BIN", binary.to_str().unwrap()),
            ("KCLUSTER_STATE_DIR", state.path().to_str().unwrap()),
        ],
        token: None,
    };
    workflow.run().unwrap()
}

#[test]
#[ignore = "boots four clusters; `cargo xtask test action` runs it"]
fn a_pull_request_is_judged_cell_by_cell() {
    if !real_clusters("a_pull_request_is_judged_cell_by_cell") {
        return;
    }
    let program = tool("action", "act").unwrap();
    let scratch = Kcluster::new().unwrap();

    let green = repository(None);
    let run = act(&program, green.path());
    eprintln!("{}", run.said);
    assert_eq!(run.code, 0, "the workflow is not green");
    let merged = run.artifacts.path().join("kcluster-merged");
    let totals = junit_totals(scratch.state(), &merged.join("junit.xml"), "smoke").unwrap();
    assert!(
        totals.tests >= 2 && totals.failures + totals.errors == 0,
        "{totals:?}"
    );
    let page = fs_err::read_to_string(merged.join("report.html")).unwrap();
    assert_eq!(page.matches("class=\"field passed\"").count(), 2);
    assert!(!run.said.contains("::error"), "annotated though all passed");

    let red = repository(Some(BROKEN));
    let run = act(&program, red.path());
    eprintln!("{}", run.said);
    assert_ne!(run.code, 0, "the workflow is green");
    assert!(
        run.said
            .contains("Events API should delete a collection of events"),
        "the spec is not named"
    );
    assert!(
        run.said.contains("fails on all 2 cells"),
        "it is not annotated"
    );
    for name in ["kcluster-report-0", "kcluster-report-1", "kcluster-merged"] {
        let report = run.artifacts.path().join(name).join("report.json");
        assert!(report.exists(), "{} is not there", report.display());
    }
    let merged = run.artifacts.path().join("kcluster-merged/junit.xml");
    let totals = junit_totals(scratch.state(), &merged, "events").unwrap();
    assert_eq!(totals.failures, 2, "{totals:?}");
}
