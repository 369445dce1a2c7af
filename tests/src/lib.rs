//! Helpers of the tests that drive the built binary: run it, ask the engine what is
//! there, and clean up whatever happens.
//!
//! Tests with real clusters need an engine and a node image; `cargo xtask test` sets
//! both up and says so with `KCLUSTER_TESTS=all`. Without it they are skipped aloud.

#![expect(
    clippy::print_stderr,
    reason = "tests tell why they skip and how long they took"
)]

mod act;
mod arch;
mod browser;
mod engine;
mod files;
mod github;
mod history;
mod junit;
mod kcluster;
mod oci;
mod own_engine;
mod prism;
mod process;
mod registry;
pub mod sample;
mod search;
mod settings;
mod sshd;
pub mod suite;
mod upstream;

pub use act::{Workflow, WorkflowRun, checkout};
pub use arch::{ARM64, Arch, PPC64LE, S390X};
pub use browser::{node, node_packages};
pub use engine::{Inventory, docker};
pub use files::{Files, Served};
pub use github::{Asked, Fault, GitHub};
pub use history::History;
pub use junit::{JunitTotals, junit_reader, junit_totals};
pub use kcluster::{Kcluster, Output};
pub use oci::{digest, index_of_many, named_and_held, plain_image};
pub use own_engine::OwnEngine;
pub use prism::{Prism, prism_tools};
pub use registry::Registry;
pub use search::search;
pub use settings::{Block, SettingsSchema, blocks, examples, root};
pub use sshd::Sshd;
pub use upstream::{Upstream, flaky_kubernetes_repository, judged_history, kubernetes_repository};

/// Specs of the smoke run, as `e2e --focus` takes them: a regular expression.
pub const SMOKE: &str = include_str!("../smoke.txt");

/// Folders of programs.
const FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Says that a test, or a part of it, does not run, and why.
pub fn skipped(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}

fn find(program: &str) -> Option<std::path::PathBuf> {
    let mut paths = FOLDERS
        .iter()
        .map(|folder| std::path::Path::new(folder).join(program));
    paths.find(|path| path.exists())
}

/// Whether a program is installed; says so when it is not.
#[must_use]
pub fn installed(test: &str, program: &str) -> bool {
    let found = find(program).is_some();
    if !found {
        skipped(test, &format!("{program} is not installed"));
    }
    found
}

/// A program that `cargo xtask test` built for the tests; says so when it is not there.
#[must_use]
pub fn tool(test: &str, program: &str) -> Option<std::path::PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let home = || Some(std::path::Path::new(&std::env::var_os("HOME")?).join(".cache"));
    let path = cache.or_else(home)?.join("kcluster/tools").join(program);
    if path.exists() {
        return Some(path);
    }
    skipped(
        test,
        &format!("{program} is not built; `cargo xtask test` builds it"),
    );
    None
}

/// The path of Chromium or of Chrome; says so when there is neither.
#[must_use]
pub fn chromium(test: &str) -> Option<String> {
    let found = ["chromium", "google-chrome"].into_iter().find_map(find);
    if found.is_none() {
        skipped(test, "Chromium is not installed");
    }
    Some(found?.display().to_string())
}

/// Whether tests with real clusters are to run; says so when not.
#[must_use]
pub fn real_clusters(test: &str) -> bool {
    let wanted = std::env::var("KCLUSTER_TESTS").is_ok_and(|tests| tests == "all");
    if !wanted {
        skipped(
            test,
            "needs an engine and a node image; `cargo xtask test` runs it",
        );
    }
    wanted
}
