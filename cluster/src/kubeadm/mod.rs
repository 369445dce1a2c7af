//! What kubeadm is told: configuration documents and patches, as pure values.
//!
//! kubeadm reads JSON where it reads YAML, so no YAML is written here.

mod audit;
mod cluster;
mod components;
mod node;
mod patches;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use kcluster_matrix::{ClusterSpec, NodePlan, Role};
use serde_json::Value;

use crate::archive::File;
use crate::steps::Machine;
use crate::timeouts::Timeouts;
use crate::token::BootstrapToken;

pub(crate) use audit::policy as audit_policy;
pub(crate) use cluster::names;
pub use patches::PatchError;
pub(crate) use patches::check as check_patches;

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
    /// The node that is initialised.
    pub(crate) control_plane: &'a NodePlan,
    /// Where the API is found.
    pub(crate) endpoint: &'a NodePlan,
    /// The name or address that clients know the engine's host by, if they need one.
    pub(crate) host: Option<&'a str>,
    /// What workers join with.
    pub(crate) token: &'a BootstrapToken,
    /// How long kubeadm waits.
    pub(crate) timeouts: Timeouts,
    /// What a node would have without limits.
    pub(crate) machine: Machine,
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

    /// The document of `node`'s `kubeadm join`.
    pub(crate) fn join(&self, node: &NodePlan) -> String {
        document_list(&[node::join(self, node)])
    }

    /// The patches for `node`.
    pub(crate) fn patches(&self, node: &NodePlan) -> Vec<File> {
        let api = match node.role {
            Role::ControlPlane => self.address(node),
            _ => self.address(self.endpoint),
        };
        let mut files = patches::files(
            api,
            self.address(self.endpoint),
            self.spec.cell.emulation,
            &self.spec.patches,
        );
        files.extend(patches::reserved(self.machine, &node.settings));
        files
    }

    fn address(&self, node: &NodePlan) -> IpAddr {
        node.main_address(self.spec.options.ip_family)
    }

    /// Host and port of the API, as a URL has them.
    fn authority(&self) -> SocketAddr {
        SocketAddr::new(self.address(self.endpoint), API_PORT)
    }

    /// A kubeconfig without credentials: where the API server is and whom to trust.
    pub(crate) fn discovery(&self) -> String {
        document_list(&[node::discovery(self)])
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

/// Subnets as Kubernetes' flags take them.
fn joined(subnets: &[IpNet]) -> String {
    let subnets: Vec<String> = subnets.iter().map(ToString::to_string).collect();
    subnets.join(",")
}

/// Arguments in kubeadm's form.
fn arguments<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Value {
    pairs
        .into_iter()
        .map(|(name, value)| serde_json::json!({ "name": name, "value": value }))
        .collect()
}
