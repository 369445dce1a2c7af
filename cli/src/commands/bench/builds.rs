//! What node images cost to build, each from nothing.

use std::time::Duration;

use kcluster_images::host_arch;
use kcluster_matrix::{Arch, Emulation, Sink};
use kcluster_reports::bench::Bench;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use tempfile::TempDir;

use super::{Plan, child, rows};
use crate::context::Context;

/// Builds the machine's own and all others.
pub(super) async fn measure(
    context: &Context,
    plan: &Plan,
    bench: &mut Bench,
) -> anyhow::Result<()> {
    let (native, runs) = (host_arch()?, plan.runs);
    for run in 1..=runs {
        let own = build(context, native, Emulation::Native).await?;
        bench.take(rows::build(native), own.as_secs_f64());
        for arch in plan.beside(Some(native)) {
            let cost = build(context, arch, Emulation::Hybrid).await?;
            let ratio = cost.as_secs_f64() / own.as_secs_f64();
            bench.take(rows::build(arch), cost.as_secs_f64());
            bench.take(rows::build_ratio(arch, native), ratio);
            context.hub.note(&format_args!(
                "run {run} of {runs}: {arch} took {ratio:.2} of what {native} took"
            ));
        }
    }
    Ok(())
}

/// The processor time of one build. Caches are its own and empty, but for the modules that Go has fetched.
async fn build(context: &Context, arch: Arch, emulation: Emulation) -> anyhow::Result<Duration> {
    let folder = TempDir::with_prefix("kcluster-bench-")?;
    let inside = |name: &str| folder.path().join(name).display().to_string();
    let (image, cache) = (inside("image.tar"), inside("cache"));
    let args = [
        "images",
        "build",
        "--arch",
        arch.as_str(),
        "--emulation",
        emulation.as_str(),
        "--output",
        &image,
        "--cache-dir",
        &cache,
    ];
    let mut command = child::kcluster(context, &args)?;
    command.env("GOCACHE", inside("go"));
    let before = of_children()?;
    let took = child::timed(&context.cancel, command, None).await?;
    let cost = of_children()?.saturating_sub(before);
    context.hub.note(&format_args!(
        "node image of {arch}: {:.0} s of processor time in {:.0} s",
        cost.as_secs_f64(),
        took.as_secs_f64()
    ));
    Ok(cost)
}

/// Processor time of all that this process has started and that has ended, and of all that those have started.
fn of_children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let whole = u64::try_from(time.tv_sec()).unwrap_or_default();
    let rest = u64::try_from(time.tv_usec()).unwrap_or_default();
    Duration::from_secs(whole) + Duration::from_micros(rest)
}
