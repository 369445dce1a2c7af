//! Which clusters an engine has.

use std::collections::BTreeMap;

use kcluster_matrix::ClusterName;

use crate::engine::{Engine, EngineError, Labels, NodeInfo};
use crate::labels;

/// A cluster as the engine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterInfo {
    /// Its name.
    pub name: ClusterName,
    /// Its cell's id, as labelled.
    pub cell: String,
    /// Its nodes, the control plane first.
    pub nodes: Vec<NodeInfo>,
}

/// All clusters, whole or not, by name. One of which only a network or a volume is left
/// has no nodes.
///
/// # Errors
/// When the engine does not answer.
pub async fn list(engine: &dyn Engine) -> Result<Vec<ClusterInfo>, EngineError> {
    let all = labels::of_all();
    let mut found: BTreeMap<ClusterName, ClusterInfo> = BTreeMap::new();
    let mut add = |own: &Labels, node: Option<NodeInfo>| {
        let name = own.get(labels::CLUSTER).and_then(|name| name.parse().ok());
        let Some(name) = name else { return };
        let entry = found.entry(name).or_insert_with_key(|name| ClusterInfo {
            name: name.clone(),
            cell: own.get(labels::CELL).cloned().unwrap_or_default(),
            nodes: Vec::new(),
        });
        entry.nodes.extend(node);
    };
    for node in engine.nodes(&all).await? {
        add(&node.labels.clone(), Some(node));
    }
    for network in engine.networks(&all).await? {
        add(&network.labels, None);
    }
    for volume in engine.volumes(&all).await? {
        add(&volume.labels, None);
    }
    let mut clusters: Vec<ClusterInfo> = found.into_values().collect();
    for cluster in &mut clusters {
        // Shorter numbers first, so that worker-10 comes after worker-9.
        cluster.nodes.sort_by_key(|node| {
            (
                node.labels.get(labels::ROLE).cloned(),
                node.name.len(),
                node.name.clone(),
            )
        });
    }
    Ok(clusters)
}
