//! All nodes of a cluster frozen together, and let go on together.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join, join_all, join3, try_join3};
use kcluster_matrix::impact::Impact;
use kcluster_matrix::{ClusterName, Outcome, Sink, Step};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::ask::{api_answers, ask, get, raw};
use crate::connections::{self, Connection};
use crate::engine::{Engine, NodeInfo, NodeState, OutputLine, Stream};
use crate::error::ClusterError;
use crate::impact::{Before, Fold};
use crate::list::list;
use crate::state::{Phase, StateDir};
use crate::steps::Span;

const PODS: &str = "/api/v1/pods";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
const PROBES: &str = "/api/v1/events?fieldSelector=reason%3DUnhealthy";

/// What came of resuming.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Resumed {
    /// Seconds until all nodes went on and the API server answered.
    pub seconds: f64,
    /// What it did to pods and nodes; none if nothing is known of the time before.
    pub impact: Option<Impact>,
}

/// Freezes every node of a cluster. False if they were frozen before.
///
/// # Errors
/// When there is no such cluster, or a node does not run or cannot be frozen; then none is.
pub async fn suspend(
    engine: &dyn Engine,
    name: &ClusterName,
    state: &StateDir,
    sink: &dyn Sink,
) -> Result<bool, ClusterError> {
    let nodes = nodes(engine, name).await?;
    let dir = state.cluster(name);
    let _lock = dir.lock()?;
    if nodes.iter().all(|node| node.state == NodeState::Paused) {
        return Ok(false);
    }
    let control_plane = &nodes[0].name;
    let connections = nodes
        .iter()
        .map(|node| open_connections(engine, &node.name));
    let lists = try_join3(
        get(engine, control_plane, PODS),
        get(engine, control_plane, LEASES),
        get(engine, control_plane, PROBES),
    );
    // A cluster that is not well can be frozen too; there is only less to tell of it then.
    let before = match join(lists, join_all(connections)).await {
        (Ok((pods, leases, probes)), connections) => {
            let open = connections.into_iter().flatten().flatten();
            Before::new(&pods, &leases, &probes, open.collect())
        }
        (Err(error), _) => {
            sink.warn(&format_args!(
                "`resume` will not tell what the pause did to pods, since nothing is known of the time before it: {error}"
            ));
            Before::default()
        }
    };
    dir.write_before(&before)?;
    let status = dir.status()?;
    if let Some(mut status) = status.clone() {
        status.phase = Phase::Suspended;
        dir.write_status(&status)?;
    }
    let frozen = freeze(engine, &nodes).await;
    if let (Err(_), Some(status)) = (&frozen, status) {
        dir.write_status(&status)?;
    }
    frozen.map(|()| true)
}

/// Lets a cluster's nodes go on, and tells what the pause did to it, as far as it shows
/// within `observe`. None if nothing was frozen.
///
/// # Errors
/// When there is no such cluster, a node cannot go on, or the API server does not answer.
pub async fn resume(
    engine: &dyn Engine,
    name: &ClusterName,
    state: &StateDir,
    observe: Duration,
    sink: &dyn Sink,
) -> Result<Option<Resumed>, ClusterError> {
    let nodes = nodes(engine, name).await?;
    let dir = state.cluster(name);
    let _lock = dir.lock()?;
    let status = dir.status()?;
    let recorded = status
        .as_ref()
        .is_some_and(|status| status.phase == Phase::Suspended);
    if !recorded && nodes.iter().all(|node| node.state != NodeState::Paused) {
        return Ok(None);
    }
    let began = Instant::now();
    let mut span = Span::start(sink, Step::Resume, None);
    let work = async {
        thaw(engine, &nodes).await?;
        api_answers(engine, &nodes[0].name).await
    };
    let result = work.await;
    span.outcome = match &result {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Errored {
            message: error.to_string(),
        },
    };
    drop(span);
    result?;
    let seconds = began.elapsed().as_secs_f64();
    if let Some(mut status) = status.filter(|status| status.phase == Phase::Suspended) {
        status.phase = Phase::Ready;
        dir.write_status(&status)?;
    }
    let before = dir.before()?.filter(|_| !observe.is_zero());
    let impact = match before.filter(|before| *before != Before::default()) {
        Some(before) => Some(watch(engine, &nodes, before, began, observe).await),
        None => None,
    };
    Ok(Some(Resumed { seconds, impact }))
}

