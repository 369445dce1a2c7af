//! `cargo xtask bench`: the product's own `bench`, whose tables go into docs/.

use anyhow::Result;

use crate::run::{check, kcluster, root};
use crate::setup;

/// Takes each figure `runs` times and writes a page of docs/: of builds, or of all else. What
/// changed since the last time is told.
pub(crate) fn run(runs: Option<u32>, builds: bool) -> Result<()> {
    setup::run()?;
    let (topic, page) = if builds {
        ("builds", "builds")
    } else {
        ("all", "benchmarks")
    };
    let last = root().join(format!("target/bench-{topic}.json"));
    let mut bench = kcluster(["bench", topic]);
    if let Some(runs) = runs {
        bench.args(["--runs", &runs.to_string()]);
    }
    bench
        .arg("--markdown")
        .arg(root().join(format!("docs/{page}.md")));
    if last.exists() {
        bench.arg("--compare").arg(&last);
    }
    bench.arg("--output").arg(&last);
    check(&mut bench).map(drop)
}
