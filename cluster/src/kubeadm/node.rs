//! What kubeadm is told about one node.

use std::time::Duration;

use kcluster_matrix::NodePlan;
use serde_json::{Value, json};

use super::{API_PORT, CA_CERTIFICATE, DISCOVERY, Inputs, PATCHES, arguments};
use crate::timeouts::Timeouts;

const API_VERSION: &str = "kubeadm.k8s.io/v1beta4";

/// `InitConfiguration`.
pub(super) fn init(inputs: &Inputs<'_>) -> Value {
    let node = inputs.control_plane;
    let mut registration = registration(node);
    if inputs.spec.workers == 0 {
        // Its only node has to run everything.
        registration["taints"] = json!([]);
    }
    json!({
        "apiVersion": API_VERSION,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{
            "token": inputs.token.expose(),
            "description": "joins the nodes kcluster made",
            "ttl": "2h",
            "usages": ["signing", "authentication"],
            "groups": ["system:bootstrappers:kubeadm:default-node-token"],
        }],
        "localAPIEndpoint": { "advertiseAddress": node.address, "bindPort": API_PORT },
        "nodeRegistration": registration,
        "patches": { "directory": PATCHES },
        "timeouts": timeouts(&inputs.timeouts),
    })
}

/// `JoinConfiguration`.
pub(super) fn join(inputs: &Inputs<'_>, worker: &NodePlan) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": "JoinConfiguration",
        "discovery": {
            "file": { "kubeConfigPath": DISCOVERY },
            "tlsBootstrapToken": inputs.token.expose(),
        },
        "nodeRegistration": registration(worker),
        "patches": { "directory": PATCHES },
        "timeouts": timeouts(&inputs.timeouts),
    })
}

/// A kubeconfig that says where the API server of `control_plane` is. kubeadm takes the
/// nameless cluster; a context would have to name a user too.
pub(super) fn discovery(control_plane: &NodePlan) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "",
            "cluster": {
                "server": format!("https://{}:{API_PORT}", control_plane.address),
                "certificate-authority": CA_CERTIFICATE,
            },
        }],
    })
}

fn registration(node: &NodePlan) -> Value {
    json!({
        "name": node.name,
        "criSocket": "unix:///run/containerd/containerd.sock",
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": arguments([("node-ip", node.address.to_string())]),
    })
}

fn timeouts(timeouts: &Timeouts) -> Value {
    let limit = seconds(timeouts.kubeadm);
    json!({
        "controlPlaneComponentHealthCheck": limit,
        "kubeletHealthCheck": limit,
        "kubernetesAPICall": limit,
        "etcdAPICall": limit,
        "tlsBootstrap": limit,
        "discovery": limit,
    })
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}
