//! What kubeadm is told about one node.

use std::time::Duration;

use kcluster_matrix::{NodePlan, Role};
use serde_json::{Value, json};

use super::{API_PORT, CA_CERTIFICATE, DISCOVERY, Inputs, PATCHES, arguments};
use crate::timeouts::Timeouts;

const API_VERSION: &str = "kubeadm.k8s.io/v1beta4";

/// `InitConfiguration`.
pub(super) fn init(inputs: &Inputs<'_>) -> Value {
    let node = inputs.control_plane;
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
        "localAPIEndpoint": { "advertiseAddress": inputs.address(node), "bindPort": API_PORT },
        "nodeRegistration": registration(inputs, node),
        "patches": { "directory": PATCHES },
        "timeouts": timeouts(&inputs.timeouts),
    })
}

/// `JoinConfiguration`.
pub(super) fn join(inputs: &Inputs<'_>, node: &NodePlan) -> Value {
    let mut document = json!({
        "apiVersion": API_VERSION,
        "kind": "JoinConfiguration",
        "discovery": {
            "file": { "kubeConfigPath": DISCOVERY },
            "tlsBootstrapToken": inputs.token.expose(),
        },
        "nodeRegistration": registration(inputs, node),
        "patches": { "directory": PATCHES },
        "timeouts": timeouts(&inputs.timeouts),
    });
    if node.role == Role::ControlPlane {
        // What control planes share is on the node already: no certificates are fetched.
        document["controlPlane"] = json!({ "localAPIEndpoint": {
            "advertiseAddress": inputs.address(node),
            "bindPort": API_PORT,
        } });
    }
    document
}

/// A kubeconfig that says where the API is. kubeadm takes the nameless cluster; a context
/// would have to name a user too.
pub(super) fn discovery(inputs: &Inputs<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "",
            "cluster": {
                "server": format!("https://{}", inputs.authority()),
                "certificate-authority": CA_CERTIFICATE,
            },
        }],
    })
}

fn registration(inputs: &Inputs<'_>, node: &NodePlan) -> Value {
    let addresses = node.addresses(inputs.spec.options.ip_family);
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let settings = &node.settings;
    let mut kubelet = vec![("node-ip", addresses.join(","))];
    if !settings.labels.is_empty() {
        let labels = settings.labels.iter();
        let labels: Vec<String> = labels
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        kubelet.push(("node-labels", labels.join(",")));
    }
    let mut registration = json!({
        "name": node.name,
        "criSocket": "unix:///run/containerd/containerd.sock",
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": arguments(kubelet),
    });
    let mut taints: Vec<Value> = settings
        .taints
        .iter()
        .map(|taint| json!({ "key": taint.key, "value": taint.value, "effect": taint.effect }))
        .collect();
    let control = node.role == Role::ControlPlane;
    // Without workers, control planes have to run everything.
    let kept = control && inputs.spec.workers > 0;
    if kept && !taints.is_empty() {
        // A list replaces kubeadm's own.
        let own = "node-role.kubernetes.io/control-plane";
        taints.push(json!({ "key": own, "effect": "NoSchedule" }));
    }
    if !taints.is_empty() || (control && !kept) {
        registration["taints"] = json!(taints);
    }
    registration
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
