//! Our own figures, from the commands that users run.

use std::time::Duration;

use kcluster_cluster::engine::{Engine, EngineInfo};
use kcluster_cluster::{ROLE, list, of_cluster};
use kcluster_matrix::{Arch, ClusterName, EventKind, Role, Sink, Step};
use kcluster_reports::bench::{Bench, Row, Topic};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::rows::{self, LARGE};
use super::{Plan, available, child, memory};
use crate::config::variable_of_state_dir;
use crate::context::Context;
use crate::error::Told;
use crate::output::{Record, events_file};

/// The cluster that is booted and removed again and again.
const NAME: &str = "kcluster-bench";
/// Its snapshot.
const SNAPSHOT: &str = "bench";
/// Programs that take less are summed up.
const WORTH_A_LINE: f64 = 4.0 * 1_048_576.0;

struct Own<'a> {
    context: &'a Context,
    /// State of its own: what is known of the user's clusters is not touched.
    state: TempDir,
}

/// Boots clusters and takes their figures.
pub(super) async fn measure(
    context: &Context,
    engine: &dyn Engine,
    info: &EngineInfo,
    plan: &Plan,
    bench: &mut Bench,
) -> anyhow::Result<()> {
    let name: ClusterName = NAME.parse()?;
    let clusters = list(engine).await?;
    if clusters.iter().any(|cluster| cluster.name == name) {
        return Err(Told::input(format!("there is a cluster `{NAME}` already"))
            .help(format!("`cargo kcluster down --name {NAME}` removes it"))
            .into());
    }
    let own = Own {
        context,
        state: TempDir::with_prefix("kcluster-bench-")?,
    };
    let result = own.every_run(engine, info, plan, bench).await;
    // What a failure or a signal left must not stay, and is worth less than what failed.
    let unhurried = CancellationToken::new();
    let removed = own.run_until(&unhurried, &["down", "--name", NAME]).await;
    let snapshot = ["snapshot", "remove", "--name", NAME, SNAPSHOT];
    let _ = own.run_until(&unhurried, &snapshot).await;
    result.and(removed.map(drop))
}

