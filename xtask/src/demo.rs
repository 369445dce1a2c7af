//! `cargo xtask demo`: the main job from nothing, on any machine.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::run::{check, kcluster, root, status};
use crate::setup;

/// Specs of the smoke run; the tests use the same.
const SMOKE: &str = include_str!("../../tests/smoke.txt");

const NAME: &str = "demo";

/// Boots 1+1, runs the smoke, writes JUnit and leaves nothing behind.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    setup::run()?;
    let out = root().join("target/demo");
    let out_arg = out.display().to_string();
    let result = (|| {
        check(&mut kcluster([
            "up", "--name", NAME, "--nodes", "1", "--egress", "closed",
        ]))?;
        status(&mut kcluster([
            "e2e",
            "--focus",
            SMOKE,
            "--name",
            NAME,
            "--report-dir",
            &out_arg,
        ]))
    })();
    check(&mut kcluster(["down", "--name", NAME]))?;
    let (code, _) = result?;
    if code != 0 {
        bail!("the smoke run ended with exit code {code}; see {out_arg}");
    }
    eprintln!(
        "demo done in {:.0} s; JUnit in {out_arg}/junit.xml",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
