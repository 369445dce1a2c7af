//! The steps of making a cluster, one file each, and what they share.
//!
//! [`boot`] is their order. What can overlap does: nodes start together, joins begin as
//! soon as the API server takes them, and what is Ready is watched while joins end.

mod addons;
mod alive;
mod boot;
mod cni;
mod context;
mod exec;
mod init;
mod join;
mod kubeconfig;
mod network;
mod nodes;
mod readiness;
mod ready;
mod renew;
mod restore;
mod start_again;
mod watch;

pub(crate) use boot::boot;
pub(crate) use context::{Context, Machine, Plan, Span};
pub(crate) use kubeconfig::kubeconfig;
pub(crate) use nodes::var_volume;
pub(crate) use readiness::marks;
pub(crate) use ready::ready_again;
pub(crate) use restore::{Restore, restore};
pub(crate) use start_again::start_again;
