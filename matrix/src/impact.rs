//! What a suspension did to pods and nodes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came of a suspension, by quality of service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    /// Guaranteed, Burstable, BestEffort; those that have pods.
    pub classes: BTreeMap<String, ClassImpact>,
    /// Pods to which something happened.
    pub pods: Vec<PodImpact>,
    /// Nodes, with the time between two renewals of their leases.
    pub nodes: Vec<NodeGap>,
}

/// What happened to the pods of one class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassImpact {
    /// How many there were.
    pub pods: usize,
    /// Of which containers were restarted.
    pub restarted: usize,
    /// How often containers were restarted.
    pub restarts: u64,
    /// Which the kubelet or a taint evicted.
    pub evicted: usize,
    /// Which were removed otherwise.
    pub deleted: usize,
    /// Which were not Ready for a while.
    pub lost_readiness: usize,
    /// Which are not Ready again yet.
    pub not_ready: usize,
    /// Probes that failed.
    pub probe_failures: u64,
    /// TCP connections they had before; none if the nodes did not tell.
    pub connections: Option<usize>,
    /// Of which were gone afterwards.
    pub connections_lost: Option<usize>,
    /// Seconds from resuming until the last one was Ready (again).
    pub seconds_until_ready: f64,
}

/// What happened to one pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PodImpact {
    /// Namespace and name.
    pub pod: String,
    /// Its class.
    pub class: String,
    /// In a few words.
    pub what: String,
}

/// How long a node's lease was not renewed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeGap {
    /// The node.
    pub node: String,
    /// Seconds; none if it is not renewed yet.
    pub lease_gap_seconds: Option<f64>,
}
