//! `cargo xtask bench`: the product's own `bench`, whose tables go into docs/.

use anyhow::Result;

use crate::run::{check, kcluster, root};
use crate::setup;

/// Takes each figure `runs` times and writes docs/benchmarks.md; what changed since the last
/// time is told.
pub(crate) fn run(runs: u32) -> Result<()> {
    setup::run()?;
    let page = root().join("docs/benchmarks.md");
    let last = root().join("target/bench.json");
    let mut bench = kcluster(["bench", "all", "--runs", &runs.to_string()]);
    bench.arg("--markdown").arg(page);
    if last.exists() {
        bench.arg("--compare").arg(&last);
    }
    bench.arg("--output").arg(&last);
    check(&mut bench).map(drop)
}
