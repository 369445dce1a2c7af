//! What kubeadm is told: configuration documents and patches, as pure values.
//!
//! kubeadm reads JSON where it reads YAML, so no YAML is written here.

mod cluster;
mod components;
mod node;
mod patches;
#[cfg(test)]
mod tests;

use kcluster_matrix::{ClusterSpec, NodePlan};
use serde_json::Value;

use crate::timeouts::Timeouts;
use crate::token::BootstrapToken;

pub(crate) use cluster::names;
pub use patches::PatchError;
pub(crate) use patches::{check as check_patches, files as patch_files};

/// Where a node finds its documents.
pub(crate) const CONFIG: &str = "/kcluster/kubeadm.json";
/// Where a node finds the patches.
pub(crate) const PATCHES: &str = "/kcluster/patches";
/// Where a worker finds out whom to join.
pub(crate) const DISCOVERY: &str = "/kcluster/discovery.conf";
/// The authority's certificate, on every node.
pub(crate) const CA_CERTIFICATE: &str = "/etc/kubernetes/pki/ca.crt";
/// The authority's key, on control planes.
pub(crate) const CA_KEY: &str = "/etc/kubernetes/pki/ca.key";
/// The administrator's credentials, on control planes.
pub(crate) const ADMIN: &str = "/etc/kubernetes/admin.conf";
/// Where the API server listens.
pub(crate) const API_PORT: u16 = 6443;

/// All that the documents depend on.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// The cluster.
    pub(crate) spec: &'a ClusterSpec,
    /// The node that runs the API server.
    pub(crate) control_plane: &'a NodePlan,
    /// The name or address that clients know the engine's host by, if they need one.
    pub(crate) host: Option<&'a str>,
    /// What workers join with.
    pub(crate) token: &'a BootstrapToken,
    /// How long kubeadm waits.
    pub(crate) timeouts: Timeouts,
}

impl Inputs<'_> {
    /// The documents of the control plane's `kubeadm init`.
    pub(crate) fn init(&self) -> String {
        document_list(&[
            node::init(self),
            cluster::configuration(self),
            components::kubelet(self.spec),
            components::proxy(self.spec),
        ])
    }

    /// The document of `worker`'s `kubeadm join`.
    pub(crate) fn join(&self, worker: &NodePlan) -> String {
        document_list(&[node::join(self, worker)])
    }

    /// A kubeconfig without credentials: where the API server is and whom to trust.
    pub(crate) fn discovery(&self) -> String {
        document_list(&[node::discovery(self.control_plane)])
    }
}

/// Documents as one file.
fn document_list(documents: &[Value]) -> String {
    documents
        .iter()
        .map(|document| format!("{document:#}\n"))
        .collect::<Vec<_>>()
        .join("---\n")
}

/// Arguments in kubeadm's form.
fn arguments<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Value {
    pairs
        .into_iter()
        .map(|(name, value)| serde_json::json!({ "name": name, "value": value }))
        .collect()
}
