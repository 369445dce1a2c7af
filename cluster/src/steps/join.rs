//! `kubeadm join` on every other node, at the same time, while init still ends.
//!
//! etcd takes one new member at a time; kubeadm asks again until it is taken.

use futures_util::future::try_join_all;
use kcluster_matrix::{NodePlan, Step};
use tokio_util::sync::CancellationToken;

use super::context::{Context, Plan};
use crate::engine::ExecSpec;
use crate::error::StepError;
use crate::kubeadm;

/// Joins all of them once `joinable` is set.
pub(super) async fn join(
    context: &Context<'_>,
    plan: &Plan,
    joinable: &CancellationToken,
) -> Result<(), StepError> {
    let workers: Vec<&NodePlan> = plan.joining().collect();
    try_join_all(workers.iter().map(|worker| {
        context.wait_for(
            Step::Join,
            &worker.name,
            "containerd",
            context.timeouts.containerd,
        )
    }))
    .await?;
    // An attempt that comes too early would be repeated only after five seconds.
    joinable.cancelled().await;
    if workers.is_empty() {
        return Ok(());
    }
    let all = try_join_all(workers.iter().map(|worker| {
        let work = async {
            let spec = ExecSpec::new([
                "kubeadm",
                "join",
                "--config",
                kubeadm::CONFIG,
                "--skip-phases=preflight",
            ]);
            context
                .run(
                    Step::Join,
                    &worker.name,
                    spec,
                    context.timeouts.kubeadm,
                    |_| {},
                )
                .await
        };
        context.step(Step::Join, Some(&worker.name), work)
    }));
    context
        .step(Step::Join, None, async { all.await.map(drop) })
        .await
}
