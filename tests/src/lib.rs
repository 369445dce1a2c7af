//! Helpers of the tests that drive the built binary: run it, ask the engine what is
//! there, and clean up whatever happens.
//!
//! Tests with real clusters need an engine and a node image; `cargo xtask test` sets
//! both up and says so with `KCLUSTER_TESTS=all`. Without it they are skipped aloud.

#![expect(
    clippy::print_stderr,
    reason = "tests tell why they skip and how long they took"
)]

mod engine;
mod junit;
mod kcluster;
mod own_engine;
mod process;
mod sshd;
pub mod suite;

pub use engine::{Inventory, docker};
pub use junit::{JunitTotals, junit_reader, junit_totals};
pub use kcluster::{Kcluster, Output};
pub use own_engine::OwnEngine;
pub use sshd::Sshd;

/// Specs of the smoke run, as `e2e --focus` takes them: a regular expression.
pub const SMOKE: &str = include_str!("../smoke.txt");

/// Whether a program is installed; says so when it is not.
#[must_use]
pub fn installed(test: &str, program: &str) -> bool {
    let folders = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ];
    let found = folders
        .iter()
        .any(|folder| std::path::Path::new(folder).join(program).exists());
    if !found {
        eprintln!("SKIPPED {test}: {program} is not installed");
    }
    found
}

/// Whether tests with real clusters are to run; says so when not.
#[must_use]
pub fn real_clusters(test: &str) -> bool {
    let wanted = std::env::var("KCLUSTER_TESTS").is_ok_and(|tests| tests == "all");
    if !wanted {
        eprintln!("SKIPPED {test}: needs an engine and a node image; `cargo xtask test` runs it");
    }
    wanted
}
