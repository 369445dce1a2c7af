//! Taking a snapshot.

use futures_util::future::{join, try_join, try_join_all};
use jiff::Timestamp;
use kcluster_matrix::{ClusterName, Outcome, Sink, Step};
use tokio::io::AsyncReadExt;

use super::{Origin, Snapshot, SnapshotError, files, remove, volume};
use crate::archive;
use crate::ask::get;
use crate::engine::{Engine, EngineError, NodeInfo, NodeState};
use crate::error::ClusterError;
use crate::labels;
use crate::mirrors;
use crate::state::{ClusterDir, Phase, StateDir};
use crate::steps::{Span, marks, var_volume};
use crate::suspend::{freeze, nodes, thaw};

/// What of a node is not on its volume: where it is, and the folder to put it back into.
const FILES: [(&str, &str); 5] = [
    ("/etc/kubernetes", "etc"),
    ("/etc/cni/net.d", "etc/cni"),
    (mirrors::MIRRORS, "etc/containerd"),
    ("/kcluster/node.json", "kcluster"),
    ("/kcluster/patches", "kcluster"),
];

/// Keeps what a running cluster holds under `name`. Its nodes stand still meanwhile.
///
/// # Errors
/// When there is no such cluster, it is not whole, the name is taken, or copying fails; then
/// nothing is kept.
pub async fn save(
    engine: &dyn Engine,
    cluster: &ClusterName,
    name: &ClusterName,
    state: &StateDir,
    sink: &dyn Sink,
) -> Result<Snapshot, SnapshotError> {
    save_as(engine, cluster, name, Origin::Saved, state, sink).await
}

pub(super) async fn save_as(
    engine: &dyn Engine,
    cluster: &ClusterName,
    name: &ClusterName,
    origin: Origin,
    state: &StateDir,
    sink: &dyn Sink,
) -> Result<Snapshot, SnapshotError> {
    let found = nodes(engine, cluster).await?;
    let dir = state.cluster(cluster);
    let _lock = dir.lock()?;
    if files::read(state, cluster, name)?.is_some() {
        let (cluster, name) = (cluster.clone(), name.clone());
        return Err(SnapshotError::Exists { cluster, name });
    }
    let mut snapshot = describe(engine, &dir, cluster, name, &found).await?;
    snapshot.origin = origin;
    // What a run that was killed left of it.
    remove(engine, state, cluster, name).await?;
    let mut span = Span::start(sink, Step::Save, None);
    let result = keep(engine, state, &mut snapshot, &found).await;
    span.outcome = match &result {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Errored {
            message: error.to_string(),
        },
    };
    drop(span);
    if let Err(error) = result {
        // What matters is why it could not be kept; `snapshot remove` finds the rest by label.
        let _ = remove(engine, state, cluster, name).await;
        return Err(error);
    }
    Ok(snapshot)
}

/// What the snapshot is of, or why there can be none.
async fn describe(
    engine: &dyn Engine,
    dir: &ClusterDir,
    cluster: &ClusterName,
    name: &ClusterName,
    found: &[NodeInfo],
) -> Result<Snapshot, SnapshotError> {
    let unfit = |reason: String| SnapshotError::Unfit {
        cluster: cluster.clone(),
        reason,
    };
    if found.iter().any(|node| node.state == NodeState::Paused) {
        let name = cluster.clone();
        return Err(ClusterError::Suspended { name }.into());
    }
    let (Some(status), Some(spec)) = (dir.status()?, dir.spec()?) else {
        let reason = "this machine's state folder does not know how it was made";
        return Err(unfit(reason.into()));
    };
    let subnet = status
        .subnet
        .filter(|_| status.phase == Phase::Ready)
        .ok_or_else(|| unfit("it is not up".into()))?;
    for node in &status.nodes {
        let runs = |other: &NodeInfo| other.name == node.name && other.state == NodeState::Running;
        if !found.iter().any(runs) {
            return Err(unfit(format!("node {} does not run", node.name)));
        }
    }
    let image = engine
        .image(&spec.image)
        .await?
        .ok_or_else(|| unfit(format!("the engine has its image `{}` no more", spec.image)))?;
    Ok(Snapshot {
        name: name.clone(),
        origin: Origin::Saved,
        made: Timestamp::now(),
        engine: status.engine,
        image: image.id,
        spec,
        subnet,
        nodes: status.nodes,
        stale: std::collections::BTreeSet::new(),
    })
}

async fn keep(
    engine: &dyn Engine,
    state: &StateDir,
    snapshot: &mut Snapshot,
    found: &[NodeInfo],
) -> Result<(), SnapshotError> {
    let cluster = snapshot.spec.name.clone();
    let own = labels::for_snapshot(&cluster, &snapshot.name);
    let pairs: Vec<(String, String)> = snapshot
        .nodes
        .iter()
        .map(|node| {
            let to = volume(&cluster, &snapshot.name, &node.name);
            (var_volume(&node.name), to)
        })
        .collect();
    let control_plane = &snapshot.nodes[0].name;
    let made = try_join_all(pairs.iter().map(async |(_, to)| {
        engine
            .create_volume(to, &own)
            .await
            .map_err(SnapshotError::from)
    }));
    let lists = async {
        let (nodes, pods) = try_join(
            get(engine, control_plane, "/api/v1/nodes"),
            get(engine, control_plane, "/api/v1/pods"),
        )
        .await?;
        Ok([nodes, pods])
    };
    let (_, lists) = try_join(made, lists).await?;
    let items = lists.iter().filter_map(|list| list["items"].as_array());
    snapshot.stale = items.flatten().flat_map(marks).collect();

    // Whatever happens, the nodes go on.
    freeze(engine, found).await?;
    let copies = async {
        let labels = labels::for_cluster(&snapshot.spec);
        let copied = engine.copy_volumes(&snapshot.spec.image, &pairs, &labels);
        copied.await.map_err(SnapshotError::from)
    };
    let archives = async {
        let archives = snapshot.nodes.iter().map(async |node| {
            let archive = collect(engine, &node.name).await?;
            Ok::<_, SnapshotError>((node.name.clone(), archive))
        });
        try_join_all(archives).await
    };
    let (copied, archives) = join(copies, archives).await;
    thaw(engine, found).await?;
    copied?;
    files::write(state, snapshot, &archives?)?;
    Ok(())
}

/// The files of a node that are not on its volume, as one archive.
async fn collect(engine: &dyn Engine, node: &str) -> Result<Vec<u8>, SnapshotError> {
    let broken = |error: std::io::Error| EngineError::Failed {
        operation: format!("copy files out of node `{node}`"),
        reason: error.to_string(),
    };
    let mut builder = tar::Builder::new(Vec::new());
    for (path, folder) in FILES {
        let mut content = Vec::new();
        match engine.copy_out(node, path).await {
            // Not every node has all of them.
            Err(EngineError::Missing { .. }) => continue,
            other => other?.read_to_end(&mut content).await.map_err(broken)?,
        };
        archive::moved(&content, folder, &mut builder).map_err(broken)?;
    }
    Ok(builder.into_inner().map_err(broken)?)
}
