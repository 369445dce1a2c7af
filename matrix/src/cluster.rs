//! A cluster to be: every setting decided, every address known.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cell::Cell;
use crate::name::ClusterName;
use crate::suggest::UnknownValue;

/// Whether nodes and pods may reach anything outside their cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Egress {
    /// They may.
    Open,
    /// Whatever is addressed elsewhere is refused.
    Closed,
}

/// How kube-proxy programs services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// Netfilter tables by nft; kcluster's default.
    Nftables,
    /// The older iptables rules.
    Iptables,
}

macro_rules! words {
    ($type:ident, $kind:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in configuration and flags.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownValue::new($kind, text, [$($word),+])),
                }
            }
        }
    };
}

words!(Egress, "egress", Open = "open", Closed = "closed");
words!(
    ProxyMode,
    "kube-proxy mode",
    Nftables = "nftables",
    Iptables = "iptables"
);

/// A patch handed through to kubeadm as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KubeadmPatch {
    /// What it patches: `etcd`, `kube-apiserver`, `kube-controller-manager`,
    /// `kube-scheduler`, `kubeletconfiguration` or `corednsdeployment`.
    pub target: String,
    /// `strategic`, `merge` or `json`, as kubeadm names them.
    pub kind: String,
    /// The patch itself, YAML or JSON.
    pub content: String,
}

impl KubeadmPatch {
    /// Every target kubeadm knows, from 1.33 on.
    pub const TARGETS: [&str; 6] = [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubeletconfiguration",
        "corednsdeployment",
    ];
    /// Every kind of patch kubeadm knows.
    pub const KINDS: [&str; 3] = ["strategic", "merge", "json"];
}

/// The repository of every reference that kcluster gives to a node image; whatever is
/// named otherwise is a user's, even if built upon one of ours.
pub const NODE_REPOSITORY: &str = "kcluster/node";

/// The repository of the images that hold emulators of other architectures.
pub const EMULATORS_REPOSITORY: &str = "kcluster/emulators";

/// What flannel's image is called inside node images; the tag is upstream's version.
pub const FLANNEL_IMAGE: &str = "kcluster/flannel:v0.26.7";

/// All settings of one cluster, with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Its name.
    pub name: ClusterName,
    /// Version, network plugin, architecture.
    pub cell: Cell,
    /// Nodes beside the control plane; 0 leaves one untainted node.
    pub workers: u8,
    /// Reference of the node image in the engine.
    pub image: String,
    /// Whether anything may leave.
    pub egress: Egress,
    /// Where pods get their addresses; each node takes a /24 of it.
    pub pod_subnet: Ipv4Net,
    /// Where Services get their addresses.
    pub service_subnet: Ipv4Net,
    /// The engine host's address that the API server is published on.
    pub api_address: IpAddr,
    /// The port it is published on; 0 lets the engine choose.
    pub api_port: u16,
    /// How kube-proxy works.
    pub proxy_mode: ProxyMode,
    /// Feature gates for every component.
    pub feature_gates: BTreeMap<String, bool>,
    /// The API server's `--runtime-config`.
    pub runtime_config: BTreeMap<String, String>,
    /// Patches handed to kubeadm.
    pub patches: Vec<KubeadmPatch>,
    /// Keep what was made when a step fails.
    pub retain: bool,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs etcd and the API server.
    ControlPlane,
    /// Runs pods.
    Worker,
}

words!(
    Role,
    "role",
    ControlPlane = "control-plane",
    Worker = "worker"
);

/// One node, with all that is known before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePlan {
    /// Node, host and container name.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Its address on the cluster's network.
    pub address: Ipv4Addr,
    /// The addresses its pods get.
    pub pod_subnet: Ipv4Net,
}

/// A spec that no cluster can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The pod subnet has fewer /24 networks than there are nodes.
    #[error(
        "pod subnet {subnet} holds {room} nodes of a /24 each, but {nodes} are asked for; give a larger --pod-subnet"
    )]
    PodSubnetTooSmall {
        /// The subnet.
        subnet: Ipv4Net,
        /// Nodes it would hold.
        room: usize,
        /// Nodes asked for.
        nodes: usize,
    },
    /// Two of the subnets share addresses.
    #[error("{what} subnet {one} overlaps {other_what} subnet {other}; choose others")]
    Overlap {
        /// What the first is for.
        what: &'static str,
        /// The first.
        one: Ipv4Net,
        /// What the second is for.
        other_what: &'static str,
        /// The second.
        other: Ipv4Net,
    },
}

