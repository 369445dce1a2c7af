//! flannel's objects: a DaemonSet of an image that is in the node image, and what it may do.

use std::net::Ipv4Addr;

use kcluster_matrix::{ClusterSpec, Cni};
use serde_json::{Value, json};

/// The label `k8s-app` of its pods.
pub(crate) const APP: &str = "flannel";

/// Where its configuration is in the pod.
const FOLDER: &str = "/etc/kube-flannel";

/// The node's own port that says whether it is ready.
const HEALTH: u16 = 8285;

/// Everything to be applied. The API server is named by its address: flannel is what makes Services reachable
/// for others, and need not wait for kube-proxy.
pub(crate) fn objects(spec: &ClusterSpec, api_server: Ipv4Addr) -> Vec<Value> {
    let meta = json!({ "name": APP, "namespace": "kube-system" });
    let backend = match spec.cell.cni {
        Cni::FlannelHostGw => "host-gw",
        _ => "vxlan",
    };
    let network = json!({
        "Network": spec.pod_subnet,
        "Backend": { "Type": backend },
    });
    vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": { "name": APP },
            "rules": [
                { "apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"] },
                { "apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"] },
            ],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": APP },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": APP },
            "subjects": [{ "kind": "ServiceAccount", "name": APP, "namespace": "kube-system" }],
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta,
            "data": { "net-conf.json": network.to_string() },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {
                "selector": { "matchLabels": { "k8s-app": APP } },
                "template": {
                    "metadata": { "labels": { "k8s-app": APP } },
                    "spec": pod(api_server),
                },
            },
        }),
    ]
}

fn pod(api_server: Ipv4Addr) -> Value {
    let from = |path: &str| json!({ "fieldRef": { "fieldPath": path } });
    json!({
        "serviceAccountName": APP,
        "hostNetwork": true,
        "priorityClassName": "system-node-critical",
        "tolerations": [{ "operator": "Exists" }],
        // It ends at once; there is nothing to wait for.
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": APP,
            "image": kcluster_matrix::cluster::FLANNEL_IMAGE,
            "imagePullPolicy": "Never",
            "args": ["--iface=$(NODE_ADDRESS)", format!("--healthz=127.0.0.1:{HEALTH}")],
            "env": [
                { "name": "NODE_NAME", "valueFrom": from("spec.nodeName") },
                { "name": "NODE_ADDRESS", "valueFrom": from("status.hostIP") },
                { "name": "KUBERNETES_SERVICE_HOST", "value": api_server },
                { "name": "KUBERNETES_SERVICE_PORT", "value": "6443" },
            ],
            "startupProbe": {
                "httpGet": { "host": "127.0.0.1", "path": "/", "port": HEALTH },
                "periodSeconds": 1,
                "failureThreshold": 600,
            },
            "securityContext": { "capabilities": { "add": ["NET_ADMIN", "NET_RAW"] } },
            "volumeMounts": [{ "name": "config", "mountPath": FOLDER }],
        }],
        "volumes": [{ "name": "config", "configMap": { "name": APP } }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::spec;

    #[test]
    fn the_backend_and_the_network_are_the_cells() {
        for (cni, backend) in [(Cni::Flannel, "vxlan"), (Cni::FlannelHostGw, "host-gw")] {
            let mut spec = spec("a", 1);
            spec.cell.cni = cni;
            let objects = objects(&spec, Ipv4Addr::new(10, 89, 0, 10));
            let config = objects
                .iter()
                .find(|object| object["kind"] == "ConfigMap")
                .unwrap();
            let text = config["data"]["net-conf.json"].as_str().unwrap();
            let network: Value = serde_json::from_str(text).unwrap();
            assert_eq!(network["Backend"]["Type"], backend);
            assert_eq!(network["Network"], spec.pod_subnet.to_string());
        }
    }
}
