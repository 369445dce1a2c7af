//! Waits until all nodes and all of kube-system are Ready, by watching them.

use std::collections::BTreeSet;

use futures_util::future::{Either, select, try_join};
use kcluster_matrix::{NodePlan, Role, Step};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::cni::cni;
use super::context::{Context, Plan};
use super::readiness::Readiness;
use super::watch::{self, Update, Watch};
use crate::error::{StepError, StepFailure};
use crate::flannel;

/// Returns once all is Ready. Without a CNI: once all is that can be.
pub(super) async fn ready(context: &Context<'_>, plan: &Plan) -> Result<(), StepError> {
    let state = readiness(context, &plan.nodes);
    let work = wait(context, &plan.control_plane().name, state, Some(plan));
    context.step(Step::Ready, None, work).await
}

/// The same for nodes that come back: what is told with the marks in `stale` does not count.
pub(crate) async fn ready_again(
    context: &Context<'_>,
    nodes: &[NodePlan],
    stale: BTreeSet<String>,
) -> Result<(), StepError> {
    let state = readiness(context, nodes).after(stale);
    let work = wait(context, &nodes[0].name, state, None);
    context.step(Step::Ready, None, work).await
}

fn readiness(context: &Context<'_>, nodes: &[NodePlan]) -> Readiness {
    let cni = context.spec.cell.cni;
    let names = |wanted: &dyn Fn(&NodePlan) -> bool| {
        let wanted = nodes.iter().filter(|node| wanted(node));
        wanted.map(|node| node.name.clone()).collect()
    };
    let control_planes = names(&|node| node.role == Role::ControlPlane);
    let agents = cni.is_flannel().then_some(flannel::APP);
    Readiness::new(names(&NodePlan::is_member), control_planes, cni.networked()).with_agents(agents)
}

/// Waits; the nodes of `plan` are new, and still lack their subnets.
async fn wait(
    context: &Context<'_>,
    control_plane: &str,
    mut state: Readiness,
    plan: Option<&Plan>,
) -> Result<(), StepError> {
    let nodes = Watch::new(context, control_plane, "Node", "/api/v1/nodes");
    let pods = "/api/v1/namespaces/kube-system/pods";
    let pods = Watch::new(context, control_plane, "Pod", pods);

    let registered = CancellationToken::new();
    let name_subnets = async {
        if let Some(plan) = plan.filter(|_| context.spec.cell.cni.networked()) {
            registered.cancelled().await;
            cni(context, plan).await?;
        }
        Ok(())
    };
    let (sender, mut updates) = mpsc::unbounded_channel();
    let settle = async {
        while let Some(update) = updates.recv().await {
            match update {
                Update::Begun(kind) => state.forget(kind),
                Update::Event(event) => {
                    if let Some(line) = state.take(&event) {
                        context.line(Step::Ready, None, line);
                    }
                }
            }
            if state.registered() {
                registered.cancel();
            }
            if state.missing().is_empty() {
                break;
            }
        }
        Ok(())
    };
    let follow = try_join(nodes.follow(sender.clone()), pods.follow(sender));
    let work = async {
        tokio::pin!(follow);
        let done = try_join(settle, name_subnets);
        tokio::pin!(done);
        match select(done, follow).await {
            Either::Left((result, _)) => result.map(drop),
            Either::Right((Err(error), _)) => Err(error),
            Either::Right((Ok((never, _)), _)) => match never {},
        }
    };
    let limit = context.timeouts.ready;
    let ended = tokio::select! {
        () = context.cancel.cancelled() => Some(Err(StepError::Cancelled)),
        ended = tokio::time::timeout(limit, work) => ended.ok(),
    };
    watch::stop(context, control_plane, &[&nodes, &pods]).await;
    ended.unwrap_or_else(|| Err(too_late(&state, limit.as_secs())))
}

/// Names the first node that something is missing on.
fn too_late(state: &Readiness, seconds: u64) -> StepError {
    let missing = state.missing();
    let node = missing
        .iter()
        .find_map(|text| text.strip_prefix("node ")?.split(' ').next());
    StepError::Failed(Box::new(StepFailure::new(
        Step::Ready,
        node,
        format_args!("after {seconds} s {}", missing.join(", ")),
    )))
}
