//! The configuration of the two components that run on every node.

use kcluster_matrix::{ClusterSpec, ProxyMode, Swap};
use serde_json::{Value, json};

use super::joined;

/// `KubeletConfiguration`. All fields exist in every version from 1.33.
pub(super) fn kubelet(spec: &ClusterSpec) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        // Works on both cgroup versions and needs no systemd.
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": false,
        "failSwapOn": false,
        // The node's disk is the machine's: neither its images nor its pods shall
        // go because the machine is full of other things.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "imagefs.available": "0%",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
        },
        // Specs that read logs rely on these two.
        "containerLogMaxSize": "100Mi",
        "containerLogMaxFiles": 10,
        // A changed ConfigMap or Secret reaches a pod's volume at its next sync: a minute or
        // more by default, which specs (and people) then wait for.
        "syncFrequency": "10s",
        "serializeImagePulls": false,
        "resolvConf": "/etc/resolv.conf",
        "featureGates": spec.feature_gates,
        "memorySwap": { "swapBehavior": match spec.options.swap {
            Swap::None => "NoSwap",
            Swap::Limited => "LimitedSwap",
        } },
    })
}

/// `KubeProxyConfiguration`.
pub(super) fn proxy(spec: &ClusterSpec) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": spec.proxy_mode,
        "clusterCIDR": joined(&spec.pod_subnets()),
        "conntrack": {
            // A setting of the whole machine, which a node must leave alone.
            "maxPerCore": 0,
            // The nftables mode has no rule that drops what conntrack calls invalid.
            "tcpBeLiberal": spec.proxy_mode == ProxyMode::Nftables,
        },
        "featureGates": spec.feature_gates,
    })
}
