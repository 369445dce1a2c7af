//! The nightly workflow, run by act over several nights of an upstream of the test's own: green; red, and who did it,
//! with an issue; green again, and the issue is closed.
//!
//! Once with clusters that are stood in for, which takes seconds, and once with real ones.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and shows what act printed"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kcluster_tests::{
    GitHub, Kcluster, Prism, Upstream, Workflow, WorkflowRun, checkout, prism_tools, real_clusters,
    suite, tool,
};
use serde_json::json;
use tempfile::TempDir;

const TOKEN: &str = "tok-nightly-Nobody-May-See-This";

/// A Service's status is what breaks.
const SPEC: &str = "should complete a service status lifecycle";

/// A kcluster whose clusters are files: a commit is red if the one that is called `service` says so. All else is the
/// real one.
const STAND_IN: &str = r#"#!/bin/sh
set -e
[ "$1" != kcluster ] || shift
here=$(dirname "$0")
case "$1" in
  up | down) exit 0 ;;
  e2e)
    while [ $# -gt 0 ]; do
      [ "$1" != --report-dir ] || folder=$2
      shift
    done
    mkdir -p "$folder"
    is=$(git -C "$KCLUSTER_SOURCE_GIT" show "$KCLUSTER_SOURCE_REVISION:service" 2>/dev/null || echo mended)
    sed "s/@NOW@/$(date -u +%Y-%m-%dT%H:%M:%SZ)/" "$here/$is.json" >"$folder/report.json"
    [ "$is" = mended ] || exit 4 ;;
  bisect)
    [ "$2" != --source ] || set -- "$@" --no-cluster -- "$here/judge"
    exec "$here/real" kcluster "$@" ;;
  *) exec "$here/real" kcluster "$@" ;;
esac
"#;

/// Nights of one upstream.
struct Nights {
    program: PathBuf,
    upstream: Upstream,
    github: GitHub,
    /// Between us and GitHub, where it is installed.
    prism: Option<Prism>,
    repository: TempDir,
    kcluster: Kcluster,
    binary: PathBuf,
    cells: &'static str,
}

/// Text of a report of one suite; its time is filled in when it is used.
fn report(failed: bool) -> String {
    let name = format!("[sig-network] Services {SPEC} [Conformance]");
    let outcome = match failed {
        true => json!({ "is": "failed", "message": "broken by this commit" }),
        false => json!({ "is": "passed" }),
    };
    let case = |name: &str, outcome| json!({ "name": name, "class": "sig-network", "took": { "secs": 3, "nanos": 0 }, "outcome": outcome, "attempts": 1, "output": "" });
    let suite = json!({
        "name": "v1.36.3-bridge-amd64", "phase": "conformance", "host": "runner", "started": "@NOW@", "properties": [],
        "cases": [case(&name, outcome), case("[sig-node] another", json!({ "is": "passed" }))],
    });
    let totals = json!({ "passed": 0, "failed": 0, "errored": 0, "skipped": 0, "flaky": 0 });
    json!({ "schema": 1, "generator": "a test", "totals": totals, "suites": [suite] }).to_string()
}

