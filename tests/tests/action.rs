//! The pull-request workflow with the repository's own action, run by act: a job per cell, one report.
//!
//! Jobs run on this machine, not in containers. The marketplace's actions are stand-ins (`tests/actions`).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use kcluster_tests::{Kcluster, junit_totals, real_clusters, tool};
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

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap().to_path_buf()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let more = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}\n{said}\n{more}");
    said
}

/// A repository with what a pull request of this one would have.
fn repository(config: Option<&str>) -> TempDir {
    let folder = TempDir::with_prefix("kcluster-action-").unwrap();
    let path = folder.path();
    let files = run(Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root()));
    for file in files.lines() {
        let (from, to) = (root().join(file), path.join(file));
        fs_err::create_dir_all(to.parent().unwrap()).unwrap();
        fs_err::copy(from, to).unwrap();
    }
    if let Some(config) = config {
        let file = path.join(".github/kcluster.toml");
        fs_err::write(file, format!("egress = \"closed\"\nnodes = 1\n{config}")).unwrap();
    }
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &[
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@localhost",
            "commit",
            "--quiet",
            "-m",
            "t",
        ],
        &["remote", "add", "origin", "file:///kcluster/kcluster"],
    ] {
        run(Command::new("git").args(args).current_dir(path));
    }
    folder
}

struct Run {
    code: i32,
    said: String,
    artifacts: TempDir,
}

/// Runs the workflow; every `uses` of the marketplace is a stand-in.
fn act(act: &Path, repository: &Path) -> Run {
    let artifacts = TempDir::with_prefix("kcluster-artifacts-").unwrap();
    let home = TempDir::with_prefix("kcluster-act-").unwrap();
    let state = TempDir::with_prefix("kcluster-state-").unwrap();
    let mut command = Command::new(act);
    command
        .args([
            "pull_request",
            "--workflows",
            ".github/workflows/pull-request.yml",
        ])
        .args(["--platform", "ubuntu-latest=-self-hosted"])
        // Two cores: a job at a time.
        .args([
            "--concurrent-jobs",
            "1",
            "--no-cache-server",
            "--pull=false",
        ])
        .arg("--env")
        .arg(format!(
            "KCLUSTER_TEST_ARTIFACTS={}",
            artifacts.path().display()
        ))
        .arg("--env")
        .arg(format!("KCLUSTER_BIN={}", Kcluster::binary().display()))
        .arg("--env")
        .arg(format!("KCLUSTER_STATE_DIR={}", state.path().display()))
        .env("XDG_CONFIG_HOME", home.path())
        .current_dir(repository);
    for name in ["cache", "upload-artifact", "download-artifact"] {
        let uses = pinned(name);
        let stand_in = root().join("tests/actions").join(name);
        command.arg(format!("--local-repository={uses}={}", stand_in.display()));
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Run {
        code: output.status.code().unwrap_or(-1),
        said,
        artifacts,
    }
}

/// `actions/NAME@COMMIT`, as the workflow or the action says it.
fn pinned(name: &str) -> String {
    let files = ["action.yml", ".github/workflows/pull-request.yml"];
    let text = files.map(|file| fs_err::read_to_string(root().join(file)).unwrap());
    let begin = format!("actions/{name}@");
    let words = text.iter().flat_map(|text| text.split_whitespace());
    words
        .into_iter()
        .find(|word| word.starts_with(&begin))
        .unwrap()
        .to_owned()
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
