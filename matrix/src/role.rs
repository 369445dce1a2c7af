//! What nodes are there for.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs etcd and the API server.
    ControlPlane,
    /// Runs pods.
    Worker,
    /// Leads to the API servers, where there are several; Kubernetes does not know of it.
    LoadBalancer,
}

words!(
    Role,
    "role",
    ControlPlane = "control-plane",
    Worker = "worker",
    LoadBalancer = "load-balancer"
);
