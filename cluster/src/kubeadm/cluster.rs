//! The cluster as kubeadm sees it: addresses, control plane and etcd.

use std::collections::BTreeMap;

use kcluster_matrix::ClusterSpec;
use serde_json::{Value, json};

use super::{Inputs, arguments, audit, joined};
use crate::serving;

const SCHEDULER: &str = "kube-scheduler";

/// `ClusterConfiguration`.
pub(super) fn configuration(inputs: &Inputs<'_>) -> Value {
    let spec = inputs.spec;
    let mut document = json!({
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": spec.name,
        "kubernetesVersion": spec.cell.kubernetes,
        // Cheaper than RSA to make, and each node makes some.
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {
            "podSubnet": joined(&spec.pod_subnets()),
            "serviceSubnet": joined(&spec.service_subnets()),
            "dnsDomain": "cluster.local",
        },
        "apiServer": {
            "certSANs": names(inputs.spec, inputs.host),
            "extraArgs": api_server(spec),
        },
        "controllerManager": { "extraArgs": controller_manager(spec) },
        "scheduler": {
            "extraArgs": scheduler(spec),
            // The controller manager's pod sees the whole folder anyway.
            "extraVolumes": serving::places(SCHEDULER).map(|path| seen(&path)).to_vec(),
        },
        "etcd": { "local": {
            "dataDir": "/var/lib/etcd",
            "extraArgs": etcd(spec),
        } },
    });
    if inputs.endpoint.name != inputs.control_plane.name {
        document["controlPlaneEndpoint"] = json!(inputs.authority().to_string());
    }
    if let Some(volumes) = audit::volumes(spec) {
        document["apiServer"]["extraVolumes"] = volumes;
    }
    document
}

/// Names that clients outside of the cluster may use.
pub(crate) fn names(spec: &ClusterSpec, host: Option<&str>) -> Vec<String> {
    let address = spec.api_address;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let published = (!address.is_unspecified()).then(|| address.to_string());
    for name in published.into_iter().chain(host.map(str::to_owned)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn etcd(spec: &ClusterSpec) -> Value {
    // A test cluster outlives no power cut.
    let mut pairs = vec![("unsafe-no-fsync", "true")];
    if spec.options.control_planes == 1 {
        // Nobody else can stand for election, but a member waits for the time that others would
        // have, each time it starts: up to a second by default. In milliseconds.
        pairs.extend([("heartbeat-interval", "20"), ("election-timeout", "100")]);
    }
    let pairs = pairs.into_iter();
    arguments(pairs.map(|(name, value)| (name, value.to_owned())))
}

fn api_server(spec: &ClusterSpec) -> Value {
    let runtime = spec
        .runtime_config
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",");
    arguments(
        gates(&spec.feature_gates)
            .into_iter()
            .chain((!runtime.is_empty()).then_some(("runtime-config", runtime)))
            .chain(audit::arguments(spec)),
    )
}

fn controller_manager(spec: &ClusterSpec) -> Value {
    // Its forty controllers each ask for an account and a token of their own when they
    // start; at the default of 20 requests a second that alone takes four seconds.
    let mut pairs = vec![("kube-api-qps", "500"), ("kube-api-burst", "1000")];
    pairs.extend(leader(spec));
    // We know each node's pod subnet before it starts, and its CNI configuration
    // names it; the controller's own choice would be another.
    if spec.cell.cni.networked() {
        pairs.push(("allocate-node-cidrs", "false"));
    }
    arguments(
        pairs
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .chain(serves("kube-controller-manager"))
            .chain(gates(&spec.feature_gates)),
    )
}

fn scheduler(spec: &ClusterSpec) -> Value {
    arguments(
        leader(spec)
            .map(|(name, value)| (name, value.to_owned()))
            .into_iter()
            .chain(serves(SCHEDULER))
            .chain(gates(&spec.feature_gates)),
    )
}

/// What a component serves with.
fn serves(component: &str) -> [(&'static str, String); 2] {
    let [certificate, key] = serving::places(component);
    [
        ("tls-cert-file", certificate),
        ("tls-private-key-file", key),
    ]
}

/// A file of the node that a pod sees at the same place.
fn seen(path: &str) -> Value {
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .replace('.', "-");
    json!({
        "name": name,
        "hostPath": path,
        "mountPath": path,
        "readOnly": true,
        "pathType": "File",
    })
}

/// With one control plane there is nobody to elect, and an attempt that comes
/// before the API server's own roles are there costs seconds.
fn leader(spec: &ClusterSpec) -> Option<(&'static str, &'static str)> {
    (spec.options.control_planes == 1).then_some(("leader-elect", "false"))
}

fn gates(gates: &BTreeMap<String, bool>) -> Option<(&'static str, String)> {
    let list = gates
        .iter()
        .map(|(gate, on)| format!("{gate}={on}"))
        .collect::<Vec<_>>()
        .join(",");
    (!list.is_empty()).then_some(("feature-gates", list))
}
