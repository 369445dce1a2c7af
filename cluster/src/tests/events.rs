//! Events as the API's watches tell them.

use serde_json::json;

/// An event about a node.
pub(crate) fn node(kind: &str, name: &str, ready: bool) -> String {
    let ready = if ready { "True" } else { "False" };
    json!({ "type": kind, "object": {
        "kind": "Node",
        "metadata": { "name": name },
        "status": { "conditions": [{ "type": "Ready", "status": ready }] },
    } })
    .to_string()
}

/// An event about a pod; `waits` is why it is not Ready.
pub(crate) fn pod(kind: &str, name: &str, app: &str, node: &str, waits: Option<&str>) -> String {
    let ready = if waits.is_none() { "True" } else { "False" };
    json!({ "type": kind, "object": {
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "k8s-app": app } },
        "spec": { "nodeName": node, "hostNetwork": app != "kube-dns" },
        "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": ready }],
            "containerStatuses": [{ "state": { "waiting": { "reason": waits } } }],
        },
    } })
    .to_string()
}

/// All pods of a cluster of `nodes`, Ready.
pub(crate) fn pods(nodes: &[&str]) -> Vec<String> {
    const COMPONENTS: [&str; 4] = [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ];
    let of = |node: &str| {
        COMPONENTS.map(|component| pod("ADDED", &format!("{component}-{node}"), "", node, None))
    };
    let control_planes = nodes.iter().filter(|node| node.contains("control-plane"));
    let mut all: Vec<String> = control_planes.flat_map(|node| of(node)).collect();
    for node in nodes {
        all.push(pod(
            "ADDED",
            &format!("kube-proxy-{node}"),
            "kube-proxy",
            node,
            None,
        ));
    }
    all.push(pod("ADDED", "coredns-x", "kube-dns", nodes[0], None));
    all
}
