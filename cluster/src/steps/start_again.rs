//! Nodes that are whole and do not run, as after the engine or its host went down: they are
//! started, and everything on them comes back by itself.

use std::collections::BTreeSet;

use futures_util::future::{try_join, try_join_all};
use jiff::Timestamp;
use kcluster_matrix::{NodePlan, Role, Step};
use serde_json::Value;

use super::alive;
use super::context::Context;
use super::kubeconfig::kubeconfig;
use super::nodes::start;
use super::readiness::older_marks;
use super::ready::ready_again;
use crate::ask::get;
use crate::error::StepError;

/// Lines of a node's story to look for its last start in; it tells about twenty a start.
const STORY: usize = 500;

/// Starts those of `nodes` that are in `down`, and waits until all is Ready; what comes back
/// is the API server's URL, whose port the engine may have chosen anew.
pub(crate) async fn start_again(
    context: &Context<'_>,
    nodes: &[NodePlan],
    down: &BTreeSet<String>,
) -> Result<String, StepError> {
    context
        .step(Step::Nodes, None, begin(context, nodes, down))
        .await?;
    let work = async {
        let stale = stale(context, nodes, down).await?;
        let ready = ready_again(context, nodes, stale);
        let name = &nodes[0].name;
        try_join(ready, kubeconfig(context, name)).await
    };
    tokio::select! {
        done = work => done.map(|((), server)| server),
        error = alive::until_one_ends(context, nodes) => Err(error),
    }
}

/// Control planes first, and workers once there is an API server: kubelets that begin before
/// wait for their next try, and take its processors until then.
async fn begin(
    context: &Context<'_>,
    nodes: &[NodePlan],
    down: &BTreeSet<String>,
) -> Result<(), StepError> {
    context.check_cancel()?;
    let lies = |node: &&NodePlan| down.contains(&node.name);
    let (workers, first): (Vec<&NodePlan>, Vec<&NodePlan>) = nodes
        .iter()
        .filter(lies)
        .partition(|node| node.role == Role::Worker);
    try_join_all(first.into_iter().map(|node| start(context, node))).await?;
    let limit = context.timeouts.kubeadm;
    context
        .wait_for(Step::Nodes, &nodes[0].name, "apiserver", limit)
        .await?;
    try_join_all(workers.into_iter().map(|node| start(context, node)))
        .await
        .map(drop)
}

/// What the API still tells of the life before on the nodes in `down`.
async fn stale(
    context: &Context<'_>,
    nodes: &[NodePlan],
    down: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StepError> {
    let control_plane = &nodes[0].name;
    let fail =
        |error: &dyn std::fmt::Display| StepError::failed(Step::Ready, Some(control_plane), error);
    let mut stale = BTreeSet::new();
    for name in down {
        let since = started(context, name).await?;
        for path in ["/api/v1/nodes", "/api/v1/pods"] {
            let list = get(context.engine, control_plane, path)
                .await
                .map_err(|error| fail(&error))?;
            let items = list["items"].as_array().into_iter().flatten();
            let on_it = |object: &&Value| {
                object["spec"]["nodeName"] == *name || object["metadata"]["name"] == *name
            };
            stale.extend(
                items
                    .filter(on_it)
                    .flat_map(|object| older_marks(object, since)),
            );
        }
    }
    Ok(stale)
}

/// When the node's first process was started, by the clock that its kubelet goes by.
async fn started(context: &Context<'_>, node: &str) -> Result<Timestamp, StepError> {
    let fail = |reason: &dyn std::fmt::Display| StepError::failed(Step::Ready, Some(node), reason);
    let story = context
        .engine
        .node_logs(node, STORY)
        .await
        .map_err(|error| fail(&error))?;
    last_start(&story).ok_or_else(|| fail(&"its first process does not say when it started"))
}

/// The last start in what a node's first process printed: JSON lines.
fn last_start(story: &str) -> Option<Timestamp> {
    story.lines().rev().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let started = (event["event"] == "start").then(|| event["time"].as_str())?;
        started?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_lives_counts() {
        let story = r#"{"time":"2026-11-21T04:00:00.100Z","event":"start"}
{"time":"2026-11-21T04:00:01.100Z","event":"step"}
{"time":"2026-11-21T05:00:00.100Z","event":"start"}
no JSON
{"time":"2026-11-21T05:00:01.100Z","event":"up"}
"#;
        let started = last_start(story).unwrap();
        assert_eq!(started.to_string(), "2026-11-21T05:00:00.1Z");
        assert_eq!(last_start("\n{}"), None);
    }
}
