//! `kubeadm join` on every worker, at the same time, while init still ends.

use futures_util::future::try_join_all;
use kcluster_matrix::Step;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Plan};
use crate::engine::ExecSpec;
use crate::error::StepError;
use crate::kubeadm;

/// Joins all workers once `joinable` is set.
pub(super) async fn join(
    context: &Context<'_>,
    plan: &Plan,
    joinable: &CancellationToken,
) -> Result<(), StepError> {
    let workers = plan.workers();
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