/// The nodes of a cluster, the control plane first.
pub(crate) async fn nodes(
    engine: &dyn Engine,
    name: &ClusterName,
) -> Result<Vec<NodeInfo>, ClusterError> {
    let clusters = list(engine).await?;
    let found = clusters
        .into_iter()
        .find(|cluster| cluster.name == *name && !cluster.nodes.is_empty());
    found
        .map(|cluster| cluster.nodes)
        .ok_or_else(|| ClusterError::Missing { name: name.clone() })
}

/// Freezes all nodes at once, or none.
pub(crate) async fn freeze(engine: &dyn Engine, nodes: &[NodeInfo]) -> Result<(), ClusterError> {
    let frozen = join_all(nodes.iter().map(|node| engine.pause_node(&node.name))).await;
    match frozen.into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(error) => {
            // What matters is why it could not be frozen.
            let _ = thaw(engine, nodes).await;
            Err(error.into())
        }
    }
}

/// Lets all nodes go on at once.
pub(crate) async fn thaw(engine: &dyn Engine, nodes: &[NodeInfo]) -> Result<(), ClusterError> {
    let frozen = nodes.iter().filter(|node| node.state != NodeState::Exited);
    let thawed = join_all(frozen.map(|node| engine.unpause_node(&node.name))).await;
    let failures: Vec<String> = thawed
        .into_iter()
        .filter_map(|result| result.err().map(|error| error.to_string()))
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(ClusterError::Frozen { failures })
    }
}

/// The connections that pods of a node have, if it tells.
async fn open_connections(engine: &dyn Engine, node: &str) -> Option<BTreeSet<Connection>> {
    let printed = ask(engine, node, connections::listing()).await.ok()?;
    Some(connections::parse(node, &printed))
}

/// Follows pods, leases and failed probes until `observe` after the nodes went on, and looks at
/// connections then: one whose other end went is noticed when something is sent.
async fn watch(
    engine: &dyn Engine,
    nodes: &[NodeInfo],
    before: Before,
    began: Instant,
    observe: Duration,
) -> Impact {
    let mut fold = Fold::new(before);
    let (sender, mut lines) = mpsc::unbounded_channel::<OutputLine>();
    // The server ends each watch, so no process is left in the node.
    let seconds = observe.as_secs().max(1);
    let follow = async |path: &str, sender: mpsc::UnboundedSender<OutputLine>| {
        let join = if path.contains('?') { '&' } else { '?' };
        let spec = raw(&format!("{path}{join}watch=true&timeoutSeconds={seconds}"));
        engine.exec(&nodes[0].name, spec, Some(sender)).await
    };
    let watches = join3(
        follow(PODS, sender.clone()),
        follow(LEASES, sender.clone()),
        follow(PROBES, sender),
    );
    let watches = tokio::time::timeout(observe + Duration::from_secs(5), watches);
    tokio::pin!(watches);
    let mut take = |line: OutputLine| {
        if line.stream == Stream::Out
            && let Ok(event) = serde_json::from_str(&line.text)
        {
            fold.take(began.elapsed(), &event);
        }
    };
    loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => take(line),
            _ = &mut watches => break,
        }
    }
    while let Ok(line) = lines.try_recv() {
        take(line);
    }
    let ask = async |node: &NodeInfo| {
        (
            node.name.clone(),
            open_connections(engine, &node.name).await,
        )
    };
    for (node, now) in join_all(nodes.iter().map(ask)).await {
        if let Some(now) = now {
            fold.connections(&node, now);
        }
    }
    fold.impact()
}
