//! A cluster to be: every setting decided, every address known.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cell::Cell;
use crate::ip_family::IpFamily;
use crate::name::ClusterName;
use crate::options::{ClusterOptions, NodeSettings};
use crate::role::Role;
use crate::suggest::UnknownValue;
use crate::words::words;

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
    /// Everything that most clusters leave as it is.
    #[serde(default)]
    pub options: ClusterOptions,
}

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
    /// Its second address, unless the cluster is of IPv4 alone.
    #[serde(default)]
    pub address6: Option<Ipv6Addr>,
    /// The second addresses its pods get.
    #[serde(default)]
    pub pod_subnet6: Option<Ipv6Net>,
    /// What is asked of it in particular.
    #[serde(default)]
    pub settings: NodeSettings,
}

impl NodePlan {
    /// Its addresses as Kubernetes shall know them, the first one first.
    #[must_use]
    pub fn addresses(&self, family: IpFamily) -> Vec<IpAddr> {
        let four = family.has_4().then_some(IpAddr::V4(self.address));
        let six = self.address6.filter(|_| family.has_6()).map(IpAddr::V6);
        four.into_iter().chain(six).collect()
    }

    /// The address that others reach it by.
    #[must_use]
    pub fn main_address(&self, family: IpFamily) -> IpAddr {
        let first = self.addresses(family).into_iter().next();
        first.unwrap_or(IpAddr::V4(self.address))
    }

    /// Where its pods get their addresses.
    #[must_use]
    pub fn pod_subnets(&self, family: IpFamily) -> Vec<IpNet> {
        let four = family.has_4().then_some(IpNet::V4(self.pod_subnet));
        let six = self.pod_subnet6.filter(|_| family.has_6()).map(IpNet::V6);
        four.into_iter().chain(six).collect()
    }

    /// Whether Kubernetes knows it as a node.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.role != Role::LoadBalancer
    }
}

/// A spec that no cluster can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The pod subnet has fewer networks than there are nodes.
    #[error(
        "pod subnet {subnet} holds {room} nodes of a /{each} each, but {nodes} are asked for; give a larger one"
    )]
    PodSubnetTooSmall {
        /// The subnet.
        subnet: IpNet,
        /// Prefix length of a node's part.
        each: u8,
        /// Nodes it would hold.
        room: usize,
        /// Nodes asked for.
        nodes: usize,
    },
    /// A cluster's network has fewer addresses than there are nodes.
    #[error("{nodes} nodes are more than the {room} that a cluster's network has addresses for")]
    TooManyNodes {
        /// Nodes it holds.
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
        one: IpNet,
        /// What the second is for.
        other_what: &'static str,
        /// The second.
        other: IpNet,
    },
    /// Settings for a node that the cluster will not have.
    #[error("per-node: {0}")]
    UnknownNode(UnknownValue),
    /// There is no cluster without one.
    #[error("a cluster has at least one control plane")]
    NoControlPlane,
}

/// The second addresses of the network that has the first ones `subnet`: a range of our own
/// that holds the first network's address, so that no two networks share one.
#[must_use]
pub fn subnet6(subnet: Ipv4Net) -> Ipv6Net {
    let first = u128::from(u32::from(subnet.network()));
    let prefix = u128::from(u32::from_be_bytes([0xfd, 0x89, 0x6b, 0x63]));
    Ipv6Net::new_assert(Ipv6Addr::from(prefix << 96 | first << 64), 64)
}

/// The first `count` parts of `whole`.
fn parts<N>(
    whole: IpNet,
    each: u8,
    count: usize,
    split: impl FnOnce(u8) -> Option<Vec<N>>,
) -> Result<Vec<N>, SpecError> {
    let parts = split(each).unwrap_or_default();
    if parts.len() < count {
        return Err(SpecError::PodSubnetTooSmall {
            subnet: whole,
            each,
            room: parts.len(),
            nodes: count,
        });
    }
    Ok(parts)
}

impl ClusterSpec {
    /// Where pods get their addresses.
    #[must_use]
    pub fn pod_subnets(&self) -> Vec<IpNet> {
        self.of_family(self.pod_subnet, self.options.pod_subnet6)
    }

    /// Where Services get their addresses.
    #[must_use]
    pub fn service_subnets(&self) -> Vec<IpNet> {
        self.of_family(self.service_subnet, self.options.service_subnet6)
    }

    fn of_family(&self, four: Ipv4Net, six: Ipv6Net) -> Vec<IpNet> {
        let family = self.options.ip_family;
        let four = family.has_4().then_some(IpNet::V4(four));
        let six = family.has_6().then_some(IpNet::V6(six));
        four.into_iter().chain(six).collect()
    }

