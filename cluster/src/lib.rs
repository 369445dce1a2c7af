//! Engines, nodes and kubeadm: a planned cell becomes a running cluster.
//!
//! [`up`] takes a [`ClusterSpec`](kcluster_matrix::ClusterSpec), in which all is decided,
//! through the steps in `steps`; [`down`] and [`clean`] remove by label alone. The outside
//! is reached only through [`engine::Engine`] and [`StateDir`]; what happens is told to a
//! [`Sink`](kcluster_matrix::Sink), nothing is printed.

mod addons;
mod archive;
mod ask;
mod cni;
mod connections;
mod credentials;
mod down;
pub mod emulation;
pub mod engine;
mod error;
mod existing;
mod files;
mod flannel;
mod image_archive;
mod impact;
mod kubeadm;
mod kubeconfig;
mod labels;
mod list;
mod load;
mod logs;
mod mirrors;
mod pki;
mod reach;
mod reup;
mod serving;
mod snapshot;
mod state;
mod steps;
mod subnet;
mod suspend;
#[cfg(test)]
mod tests;
mod timeouts;
mod token;
mod up;

pub use addons::known_addon;
pub use down::{Removed, clean, down};
pub use error::{ClusterError, Difference, StepFailure};
pub use image_archive::ArchiveError;
pub use kubeadm::PatchError;
pub use labels::{
    ARCH, CELL, CLUSTER, EMULATION, IMAGE, KUBERNETES, MANAGED, ROLE, SESSION, SNAPSHOT,
    SNAPSHOT_OF, emulator_images, node_images, of_cluster, session, tool_labels,
};
pub use list::{ClusterInfo, list};
pub use load::{LoadError, load_archive, load_images};
pub use logs::{collect_logs, node_tail};
pub use reup::{Component, Replacement, ReupError, reup};
pub use snapshot::{
    Origin, Snapshot, SnapshotError, export as export_snapshot, import as import_snapshot, keep,
    remove as remove_snapshot, restore, save, snapshots, start,
};
pub use state::{ClusterDir, Lock, Phase, StateDir, StateError, Status};
pub use suspend::{Resumed, resume, suspend};
pub use timeouts::Timeouts;
pub use up::{Cluster, UpError, up};