impl ClusterSpec {
    /// The nodes on network `subnet`, the control plane first.
    ///
    /// # Errors
    /// When subnets are too small or overlap.
    pub fn nodes(&self, subnet: Ipv4Net) -> Result<Vec<NodePlan>, SpecError> {
        let named = [
            ("pod", self.pod_subnet),
            ("service", self.service_subnet),
            ("node", subnet),
        ];
        for (index, (what, one)) in named.iter().enumerate() {
            for (other_what, other) in &named[index + 1..] {
                if one.contains(other) || other.contains(one) {
                    return Err(SpecError::Overlap {
                        what,
                        one: *one,
                        other_what,
                        other: *other,
                    });
                }
            }
        }
        let count = usize::from(self.workers) + 1;
        let pods: Vec<Ipv4Net> = match self.pod_subnet.subnets(24) {
            Ok(subnets) => subnets.take(count).collect(),
            Err(_) => Vec::new(),
        };
        if pods.len() < count {
            return Err(SpecError::PodSubnetTooSmall {
                subnet: self.pod_subnet,
                room: pods.len(),
                nodes: count,
            });
        }
        let base = u32::from(subnet.network()) + FIRST_NODE;
        Ok(pods
            .into_iter()
            .zip(0u32..)
            .map(|(pod_subnet, index)| NodePlan {
                name: if index == 0 {
                    format!("{}-control-plane", self.name)
                } else {
                    format!("{}-worker-{index}", self.name)
                },
                role: if index == 0 {
                    Role::ControlPlane
                } else {
                    Role::Worker
                },
                address: Ipv4Addr::from(base + index),
                pod_subnet,
            })
            .collect())
    }
}

/// The first node's place in its network; what is below stays free for the engine.
const FIRST_NODE: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::cni::Cni;
    use crate::platform::Emulation;
    use proptest::prelude::*;

    fn spec(workers: u8, pods: &str) -> ClusterSpec {
        ClusterSpec {
            name: "a".parse().unwrap(),
            cell: Cell {
                kubernetes: "1.36.3".parse().unwrap(),
                cni: Cni::Bridge,
                arch: Arch::Amd64,
                emulation: Emulation::Native,
                variant: String::new(),
            },
            workers,
            image: "i".into(),
            egress: Egress::Closed,
            pod_subnet: pods.parse().unwrap(),
            service_subnet: "10.96.0.0/16".parse().unwrap(),
            api_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            api_port: 0,
            proxy_mode: ProxyMode::Nftables,
            feature_gates: BTreeMap::new(),
            runtime_config: BTreeMap::new(),
            patches: Vec::new(),
            retain: false,
        }
    }

    #[test]
    fn subnets_that_cannot_be_are_refused() {
        let network = "10.89.0.0/24".parse().unwrap();
        let small = spec(2, "10.244.0.0/23").nodes(network).unwrap_err();
        assert!(matches!(
            small,
            SpecError::PodSubnetTooSmall {
                room: 2,
                nodes: 3,
                ..
            }
        ));
        let overlap = spec(0, "10.96.0.0/12").nodes(network).unwrap_err();
        assert!(matches!(overlap, SpecError::Overlap { .. }), "{overlap}");
    }

    proptest! {
        #[test]
        fn nodes_never_share_a_name_an_address_or_a_pod(workers in 0u8..200) {
            let network: Ipv4Net = "10.89.3.0/24".parse().unwrap();
            let nodes = spec(workers, "10.244.0.0/16").nodes(network).unwrap();
            prop_assert_eq!(nodes.len(), usize::from(workers) + 1);
            for (index, node) in nodes.iter().enumerate() {
                prop_assert!(network.contains(&node.address));
                for other in &nodes[index + 1..] {
                    prop_assert!(node.name != other.name && node.address != other.address);
                    prop_assert!(!node.pod_subnet.contains(&other.pod_subnet));
                }
            }
        }
    }
}