    /// The nodes on network `subnet`, control planes first; the load balancer, if there is
    /// one, last.
    ///
    /// # Errors
    /// When subnets are too small or overlap, or a setting is for no node.
    pub fn nodes(&self, subnet: Ipv4Net) -> Result<Vec<NodePlan>, SpecError> {
        let options = &self.options;
        let six = options.ip_family.has_6();
        self.apart(subnet)?;
        let roles = self.roles()?;
        let names: Vec<String> = roles.iter().map(|(_, name)| name.clone()).collect();
        options
            .check_nodes(&names)
            .map_err(SpecError::UnknownNode)?;
        let count = roles.len();
        if count > ROOM {
            return Err(SpecError::TooManyNodes {
                room: ROOM,
                nodes: count,
            });
        }
        let pods = parts(IpNet::V4(self.pod_subnet), 24, count, |each| {
            let parts = self.pod_subnet.subnets(each).ok()?;
            Some(parts.take(count).collect())
        })?;
        let whole = options.pod_subnet6;
        let pods6: Vec<Ipv6Net> =
            parts(IpNet::V6(whole), 64, if six { count } else { 0 }, |each| {
                Some(whole.subnets(each).ok()?.take(count).collect())
            })?;
        let base = u32::from(subnet.network()) + FIRST_NODE;
        let base6 = u128::from(subnet6(subnet).network()) + u128::from(FIRST_NODE);
        Ok(roles
            .into_iter()
            .zip(pods)
            .zip(0u32..)
            .map(|(((role, short), pod_subnet), index)| NodePlan {
                name: format!("{}-{short}", self.name),
                role,
                address: Ipv4Addr::from(base + index),
                pod_subnet,
                address6: six.then(|| Ipv6Addr::from(base6 + u128::from(index))),
                pod_subnet6: pods6.get(index as usize).copied().filter(|_| six),
                settings: options.settings_of(role, &short),
            })
            .collect())
    }

    /// Each node's role and the part of its name after the cluster's.
    fn roles(&self) -> Result<Vec<(Role, String)>, SpecError> {
        let planes = self.options.control_planes;
        if planes == 0 {
            return Err(SpecError::NoControlPlane);
        }
        let control_planes = (1..=planes).map(|number| {
            let name = match number {
                1 => "control-plane".to_owned(),
                number => format!("control-plane-{number}"),
            };
            (Role::ControlPlane, name)
        });
        let workers = (1..=self.workers).map(|number| (Role::Worker, format!("worker-{number}")));
        let balancer = (planes > 1).then(|| (Role::LoadBalancer, "load-balancer".to_owned()));
        Ok(control_planes.chain(workers).chain(balancer).collect())
    }

    /// Refuses subnets that share addresses.
    fn apart(&self, subnet: Ipv4Net) -> Result<(), SpecError> {
        let options = &self.options;
        let mut named = vec![
            ("pod", IpNet::V4(self.pod_subnet)),
            ("service", IpNet::V4(self.service_subnet)),
            ("node", IpNet::V4(subnet)),
        ];
        if options.ip_family.has_6() {
            named.extend([
                ("pod", IpNet::V6(options.pod_subnet6)),
                ("service", IpNet::V6(options.service_subnet6)),
                ("node", IpNet::V6(subnet6(subnet))),
            ]);
        }
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
        Ok(())
    }
}

/// The first node's place in its network; what is below stays free for the engine.
const FIRST_NODE: u32 = 10;
/// Nodes that fit into a /24 above it, below the address for all.
const ROOM: usize = 245;

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
            options: ClusterOptions::default(),
        }
    }

    #[test]
    fn several_control_planes_have_a_load_balancer_and_both_families_two_addresses() {
        let mut spec = spec(2, "10.244.0.0/16");
        spec.options.control_planes = 3;
        spec.options.ip_family = IpFamily::Dual;
        let worker = NodeSettings {
            taints: vec!["a=b:NoSchedule".parse().unwrap()],
            ..NodeSettings::default()
        };
        spec.options
            .per_node
            .insert("worker-2".into(), worker.clone());
        let nodes = spec.nodes("10.89.7.0/24".parse().unwrap()).unwrap();
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "a-control-plane",
                "a-control-plane-2",
                "a-control-plane-3",
                "a-worker-1",
                "a-worker-2",
                "a-load-balancer"
            ]
        );
        assert!(!nodes[5].is_member() && nodes[4].is_member());
        assert_eq!(nodes[4].settings, worker);
        assert_eq!(nodes[3].settings, NodeSettings::default());
        let second = &nodes[1];
        assert_eq!(
            second.address6,
            Some("fd89:6b63:a59:700::b".parse().unwrap())
        );
        let addresses = second.addresses(IpFamily::Dual);
        assert_eq!(addresses.len(), 2);
        assert_eq!(second.main_address(IpFamily::Dual), addresses[0]);
        assert_eq!(second.main_address(IpFamily::Ipv6), addresses[1]);
        assert_eq!(
            second.pod_subnets(IpFamily::Dual),
            [
                "10.244.1.0/24".parse().unwrap(),
                "fd00:10:244:1::/64".parse().unwrap()
            ]
        );

        spec.options.per_node.insert("worker-3".into(), worker);
        let error = spec.nodes("10.89.7.0/24".parse().unwrap()).unwrap_err();
        assert!(matches!(error, SpecError::UnknownNode(_)), "{error}");
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
