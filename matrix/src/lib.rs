//! The pure core of kcluster: what a cell is, what is planned, what happened.
//!
//! Nothing in here does I/O, knows the time or can fail for a reason outside the
//! process: the executors (`kcluster-images`, `kcluster-cluster`, `kcluster-e2e`)
//! bring those in, and share only the types below.

pub mod addon;
pub mod arch;
pub mod bisect;
pub mod cell;
pub mod cluster;
pub mod cni;
pub mod event;
pub mod exit;
pub mod fnv;
pub mod impact;
pub mod ip_family;
pub mod mirror;
pub mod name;
pub mod node_settings;
pub mod options;
pub mod outcome;
pub mod plan;
pub mod platform;
pub mod role;
pub mod shard;
pub mod suggest;
pub mod version;
mod words;

pub use addon::{Addon, AddonContent, Chart, KnownAddon};
pub use arch::Arch;
pub use cell::{Cell, CellId};
pub use cluster::{ClusterSpec, Egress, NodePlan, ProxyMode};
pub use cni::Cni;
pub use event::{Event, EventKind, Sink, Step};
pub use ip_family::IpFamily;
pub use mirror::{Login, Logins, Mirror};
pub use name::ClusterName;
pub use node_settings::NodeSettings;
pub use options::{Audit, ClusterOptions, Swap};
pub use outcome::{Case, Outcome, Suite};
pub use platform::{Emulation, Platform};
pub use role::Role;
pub use shard::Shard;
pub use version::{KubeVersion, VersionRequest};
