//! Notices when a node ends while others wait for it.

use std::time::Duration;

use kcluster_matrix::{NodePlan, Step};

use super::context::Context;
use crate::engine::NodeState;
use crate::error::StepError;
use crate::labels;

/// A dead node shows late or never in what the API tells, and an engine has no verb to
/// wait for several containers: it is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Returns only when a node does not run any more, or the engine is gone.
pub(super) async fn until_one_ends(context: &Context<'_>, nodes: &[NodePlan]) -> StepError {
    let own = labels::of_cluster(&context.spec.name);
    loop {
        tokio::time::sleep(EVERY).await;
        let running = match context.engine.nodes(&own).await {
            Ok(nodes) => nodes,
            Err(error) => return StepError::failed(Step::Nodes, None, error),
        };
        for node in nodes {
            let state = running
                .iter()
                .find(|other| other.name == node.name)
                .map(|node| node.state);
            let reason = match state {
                Some(NodeState::Running) => continue,
                Some(_) => "it ended while the cluster was being made",
                None => "somebody removed it while the cluster was being made",
            };
            return StepError::failed(Step::Nodes, Some(&node.name), reason);
        }
    }
}
