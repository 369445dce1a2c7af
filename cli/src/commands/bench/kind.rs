//! The same figures of kind, where it and an image for it are there.

use std::path::{Path, PathBuf};
use std::time::Instant;

use kcluster_cluster::engine::{Engine, EngineInfo, ExecSpec, Labels};
use kcluster_matrix::Sink;
use kcluster_reports::bench::{Bench, Maker, Row, Topic};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::rows::{self, LARGE};
use super::{Plan, available, child};
use crate::context::Context;
use crate::engine;
use crate::error::Told;

const NAME: &str = "kcluster-bench";
const REPOSITORY: &str = "kindest/node:";
/// What kind itself puts on its nodes.
const LABEL: &str = "io.x-k8s.kind.cluster";
const ROLE: &str = "io.x-k8s.kind.role";

pub(super) struct Kind {
    program: PathBuf,
    image: String,
    image_size: u64,
    endpoint: String,
}

/// kind and its image, or why there is nothing to compare with.
pub(super) async fn find(
    context: &Context,
    engine: &dyn Engine,
) -> anyhow::Result<Result<Kind, String>> {
    let path = context.host.variable("PATH").unwrap_or_default();
    let mut programs = path.split(':').map(|folder| Path::new(folder).join("kind"));
    let Some(program) = programs.find(|program| program.is_file()) else {
        return Ok(Err("kind is not installed".to_owned()));
    };
    let images = engine.images(&Labels::new()).await?;
    let found = images.into_iter().find_map(|image| {
        let of_kind = |reference: &&String| reference.starts_with(REPOSITORY);
        let reference = image.references.iter().find(of_kind)?.clone();
        Some((reference, image.size))
    });
    let Some((image, image_size)) = found else {
        return Ok(Err("the engine has no image kindest/node".to_owned()));
    };
    Ok(Ok(Kind {
        program,
        image,
        image_size,
        endpoint: engine::endpoint(&context.settings)?.to_string(),
    }))
}

impl Kind {
    pub(super) async fn measure(
        &self,
        context: &Context,
        engine: &dyn Engine,
        info: &EngineInfo,
        plan: &Plan,
        bench: &mut Bench,
    ) -> anyhow::Result<()> {
        let mut take = |row: Row, sample: f64| {
            let row = Row { limit: None, ..row };
            bench.take(rows::of(row, Maker::Kind), sample);
        };
        if plan.has(Topic::Images) {
            take(rows::image(), self.image_size as f64);
        }
        if !plan.boots() {
            return Ok(());
        }
        let mut result = Ok(());
        for run in 1..=plan.runs {
            result = self
                .all_shapes(context, engine, info, plan, &mut take, run)
                .await;
            if result.is_err() {
                // What failed is worth more than that its remains cannot be removed.
                let _ = self.delete(&CancellationToken::new()).await;
                break;
            }
        }
        result
    }

    async fn all_shapes(
        &self,
        context: &Context,
        engine: &dyn Engine,
        info: &EngineInfo,
        plan: &Plan,
        take: &mut impl FnMut(Row, f64),
        run: u8,
    ) -> anyhow::Result<()> {
        for workers in rows::SHAPES_OF_PEERS {
            let before = if plan.has(Topic::Memory) && info.local {
                Some(available().await?)
            } else {
                None
            };
            let began = Instant::now();
            self.create(context, workers).await?;
            self.ready(engine).await?;
            let took = began.elapsed().as_secs_f64();
            context.hub.note(&format_args!(
                "run {run} of {}: kind's 1+{workers} all Ready after {took:.1} s",
                plan.runs
            ));
            if plan.has(Topic::Boot) {
                take(rows::cold(workers), took);
            }
            if plan.settles() {
                tokio::time::sleep(plan.settle).await;
            }
            if let Some(before) = before {
                take(rows::memory(workers), before - available().await?);
            }
            if workers == LARGE && plan.has(Topic::Disk) {
                let labels = Labels::from([(LABEL.to_owned(), NAME.to_owned())]);
                for node in engine.nodes(&labels).await? {
                    let disk = engine.node_disk(&node.name).await?;
                    let worker = node.labels.get(ROLE).is_some_and(|role| role == "worker");
                    let row = if worker {
                        rows::worker_disk()
                    } else {
                        rows::control_plane_disk()
                    };
                    take(row, (disk.container + disk.volumes) as f64);
                }
            }
            let took = self.delete(&context.cancel).await?;
            if workers == LARGE && plan.has(Topic::Boot) {
                take(rows::removed(), took);
            }
        }
        Ok(())
    }

    async fn create(&self, context: &Context, workers: u8) -> anyhow::Result<()> {
        let mut nodes = vec![serde_json::json!({ "role": "control-plane" })];
        nodes.extend((0..workers).map(|_| serde_json::json!({ "role": "worker" })));
        let config = serde_json::json!({
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "nodes": nodes,
        });
        let mut command = self.command();
        // Its kubeconfig is of no use to anybody.
        let args = ["create", "cluster", "--name", NAME, "--image", &self.image];
        command
            .args(args)
            .args(["--config", "-", "--kubeconfig", "/dev/null"]);
        child::timed(&context.cancel, command, Some(&config.to_string())).await?;
        Ok(())
    }

    /// Waits until all nodes and all of kube-system are Ready, as a boot of ours does.
    async fn ready(&self, engine: &dyn Engine) -> anyhow::Result<()> {
        let node = format!("{NAME}-control-plane");
        let wait = "kubectl --kubeconfig /etc/kubernetes/admin.conf wait --for=condition=Ready --timeout=300s --all";
        let script = format!("{wait} nodes && {wait} pods --namespace kube-system");
        let output = engine
            .exec(&node, ExecSpec::new(["sh", "-c", &script]), None)
            .await?;
        if output.code != 0 {
            let said = output.stderr;
            return Err(Told::cluster(format!("kind's cluster is not Ready: {said}")).into());
        }
        Ok(())
    }

    async fn delete(&self, cancel: &CancellationToken) -> anyhow::Result<f64> {
        let mut command = self.command();
        command.args([
            "delete",
            "cluster",
            "--name",
            NAME,
            "--kubeconfig",
            "/dev/null",
        ]);
        let took = child::timed(cancel, command, None).await?;
        Ok(took.as_secs_f64())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("DOCKER_HOST", &self.endpoint);
        command
    }
}