/// The stand-in, in a folder of its own with all that it needs.
fn stand_in(folder: &Path, upstream: &Path) -> PathBuf {
    let folder = folder.join("bin");
    fs_err::create_dir(&folder).unwrap();
    fs_err::write(folder.join("broken.json"), report(true)).unwrap();
    fs_err::write(folder.join("mended.json"), report(false)).unwrap();
    let judge = format!(
        "#!/bin/sh\n[ \"$(git -C {} show \"$KCLUSTER_BISECT_POINT:service\" 2>/dev/null)\" != broken ]\n",
        upstream.display()
    );
    for (name, text) in [("judge", judge.as_str()), ("cargo-kcluster", STAND_IN)] {
        let path = folder.join(name);
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink(Kcluster::binary(), folder.join("real")).unwrap();
    folder.join("cargo-kcluster")
}

impl Nights {
    fn new(test: &str, real: bool) -> Option<Self> {
        let program = tool(test, "act")?;
        let kcluster = Kcluster::new().unwrap();
        let state = kcluster.state().to_path_buf();
        let path = state.join("upstream");
        let upstream = match real {
            true => Upstream::kubernetes(&path).unwrap(),
            false => Upstream::small(&path).unwrap(),
        };
        let binary = match real {
            true => Kcluster::binary(),
            false => stand_in(&state, &path),
        };
        let origin = state.join("origin.git");
        let made = Command::new("git")
            .args(["init", "--quiet", "--bare"])
            .arg(&origin)
            .status();
        assert!(made.unwrap().success());
        let repository = checkout(origin.to_str().unwrap(), &[]).unwrap();
        let github = GitHub::start().unwrap();
        let prism =
            prism_tools(test).map(|tools| Prism::before(&tools, &state, github.url()).unwrap());
        Some(Self {
            program,
            upstream,
            github,
            prism,
            repository,
            kcluster,
            binary,
            cells: if real {
                r#"["bridge"]"#
            } else {
                r#"["bridge", "ptp"]"#
            },
        })
    }

    /// One night; all jobs end well.
    fn night(&self) -> WorkflowRun {
        let url = self
            .prism
            .as_ref()
            .map_or_else(|| self.github.url().to_owned(), Prism::url);
        // Where the engine is not the machine's own.
        let engine = std::env::var("KCLUSTER_ENGINE").unwrap_or_default();
        let workflow = Workflow {
            program: &self.program,
            event: "workflow_dispatch",
            file: "nightly.yml",
            repository: self.repository.path(),
            inputs: &[
                ("upstream", self.upstream.path().to_str().unwrap()),
                ("revision", "master"),
                ("focus", SPEC),
                ("cells", self.cells),
            ],
            environment: &[
                ("GITHUB_API_URL", &url),
                ("GITHUB_REPOSITORY", "kcluster/kcluster"),
                ("KCLUSTER_BIN", self.binary.to_str().unwrap()),
                (
                    "KCLUSTER_STATE_DIR",
                    self.kcluster.state().to_str().unwrap(),
                ),
                ("KCLUSTER_EGRESS", "closed"),
                ("KCLUSTER_NODES", "0"),
                ("KCLUSTER_ENGINE", &engine),
            ],
            token: Some(TOKEN),
        };
        let run = workflow.run().unwrap();
        eprintln!("{}", run.said);
        assert!(!run.said.contains(TOKEN), "the token is shown");
        assert_eq!(run.code, 0, "the night did not go well");
        run
    }

    /// A file of the history's branch as it is now.
    fn history(&self, file: &str) -> String {
        let output = Command::new("git")
            .args(["show", &format!("kcluster-history:{file}")])
            .current_dir(self.kcluster.state().join("origin.git"))
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{file} is not in the history");
        String::from_utf8(output.stdout).unwrap()
    }

    fn states(&self) -> Vec<String> {
        let issues = self.github.issues();
        let states = issues
            .iter()
            .map(|issue| issue["state"].as_str().unwrap().to_owned());
        states.collect()
    }

    /// Green, red and green again; whatever the clusters are.
    fn three(&mut self, cells: usize) -> String {
        let good = self.upstream.note().unwrap();
        self.night();
        assert!(self.github.issues().is_empty(), "an issue about nothing");
        assert_eq!(self.history("days.jsonl").lines().count(), cells);

        self.upstream.note().unwrap();
        let culprit = self.upstream.breaks().unwrap();
        self.upstream.note().unwrap();
        let bad = self.upstream.note().unwrap();
        let run = self.night();
        let found = run.artifacts.path().join("bisect-bridge-amd64/result.json");
        let found: serde_json::Value =
            serde_json::from_str(&fs_err::read_to_string(found).unwrap()).unwrap();
        assert_eq!(found["culprit"]["id"], culprit.as_str(), "{found}");
        assert_eq!((&found["good"], &found["bad"]), (&json!(good), &json!(bad)));
        // One, though two cells are red.
        assert_eq!(self.states(), ["open"]);
        let issue = &self.github.issues()[0];
        let body = issue["body"].as_str().unwrap();
        for part in [
            culprit.as_str(),
            "pull request:** 12",
            SPEC,
            "reproduce:** `cargo kcluster bisect --good",
        ] {
            assert!(body.contains(part), "{part} is not in\n{body}");
        }
        assert!(
            issue["title"]
                .as_str()
                .unwrap()
                .contains("service: be quicker"),
            "{issue}"
        );
        let page = self.history("index.html");
        assert_eq!(
            page.matches("<svg").count(),
            cells,
            "a picture for each cell"
        );
        assert!(
            page.contains(&culprit[..12]) || page.contains(&bad[..12]),
            "{page}"
        );
        assert!(run.artifacts.path().join("trend/index.html").exists());
        culprit
    }
}

#[test]
fn four_nights_with_clusters_that_are_stood_in_for() {
    let Some(mut nights) = Nights::new("nightly", false) else {
        return;
    };
    nights.three(2);
    // Another night, still red: the issue that had to wait, and the one there is.
    nights.github.age(1);
    nights.upstream.note().unwrap();
    let run = nights.night();
    assert!(
        run.said.contains("brought #1 up to date"),
        "the issue is as it was"
    );
    assert_eq!(nights.states(), ["open", "open"]);
    let titles: Vec<String> = nights
        .github
        .issues()
        .iter()
        .map(|issue| issue["title"].to_string())
        .collect();
    assert!(
        titles[0].contains("bridge") != titles[1].contains("bridge"),
        "{titles:?}"
    );

    nights.upstream.mends().unwrap();
    nights.night();
    assert_eq!(nights.states(), ["closed", "closed"]);
    assert_eq!(
        (
            nights.github.comments(1).len(),
            nights.github.comments(2).len()
        ),
        (1, 1)
    );
    assert_eq!(nights.history("days.jsonl").lines().count(), 8);
}

#[test]
#[ignore = "builds five commits of Kubernetes and boots seven clusters; `cargo xtask test nightly` runs it"]
fn three_nights_on_real_clusters() {
    if !real_clusters("three_nights_on_real_clusters") {
        return;
    }
    let begun = std::time::Instant::now();
    let mut nights = Nights::new("nightly", true).unwrap();
    let culprit = nights.three(1);
    nights.upstream.mends().unwrap();
    nights.night();
    assert_eq!(nights.states(), ["closed"]);
    assert_eq!(nights.github.comments(1).len(), 1);
    let page = suite::folder("nightly").unwrap().join("index.html");
    fs_err::write(page, nights.history("index.html")).unwrap();
    suite::note(&format!(
        "{} named in {:.0} min; issue opened and closed",
        &culprit[..12],
        begun.elapsed().as_secs_f64() / 60.0
    ))
    .unwrap();
}