impl Own<'_> {
    async fn every_run(
        &self,
        engine: &dyn Engine,
        info: &EngineInfo,
        plan: &Plan,
        bench: &mut Bench,
    ) -> anyhow::Result<()> {
        for run in 1..=plan.runs {
            if plan.boots() {
                self.all_shapes(engine, info, plan, bench, run).await?;
            }
        }
        if plan.has(Topic::Emulated) {
            for arch in plan.beside(info.arch) {
                self.emulated(arch, plan, bench).await?;
            }
        }
        Ok(())
    }

    /// Clusters of another architecture, cold and from a snapshot.
    async fn emulated(&self, arch: Arch, plan: &Plan, bench: &mut Bench) -> anyhow::Result<()> {
        let cold = rows::emulated(arch, "cold", 60.0);
        let restored = rows::emulated(arch, "from a snapshot", 30.0);
        // The image is no part of a boot.
        self.run(&["images", "build", "--arch", arch.as_str()])
            .await?;
        for run in 1..=plan.runs {
            let took = self.up(rows::EMULATED, &["--arch", arch.as_str()]).await?;
            bench.take(cold.clone(), took.as_secs_f64());
            self.run(&["snapshot", "save", "--name", NAME, SNAPSHOT])
                .await?;
            self.run(&["down", "--name", NAME]).await?;
            let again = self.restore().await?;
            bench.take(restored.clone(), again.as_secs_f64());
            self.context.hub.note(&format_args!(
                "run {run} of {}: 1+{} of {arch} all Ready after {:.1} s, from a snapshot after {:.1} s",
                plan.runs,
                rows::EMULATED,
                took.as_secs_f64(),
                again.as_secs_f64()
            ));
        }
        Ok(())
    }

    async fn all_shapes(
        &self,
        engine: &dyn Engine,
        info: &EngineInfo,
        plan: &Plan,
        bench: &mut Bench,
        run: u8,
    ) -> anyhow::Result<()> {
        for workers in rows::SHAPES {
            // Nothing else is measured on the smallest.
            if workers == 0 && !plan.has(Topic::Boot) && !plan.has(Topic::Memory) {
                continue;
            }
            let before = if plan.has(Topic::Memory) && info.local {
                Some(available().await?)
            } else {
                None
            };
            let took = self.up(workers, &[]).await?;
            self.context.hub.note(&format_args!(
                "run {run} of {}: 1+{workers} all Ready after {:.1} s",
                plan.runs,
                took.as_secs_f64()
            ));
            if plan.has(Topic::Boot) {
                bench.take(rows::cold(workers), took.as_secs_f64());
            }
            if plan.settles() {
                self.settle(plan.settle).await?;
            }
            match before {
                Some(before) => bench.take(rows::memory(workers), before - available().await?),
                None if plan.has(Topic::Memory) => {
                    let reason = "the engine is on another machine, whose memory is not to be read from here";
                    bench.skip(rows::memory(workers), reason);
                }
                None => {}
            }
            if workers == LARGE {
                self.look_inside(engine, plan, bench).await?;
            }
            if workers == LARGE && plan.has(Topic::Boot) {
                self.come_back(bench).await?;
            } else {
                self.run(&["down", "--name", NAME]).await?;
            }
        }
        Ok(())
    }

    /// Figures of the nodes of the cluster that runs.
    async fn look_inside(
        &self,
        engine: &dyn Engine,
        plan: &Plan,
        bench: &mut Bench,
    ) -> anyhow::Result<()> {
        if plan.has(Topic::Boot) {
            for seconds in self.joins() {
                bench.take(rows::joined(), seconds);
            }
        }
        let mut programs = std::collections::BTreeMap::new();
        for node in engine.nodes(&of_cluster(&NAME.parse()?)).await? {
            if plan.has(Topic::Disk) {
                let disk = engine.node_disk(&node.name).await?;
                let worker =
                    node.labels.get(ROLE).map(String::as_str) == Some(Role::Worker.as_str());
                let row = if worker {
                    rows::worker_disk()
                } else {
                    rows::control_plane_disk()
                };
                bench.take(row, (disk.container + disk.volumes) as f64);
            }
            if plan.has(Topic::Memory) {
                let printed = engine.exec(&node.name, memory::processes(), None).await?;
                for (program, bytes) in memory::by_program(&printed.stdout) {
                    *programs.entry(program).or_insert(0.0) += bytes;
                }
            }
        }
        let mut rest = 0.0;
        for (program, bytes) in programs {
            if bytes < WORTH_A_LINE {
                rest += bytes;
            } else {
                bench.take(rows::memory_of(&program), bytes);
            }
        }
        if plan.has(Topic::Memory) {
            bench.take(rows::memory_of("all others"), rest);
        }
        Ok(())
    }

    /// Frozen and thawed, saved, removed, restored, removed.
    async fn come_back(&self, bench: &mut Bench) -> anyhow::Result<()> {
        let mut take = |row: Row, took: Duration| bench.take(row, took.as_secs_f64());
        self.run(&["suspend", "--name", NAME]).await?;
        take(
            rows::resumed(),
            self.run(&["resume", "--name", NAME, "--no-report"]).await?,
        );
        take(
            rows::saved(),
            self.run(&["snapshot", "save", "--name", NAME, SNAPSHOT])
                .await?,
        );
        take(rows::removed(), self.run(&["down", "--name", NAME]).await?);
        take(rows::restored(), self.restore().await?);
        Ok(())
    }

    /// From the snapshot, which is gone afterwards, as the cluster is.
    async fn restore(&self) -> anyhow::Result<Duration> {
        let took = self
            .run(&["snapshot", "restore", "--name", NAME, SNAPSHOT])
            .await?;
        self.run(&["down", "--name", NAME]).await?;
        self.run(&["snapshot", "remove", "--name", NAME, SNAPSHOT])
            .await?;
        Ok(took)
    }

    async fn up(&self, workers: u8, more: &[&str]) -> anyhow::Result<Duration> {
        let workers = workers.to_string();
        // A snapshot would make the next boot no cold one.
        let cold = "--auto-snapshot=false";
        let up = [
            "up", "--name", NAME, "--nodes", &workers, "--egress", "closed", cold,
        ];
        self.run(&[&up[..], more].concat()).await
    }

    /// Seconds that each worker's join took in the last boot.
    fn joins(&self) -> Vec<f64> {
        let folder = self.state.path().join("clusters").join(NAME);
        let Ok(folder) = camino::Utf8PathBuf::from_path_buf(folder) else {
            return Vec::new();
        };
        let events = Record::read(&events_file(&folder));
        let joins = events.into_iter().filter_map(|event| match event.kind {
            EventKind::StepFinished {
                step: Step::Join,
                node: Some(_),
                took,
                ..
            } => Some(took.as_secs_f64()),
            _ => None,
        });
        joins.collect()
    }

    async fn settle(&self, time: Duration) -> anyhow::Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.context.cancel.cancelled() => Err(Told::interrupted().into()),
        }
    }

    /// kcluster itself, with all of this process's settings.
    async fn run(&self, args: &[&str]) -> anyhow::Result<Duration> {
        self.run_until(&self.context.cancel, args).await
    }

    async fn run_until(
        &self,
        cancel: &CancellationToken,
        args: &[&str],
    ) -> anyhow::Result<Duration> {
        let mut command = child::kcluster(self.context, args)?;
        command.env(variable_of_state_dir(), self.state.path());
        child::timed(cancel, command, None).await
    }
}
