//! The action and the workflows, read as GitHub reads them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use kcluster_tests::tool;
use serde_json::Value;

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap().to_path_buf()
}

/// Each workflow and the action, with its name.
fn files() -> Vec<(String, Value)> {
    let folder = root().join(".github/workflows");
    let mut paths: Vec<PathBuf> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(paths.len() >= 2, "the workflows are not where they were");
    paths.push(root().join("action.yml"));
    paths
        .into_iter()
        .map(|path| {
            let text = fs_err::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let value =
                yaml_serde::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, value)
        })
        .collect()
}

/// Every value below `value` under this key, whatever it is in.
fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                if name == key {
                    found.push(inner);
                }
                under(inner, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| under(item, key, found)),
        _ => {}
    }
}

fn all<'a>(file: &'a Value, key: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    under(file, key, &mut found);
    found
}

/// Whatever an expression holds becomes code there: shells get it as variables only.
#[test]
fn no_expression_stands_in_a_shell() {
    let mut shells = 0;
    for (name, file) in files() {
        for run in all(&file, "run").into_iter().filter_map(Value::as_str) {
            shells += 1;
            assert!(!run.contains("${{"), "{name}: {run}");
        }
    }
    assert!(shells >= 5, "only {shells} steps were found");
}

#[test]
fn every_action_is_pinned() {
    let mut pinned = 0;
    for (name, file) in files() {
        for uses in all(&file, "uses").into_iter().filter_map(Value::as_str) {
            if uses == "./" {
                continue;
            }
            let (_, commit) = uses.split_once('@').unwrap_or_default();
            let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(
                commit.len() == 40 && commit.chars().all(hex),
                "{name}: {uses} can change"
            );
            pinned += 1;
        }
    }
    assert!(pinned >= 5, "only {pinned} actions were found");
}

/// Workflow, job, and what it may change.
const WRITES: &[(&str, &str, &str)] = &[
    ("images.yml", "publish", "contents"),
    // The history of nights is a branch.
    ("nightly.yml", "judge", "contents"),
    ("nightly.yml", "issues", "contents"),
    ("nightly.yml", "issues", "issues"),
];

/// Nothing is allowed but what a job asks for.
#[test]
fn permissions_are_the_least() {
    for (name, file) in files() {
        if name == "action.yml" {
            continue;
        }
        assert_eq!(file["permissions"], serde_json::json!({}), "{name}");
        for (job, body) in file["jobs"].as_object().unwrap() {
            // A job that says nothing has nothing.
            let may = |what: &str| WRITES.contains(&(name.as_str(), job.as_str(), what));
            for (what, how) in body["permissions"].as_object().into_iter().flatten() {
                assert!(how == "read" || may(what), "{name}: {job} may {how} {what}");
            }
            let steps = body["steps"].as_array().unwrap();
            let checkout = |step: &&Value| {
                let uses = step["uses"].as_str();
                uses.is_some_and(|uses| uses.starts_with("actions/checkout@"))
            };
            for step in steps.iter().filter(checkout) {
                let kept = step["with"]["persist-credentials"] != false;
                assert!(!kept || may("contents"), "{name}: {job} keeps its token");
            }
        }
    }
}

/// Each input goes to a script, and each output comes from one.
#[test]
fn the_action_uses_what_it_takes() {
    let (_, action) = files().pop().unwrap();
    let steps = action["runs"]["steps"].to_string();
    for input in action["inputs"].as_object().unwrap().keys() {
        assert!(
            steps.contains(&format!("inputs.{input}")),
            "{input} is not used"
        );
    }
    let scripts: String = ["keys", "install", "run", "down", "report"]
        .map(|name| fs_err::read_to_string(root().join(format!("action/{name}.sh"))).unwrap())
        .concat();
    for step in action["runs"]["steps"].as_array().unwrap() {
        for name in step["env"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
        {
            let word = name.strip_prefix("IN_").unwrap_or(name);
            assert!(scripts.contains(word), "no script reads {name}");
        }
    }
}

#[test]
fn actionlint_and_shellcheck_find_nothing() {
    if let Some(actionlint) = tool("workflows", "actionlint") {
        let output = Command::new(actionlint)
            .current_dir(root())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
    }
    if kcluster_tests::installed("workflows", "shellcheck") {
        let scripts = fs_err::read_dir(root().join("action")).unwrap();
        let scripts = scripts.map(|entry| entry.unwrap().path());
        let output = Command::new("shellcheck").args(scripts).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
    }
}
