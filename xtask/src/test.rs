//! `cargo xtask test`: what CI runs, from a bare machine to the last verdict.

use std::time::Instant;

use anyhow::Result;

use crate::run::{cargo, check};
use crate::{setup, tools};

/// Everything, cheapest first, so that a mistake is told early.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    check(cargo().args(["fmt", "--all", "--check"]))?;
    check(cargo().args([
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    check(
        cargo()
            .args(["doc", "--locked", "--workspace", "--no-deps", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    setup::run()?;
    tools::install()?;
    check(cargo().args([
        "test",
        "--locked",
        "--workspace",
        "--exclude",
        "kcluster-tests",
    ]))?;
    // The ones that need the real ginkgo.
    check(
        cargo()
            .args(["test", "--locked", "--package", "kcluster-e2e", "--lib"])
            .args(["--", "--ignored"])
            .env("KCLUSTER_E2E_TOOLS", tools::ginkgo_folder()?),
    )?;
    // Clusters share two cores: one test at a time. All of them, so that one run tells all that fails.
    check(
        cargo()
            .args([
                "test",
                "--locked",
                "--no-fail-fast",
                "--package",
                "kcluster-tests",
                "--",
                "--test-threads=1",
                "--nocapture",
            ])
            .env("KCLUSTER_TESTS", "all"),
    )?;
    eprintln!("all tests passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
