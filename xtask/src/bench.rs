//! `cargo xtask bench`: boots measured on this machine, as a table in docs/.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use jiff::Zoned;

use crate::run::{check, kcluster, root};
use crate::setup;

/// Boots each shape `runs` times and writes medians and spread.
pub(crate) fn run(runs: u32) -> Result<()> {
    setup::run()?;
    let mut rows = String::new();
    for workers in ["0", "1", "3"] {
        let mut seconds = Vec::new();
        for _ in 0..runs.max(1) {
            let up = check(&mut kcluster([
                "up", "--name", "bench", "--nodes", workers, "--egress", "closed",
            ]));
            check(&mut kcluster(["down", "--name", "bench"]))?;
            seconds.push(up?.as_secs_f64());
        }
        seconds.sort_by(f64::total_cmp);
        let at = |share: usize| seconds.get((seconds.len() - 1) * share / 2).copied();
        let (least, median, most) = (at(0), at(1), at(2));
        writeln!(
            rows,
            "| boot 1+{workers}, all of kube-system Ready | {:.1} s | {:.1} to {:.1} s | {runs} |",
            median.context("no run")?,
            least.context("no run")?,
            most.context("no run")?,
        )?;
    }
    let cpus = std::thread::available_parallelism()?;
    let date = Zoned::now().strftime("%Y-%m-%d").to_string();
    let text = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench` on {date}, {cpus} processors, images present. The time is that of \
the whole `cargo kcluster up` process.\n\n| what | median | spread | runs |\n|---|---|---|---|\n{rows}"
    );
    fs_err::write(root().join("docs/benchmarks.md"), text)?;
    Ok(())
}
