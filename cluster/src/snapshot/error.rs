//! What can go wrong with a snapshot.

use std::path::PathBuf;

use kcluster_matrix::{ClusterName, exit};
use thiserror::Error;

use crate::engine::EngineError;
use crate::error::ClusterError;
use crate::state::StateError;
use crate::up::UpError;

/// Why a snapshot could not be taken, used or removed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// There is one of that name.
    #[error(
        "cluster `{cluster}` has a snapshot `{name}`; give another name, or remove it with `cargo kcluster snapshot remove --name {cluster} {name}`"
    )]
    Exists {
        /// The cluster.
        cluster: ClusterName,
        /// The snapshot.
        name: ClusterName,
    },
    /// There is none of that name.
    #[error(
        "cluster `{cluster}` has no snapshot `{name}`; `cargo kcluster snapshot list --name {cluster}` shows those it has"
    )]
    Missing {
        /// The cluster.
        cluster: ClusterName,
        /// The snapshot.
        name: ClusterName,
    },
    /// The cluster is not in a state to be kept.
    #[error("cluster `{cluster}` cannot be kept: {reason}")]
    Unfit {
        /// The cluster.
        cluster: ClusterName,
        /// Why not.
        reason: String,
    },
    /// What it was taken from is not what there is now.
    #[error("snapshot `{name}` does not fit any more: {}", reasons.join("; "))]
    Mismatch {
        /// The snapshot.
        name: ClusterName,
        /// What differs.
        reasons: Vec<String>,
    },
    /// A file could not be written, or is no snapshot.
    #[error("snapshot file `{}`: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The cluster failed or is not there.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The cluster did not come up from it.
    #[error(transparent)]
    Up(#[from] UpError),
}

impl From<EngineError> for SnapshotError {
    fn from(error: EngineError) -> Self {
        Self::Cluster(error.into())
    }
}

impl From<StateError> for SnapshotError {
    fn from(error: StateError) -> Self {
        Self::Cluster(error.into())
    }
}

impl SnapshotError {
    /// The exit code that says this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exists { .. }
            | Self::Missing { .. }
            | Self::Unfit { .. }
            | Self::Mismatch { .. }
            | Self::File { .. }
            | Self::Cluster(
                ClusterError::Missing { .. }
                | ClusterError::Suspended { .. }
                | ClusterError::State(StateError::Busy { .. }),
            ) => exit::BAD_INPUT,
            Self::Cluster(_) => exit::CLUSTER_FAILED,
            Self::Up(error) => error.exit_code(),
        }
    }
}
