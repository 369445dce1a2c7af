//! The built binary from outside: help, refusals and `config show`, as snapshots.
//!
//! None of these needs an engine, and none depends on the machine, its user or its terminal.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};

/// A folder to run in, and the environment of nobody in particular.
struct Scene {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Scene {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs_err::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Exit code and both outputs, with the folder's name taken out.
    fn run(&self, args: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_cargo-kcluster"))
            .arg("kcluster")
            .args(args.split_whitespace())
            .current_dir(self.path())
            .env_clear()
            .env("HOME", "/home/me")
            .env("COLUMNS", "100")
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap();
        let all = format!(
            "exit code {code}\n--- stdout\n{}--- stderr\n{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        let canonical = self.path().canonicalize().unwrap();
        all.replace(canonical.to_str().unwrap(), "[DIR]")
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[test]
fn help_of_each_command() {
    let scene = Scene::new();
    insta::assert_snapshot!("help", scene.run("--help"));
    for command in [
        "up",
        "down",
        "clean",
        "e2e",
        "e2e-serial",
        "images",
        "images build",
        "images remove",
        "images prune",
        "list",
        "nodes",
        "suspend",
        "resume",
        "snapshot",
        "snapshot save",
        "exec",
        "kubectl",
        "events",
        "top",
        "kubeconfig",
        "load",
        "logs",
        "doctor",
        "config",
        "config show",
        "config init",
        "config schema",
        "report",
        "report merge",
        "report html",
        "report summary",
        "report annotations",
        "report totals",
        "report compare",
        "report bundle",
        "bisect",
        "bisect status",
        "bisect resume",
        "bisect log",
        "bisect report",
        "bisect issue",
        "trend",
        "trend add",
        "trend show",
        "trend page",
        "trend red",
        "trend issues",
        "completions",
        "man",
    ] {
        let name = format!("help {command}").replace(' ', "-");
        insta::assert_snapshot!(name, scene.run(&format!("{command} -h")));
    }
}

#[test]
fn config_show_names_every_origin() {
    let scene = Scene::new()
        .file(
            "kcluster.toml",
            "nodes = 2\n\n[feature-gates]\nSomeGate = true\n",
        )
        .variable("KCLUSTER_CNI", "ptp")
        .variable("KCLUSTER_STATE", "/somewhere");
    insta::assert_snapshot!(scene.run("config show --kubernetes 1.34 --retain"));
    let json = scene.run("config show --json");
    assert!(json.contains("\"origin\": \"kcluster.toml:3\""), "{json}");
}

#[test]
fn config_init_writes_a_file_once() {
    let scene = Scene::new();
    insta::assert_snapshot!(scene.run("config init -"));
    assert!(scene.run("config init").starts_with("exit code 0"));
    assert!(scene.run("config show").starts_with("exit code 0"));
    insta::assert_snapshot!("config_init_again", scene.run("config init"));
}

#[test]
fn words_that_are_not_known_are_answered_with_the_nearest() {
    let scene = Scene::new();
    for (name, args) in [
        ("version-malformed", "up --kubernetes one.two"),
        ("version-unknown", "up --kubernetes 1.99"),
        ("cni-unknown", "up --cni brigde"),
        ("arch-unknown", "up --arch s390"),
        ("name-bad", "up --name My_Cluster"),
        ("command-unknown", "upp"),
        ("flag-unknown", "up --node 2"),
        ("subnet-malformed", "up --pod-subnet 10.0.0"),
        (
            "patch-target-unknown",
            "up --kubeadm-patches kube-apiservr:merge={}",
        ),
        ("source-without-folder", "up --source dir"),
        ("engine-scheme-unknown", "list --engine ftp://host"),
    ] {
        insta::assert_snapshot!(format!("refused-{name}"), scene.run(args));
    }
}

#[test]
fn mistakes_in_the_file_are_shown_in_place() {
    for (name, text) in [
        ("malformed", "name = \"a\"\nnodes = = 2\n"),
        ("unclosed", "name = \"a\n"),
        ("key-unknown", "name = \"a\"\n\nnodess = 2\n"),
        ("key-far-off", "frobnicate = 2\n"),
        ("ill-typed", "nodes = \"many\"\n"),
        ("too-large", "nodes = 300\n"),
        ("float-version", "kubernetes = 1.36\n"),
        ("value-unknown", "# ä\ncni = \"flanel\"\n"),
        (
            "patch-field-unknown",
            "kubeadm-patches = [{ target = \"etcd\", typ = \"merge\", patch = \"{}\" }]\n",
        ),
        ("gate-ill-typed", "[feature-gates]\nA = 1\n"),
    ] {
        let scene = Scene::new().file("kcluster.toml", text);
        insta::assert_snapshot!(format!("file-{name}"), scene.run("up"));
    }
}

#[test]
fn profiles_are_chosen_and_mistakes_in_them_shown_in_place() {
    const FILE: &str = "nodes = 2\n\n[profile.ci]\nnodes = 0\negress = \"closed\"\n";
    let scene = Scene::new().file("kcluster.toml", FILE);
    let shown = scene.run("config show --profile ci");
    for line in [
        "nodes = 0",
        "# kcluster.toml:4, profile ci",
        "# kcluster.toml:5, profile ci",
    ] {
        assert!(shown.contains(line), "no `{line}` in\n{shown}");
    }
    insta::assert_snapshot!("profile-unknown", scene.run("up --profile ic"));
    insta::assert_snapshot!("profile-far-off", scene.run("up --profile nightly"));
    insta::assert_snapshot!("profile-no-file", Scene::new().run("up --profile ci"));
    let none = Scene::new().file("kcluster.toml", "nodes = 2\n");
    insta::assert_snapshot!("profile-none", none.run("up --profile ci"));
    // Though it is not asked for.
    for (name, text) in [
        ("key-unknown", "[profile.ci]\nnodess = 0\n"),
        ("ill-typed", "[profile.ci]\nnodes = \"many\"\n"),
        ("no-table", "[profile]\nci = 1\n"),
    ] {
        let scene = Scene::new().file("kcluster.toml", text);
        insta::assert_snapshot!(format!("profile-{name}"), scene.run("up"));
    }
}

#[test]
fn other_ways_to_be_wrong() {
    let absent = Scene::new().run("config show --config absent.toml");
    insta::assert_snapshot!("config-absent", absent);
    let variable = Scene::new()
        .variable("KCLUSTER_NODES", "many")
        .run("config show");
    insta::assert_snapshot!("variable-ill-typed", variable);
    let manifest = "[workspace]\n[workspace.metadata.kcluster]\nnodess = 1\n";
    let scene = Scene::new()
        .file("Cargo.toml", manifest)
        .variable("CARGO", env!("CARGO"));
    insta::assert_snapshot!("metadata-key-unknown", scene.run("up"));
    insta::assert_snapshot!("engine-unreachable", Scene::new().run("list"));
}

/// A report as `e2e --all` leaves it, of one of two shards.
fn shard(scene: &Scene, index: usize) {
    use kcluster_matrix::{Case, Outcome, Suite};
    let suite = |phase: &str| Suite {
        name: "v1.36.3-bridge-amd64".into(),
        phase: phase.into(),
        host: "here".into(),
        started: "2026-11-21T03:00:00Z".parse().unwrap(),
        properties: [
            ("kubernetes", "v1.36.3".to_owned()),
            ("listed", "1".to_owned()),
            ("shard", format!("{index}/2")),
            ("durations", "0123abcd".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
        cases: vec![Case {
            name: format!("[sig-x] {phase} {index}"),
            class: "sig-x".into(),
            took: std::time::Duration::from_secs(2),
            outcome: Outcome::Passed,
            attempts: 1,
            output: String::new(),
        }],
    };
    let folder = scene.path().join(format!("shard-{index}"));
    fs_err::create_dir_all(folder.join("parallel")).unwrap();
    let suites = [suite("conformance"), suite("conformance-serial")];
    let report = kcluster_reports::json::Report::new(&suites);
    fs_err::write(folder.join("report.json"), report.to_json().unwrap()).unwrap();
    fs_err::write(folder.join("parallel/e2e.log"), format!("log {index}\n")).unwrap();
}

#[test]
fn reports_are_merged_shown_and_bundled() {
    let scene = Scene::new().file(
        "kcluster.toml",
        "[product]\nvendor = \"Me\"\nname = \"Mine\"\nversion = \"1\"\nwebsite_url = \"w\"\n\
         documentation_url = \"d\"\nproduct_logo_url = \"l\"\ntype = \"distribution\"\n\
         description = \"A: b\"\n",
    );
    shard(&scene, 1);
    shard(&scene, 2);
    let half = scene.run("report merge shard-1 --report-dir half");
    assert!(half.starts_with("exit code 3"), "{half}");
    assert!(half.contains("shards are missing 2/2"), "{half}");
    insta::assert_snapshot!("report-bundle-refused", scene.run("report bundle half"));

    let whole = scene.run("report merge shard-1 shard-2 --report-dir whole");
    assert!(whole.starts_with("exit code 0"), "{whole}");
    insta::assert_snapshot!("report-summary", scene.run("report summary whole"));
    assert!(
        scene
            .run("report html whole -o page.html")
            .starts_with("exit code 0")
    );
    let page = fs_err::read_to_string(scene.path().join("page.html")).unwrap();
    assert!(page.contains("All 4 passed"), "{page}");
    let bundle = scene.run("report bundle whole");
    assert!(bundle.starts_with("exit code 0"), "{bundle}");
    let folder = scene.path().join("whole/bundle/v1.36/kcluster");
    let read = |name: &str| fs_err::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("e2e.log"), "log 1\nlog 2\n");
    assert!(read("PRODUCT.yaml").contains("description: \"A: b\"\n"));
    assert_eq!(read("junit_01.xml").matches("<testcase").count(), 4);

    insta::assert_snapshot!("report-missing", scene.run("report html nowhere"));
    insta::assert_snapshot!("report-none-remembered", scene.run("report html"));
    insta::assert_snapshot!("refused-shard", scene.run("e2e --shard 5/4"));
}

#[test]
fn bare_calls_are_cargo_calls() {
    let scene = Scene::new();
    let bare = Command::new(env!("CARGO_BIN_EXE_cargo-kcluster"))
        .args(["config", "show"])
        .current_dir(scene.path())
        .env_clear()
        .env("HOME", "/home/me")
        .output()
        .unwrap();
    let text = String::from_utf8(bare.stdout).unwrap();
    assert!(
        scene
            .run("config show")
            .contains(text.lines().next().unwrap()),
        "{text}"
    );
}

#[test]
fn completions_and_manual_pages_cover_every_command() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish"] {
        let text = scene.run(&format!("completions {shell}"));
        assert!(
            text.contains("kubeconfig") && text.contains("label-filter"),
            "{text}"
        );
    }
    assert!(scene.run("man pages").starts_with("exit code 0"));
    for page in [
        "cargo-kcluster.1",
        "cargo-kcluster-up.1",
        "cargo-kcluster-config-show.1",
    ] {
        let text = fs_err::read_to_string(scene.path().join("pages").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn a_matrix_is_planned_without_an_engine() {
    let scene = Scene::new().file(
        "kcluster.toml",
        "[matrix]\nkubernetes = [\"1.35\", \"1.36\", \"master\"]\ncni = [\"bridge\", \"ptp\"]\n\
         [[matrix.exclude]]\ncni = \"ptp\"\nkubernetes = \"1.35\"\nreason = \"known broken\"\n",
    );
    let plan = scene.run("matrix plan");
    for said in [
        "exit code 0",
        "v1.35.4-bridge-",
        "v1.36.3-ptp-",
        "skipped 1.35 × ptp × ",
        "excluded: known broken",
        "master is no released version",
        "3 cells, 3 skipped; one after the other",
    ] {
        assert!(plan.contains(said), "no `{said}` in\n{plan}");
    }
    let github = scene.run("matrix github");
    let line = github.lines().find(|line| line.starts_with('{')).unwrap();
    let jobs: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(jobs["include"].as_array().unwrap().len(), 3);
    let one = scene.run("matrix plan --json --kubernetes 1.36 --cni bridge");
    assert!(one.contains("\"kubernetes\": \"v1.36.3\""), "{one}");
    assert!(!one.contains("ptp"), "flags beat the file: {one}");
    let none = scene.run("matrix plan --cell v1.36.3-bridge-nowhere");
    assert!(
        none.contains("exit code 2") && none.contains("unknown cell"),
        "{none}"
    );
}
