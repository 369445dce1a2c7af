//! Snapshots: what the nodes of a cluster hold, kept beside the cluster to start from again.
//!
//! A node's `/var` is copied inside the engine, volume to volume, while all nodes are frozen
//! at once: to etcd and all others it looks as if they had been killed at that moment. The few
//! files that kubeadm wrote elsewhere are kept in the state folder, with what tells whether
//! a snapshot fits. Restoring makes nodes with the same names and addresses, so that nothing
//! has to be initialised or joined.

mod automatic;
mod bundle;
mod error;
mod export;
mod files;
mod import;
mod reasons;
mod restore;
mod save;

use std::collections::BTreeSet;

use fs_err as fs;
use ipnet::Ipv4Net;
use jiff::Timestamp;
use kcluster_matrix::{ClusterName, ClusterSpec, NodePlan};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::labels;
use crate::state::{StateDir, StateError};

pub use automatic::{keep, start};
pub use error::SnapshotError;
pub use export::export;
pub use import::import;
pub use restore::restore;
pub use save::save;

/// How a snapshot came to be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A user saved it.
    #[default]
    Saved,
    /// Taken after a first boot.
    Automatic,
    /// It came from a file.
    Imported,
}

/// One snapshot of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: ClusterName,
    /// How it came to be.
    #[serde(default)]
    pub origin: Origin,
    /// When it was taken, or came.
    pub made: Timestamp,
    /// The engine that has its volumes.
    pub engine: String,
    /// The node image's id: the same reference may name another one by now.
    pub image: String,
    /// What the cluster was made from.
    pub spec: ClusterSpec,
    /// Its network's addresses; certificates and etcd know them.
    pub subnet: Ipv4Net,
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
    /// What tells objects as they were then from what they are after a restore.
    pub(crate) stale: BTreeSet<String>,
}

impl Snapshot {
    /// Volume of a node's `/var`.
    fn volume(&self, node: &str) -> String {
        volume(&self.spec.name, &self.name, node)
    }
}

fn volume(cluster: &ClusterName, snapshot: &ClusterName, node: &str) -> String {
    // Names hold no points, so no two snapshots share one.
    format!("kcluster-snapshot.{cluster}.{snapshot}.{node}")
}

/// The snapshots of a cluster, the oldest first.
///
/// # Errors
/// When the state folder cannot be read.
pub fn snapshots(state: &StateDir, cluster: &ClusterName) -> Result<Vec<Snapshot>, StateError> {
    let mut found = Vec::new();
    for name in files::names(state, cluster)? {
        found.extend(files::read(state, cluster, &name)?);
    }
    found.sort_by_key(|snapshot| snapshot.made);
    Ok(found)
}

/// Removes a snapshot, also one that was never finished. False if there is none.
///
/// # Errors
/// When the engine or the state folder refuses.
pub async fn remove(
    engine: &dyn Engine,
    state: &StateDir,
    cluster: &ClusterName,
    name: &ClusterName,
) -> Result<bool, SnapshotError> {
    let volumes = engine.volumes(&labels::of_snapshot(cluster, name)).await?;
    for volume in &volumes {
        engine.remove_volume(&volume.name).await?;
    }
    let folder = files::folder(state, cluster, name);
    let known = folder.exists();
    if known {
        fs::remove_dir_all(folder).map_err(StateError::from)?;
    }
    Ok(known || !volumes.is_empty())
}

#[cfg(test)]
mod tests;
