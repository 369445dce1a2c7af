//! The house's invariants, each a test: who may depend on whom, and where a library
//! or a call may stand. ARCHITECTURE.md explains them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each crate and the crates of ours it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("kcluster-matrix", &[]),
    ("kcluster-images", &["kcluster-matrix"]),
    ("kcluster-cluster", &["kcluster-matrix", "kcluster-images"]),
    ("kcluster-e2e", &["kcluster-matrix", "kcluster-images"]),
    ("kcluster-reports", &["kcluster-matrix"]),
    (
        "cargo-kcluster",
        &[
            "kcluster-matrix",
            "kcluster-images",
            "kcluster-cluster",
            "kcluster-e2e",
            "kcluster-reports",
        ],
    ),
    ("kcluster-book", &["cargo-kcluster"]),
    ("kcluster-tests", &[]),
    ("xtask", &[]),
];

/// Each library that only one place may know, and the place.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("bollard::", &["cluster/src/engine/", "cluster/tests/"]),
    ("octocrab::", &["cli/src/github"]),
    ("oci_client::", &["images/src/registry"]),
    ("goblin::", &["images/src/verify/elf.rs"]),
    (
        "junit_report::",
        &["reports/src/junit.rs", "reports/src/junit/"],
    ),
    ("clap::", &["cli/src/", "xtask/src/", "book/src/"]),
    ("mdbook_driver::", &["book/src/lib.rs"]),
    (
        "println!",
        &[
            "cli/src/output",
            "cli/src/main.rs",
            "/examples/",
            "/tests/",
            "tests/src/",
            "xtask/src/",
            "/build.rs",
        ],
    ),
];

/// What a crate that does no I/O must not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "std::time::Instant",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "bollard",
    "std::env",
];

const PURE: &[&str] = &["matrix", "reports"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

#[test]
fn dependencies_point_one_way() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .unwrap();
    let ours: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    let known: BTreeSet<String> = MAY_USE.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, known, "a crate is missing from this test's table");
    for package in &metadata.packages {
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(name, _)| package.name == *name)
            .unwrap();
        for dependency in &package.dependencies {
            let inside = ours.contains(&dependency.name);
            if inside && dependency.kind == DependencyKind::Normal {
                assert!(
                    allowed.contains(&dependency.name.as_str()),
                    "{} must not depend on {}",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn each_library_stays_in_its_place() {
    for (path, text) in sources(&root()) {
        for (word, places) in ONLY_IN {
            let found = code_lines(&text).find(|(_, line)| line.contains(word));
            if let Some((number, line)) = found {
                assert!(
                    places.iter().any(|place| path.contains(place)),
                    "{path}:{number} names `{word}`, which only {places:?} may: {line}"
                );
            }
        }
    }
}

#[test]
fn pure_crates_do_no_io() {
    for (path, text) in sources(&root()) {
        if !PURE
            .iter()
            .any(|pure| path.starts_with(&format!("{pure}/src/")))
        {
            continue;
        }
        for word in IMPURE {
            let found = code_lines(&text).find(|(_, line)| line.contains(word));
            assert!(
                found.is_none(),
                "{path} is pure and must not name `{word}`: {found:?}"
            );
        }
    }
}

#[test]
fn files_are_small_enough_to_hold_in_the_head() {
    for (path, text) in sources(&root()) {
        let lines = text.lines().count();
        assert!(
            lines <= 500,
            "{path} has {lines} lines; split it by concern"
        );
    }
}

/// Lines that are code, with their numbers: neither comments nor this table's own strings.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_start()))
        .filter(|(_, line)| !line.starts_with("//"))
}

/// Every Rust source of the workspace but this file, with its path from the root.
fn sources(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") && name != "layering.rs" {
                let inside = path.strip_prefix(root).unwrap().display().to_string();
                found.push((inside, fs_err::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(
        found.len() > 20,
        "the sources were not found below {}",
        root.display()
    );
    found
}
