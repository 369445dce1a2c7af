//! Node programs of `tests/browser`, whose packages `cargo xtask test` installs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::run;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// Whether the packages are there; says so when they are not.
#[must_use]
pub fn node_packages(test: &str) -> bool {
    let found = folder().join("node_modules").is_dir();
    if !found {
        crate::skipped(
            test,
            "tests/browser has no node_modules; `cargo xtask test` installs them",
        );
    }
    found
}

/// What a program of the folder prints.
///
/// # Errors
/// When it fails, with what it said.
pub fn node(program: &str, args: &[&str]) -> Result<String> {
    run(Command::new("node").arg(folder().join(program)).args(args))
}
