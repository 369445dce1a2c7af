//! What the engine in memory has, and what it refuses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use crate::engine::{EngineError, ImageInfo, Labels, NetworkSpec, NodeInfo, NodeSpec, NodeState};

/// The first port handed out where the engine may choose.
const FIRST_PORT: u16 = 40000;

pub(super) struct Failure {
    pub(super) call: String,
    /// No error any more: the failure is used up.
    pub(super) error: Box<dyn Fn() -> Option<EngineError> + Send + Sync>,
}

pub(super) struct Node {
    pub(super) spec: NodeSpec,
    pub(super) state: NodeState,
    pub(super) published: Option<(IpAddr, u16)>,
}

impl Node {
    /// A frozen one keeps its addresses and ports.
    fn is_up(&self) -> bool {
        matches!(self.state, NodeState::Running | NodeState::Paused)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) calls: Vec<String>,
    pub(super) failures: Vec<Failure>,
    pub(super) images: Vec<ImageInfo>,
    pub(super) networks: BTreeMap<String, NetworkSpec>,
    pub(super) volumes: BTreeMap<String, Labels>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

impl State {
    pub(super) fn called(&mut self, line: String) -> Result<(), EngineError> {
        let fails = |failure: &Failure| {
            let rest = line.strip_prefix(&failure.call)?;
            // "start_node a" is not the beginning of "start_node ab".
            (rest.is_empty() || rest.starts_with(' ')).then(|| (failure.error)())?
        };
        let error = self.failures.iter().find_map(fails);
        self.calls.push(line);
        error.map_or(Ok(()), Err)
    }

    pub(super) fn create_network(&mut self, spec: &NetworkSpec) -> Result<(), EngineError> {
        if self.networks.contains_key(&spec.name) {
            return Err(exists("network", &spec.name));
        }
        let overlaps =
            |other: &Ipv4Net| other.contains(&spec.subnet) || spec.subnet.contains(other);
        if self.networks.values().any(|other| overlaps(&other.subnet)) {
            return Err(EngineError::SubnetTaken {
                subnet: spec.subnet.to_string(),
            });
        }
        self.networks.insert(spec.name.clone(), spec.clone());
        Ok(())
    }

    pub(super) fn remove_network(&mut self, name: &str) -> Result<(), EngineError> {
        let in_use = |node: &Node| node.spec.network == name && node.is_up();
        if self.nodes.values().any(in_use) {
            return Err(failed("remove network", name, "it has active endpoints"));
        }
        match self.networks.remove(name) {
            Some(_) => Ok(()),
            None => Err(missing("network", name)),
        }
    }

    pub(super) fn create_volume(&mut self, name: &str, labels: &Labels) -> Result<(), EngineError> {
        if self.volumes.contains_key(name) {
            return Err(exists("volume", name));
        }
        self.volumes.insert(name.to_owned(), labels.clone());
        Ok(())
    }

    pub(super) fn remove_volume(&mut self, name: &str) -> Result<(), EngineError> {
        if self.nodes.values().any(|node| node.spec.var_volume == name) {
            return Err(failed("remove volume", name, "volume is in use"));
        }
        match self.volumes.remove(name) {
            Some(_) => Ok(()),
            None => Err(missing("volume", name)),
        }
    }

    pub(super) fn image(&self, reference: &str) -> Option<&ImageInfo> {
        self.images.iter().find(|image| {
            image.id == reference || image.references.iter().any(|other| other == reference)
        })
    }

    pub(super) fn remove_image(&mut self, reference: &str) -> Result<(), EngineError> {
        if self.image(reference).is_none() {
            return Err(missing("image", reference));
        }
        if self.nodes.values().any(|node| node.spec.image == reference) {
            return Err(failed("remove image", reference, "a container uses it"));
        }
        for image in &mut self.images {
            image.references.retain(|other| other != reference);
        }
        self.images
            .retain(|image| image.id != reference && !image.references.is_empty());
        Ok(())
    }

    pub(super) fn create_node(&mut self, spec: &NodeSpec) -> Result<(), EngineError> {
        if self.nodes.contains_key(&spec.name) {
            return Err(exists("node", &spec.name));
        }
        let Some(image) = self.image(&spec.image) else {
            return Err(missing("image", &spec.image));
        };
        if !self.volumes.contains_key(&spec.var_volume) {
            return Err(missing("volume", &spec.var_volume));
        }
        // Containers carry their image's labels beside their own.
        let mut labels = image.labels.clone();
        labels.extend(spec.labels.clone());
        self.files.remove(&spec.name);
        self.nodes.insert(
            spec.name.clone(),
            Node {
                spec: NodeSpec {
                    labels,
                    ..spec.clone()
                },
                state: NodeState::Created,
                published: None,
            },
        );
        Ok(())
    }

    pub(super) fn start_node(&mut self, name: &str) -> Result<(), EngineError> {
        let spec = self.node(name)?.spec.clone();
        let Some(network) = self.networks.get(&spec.network) else {
            return Err(missing("network", &spec.network));
        };
        if !network.subnet.contains(&spec.address) {
            let reason = "the address is not in the network's subnet";
            return Err(failed("start node", name, reason));
        }
        let running = |other: &&Node| other.spec.name != name && other.is_up();
        let others: Vec<&Node> = self.nodes.values().filter(running).collect();
        let same = |other: &&Node| {
            other.spec.network == spec.network && other.spec.address == spec.address
        };
        if others.iter().any(same) {
            return Err(failed("start node", name, "Address already in use"));
        }
        let taken: Vec<u16> = others
            .iter()
            .filter_map(|other| Some(other.published?.1))
            .collect();
        let published = match spec.publish_api {
            None => None,
            Some((_, port)) if port != 0 && taken.contains(&port) => {
                return Err(EngineError::PortTaken { port });
            }
            Some((address, 0)) => {
                let free = (FIRST_PORT..).find(|port| !taken.contains(port));
                free.map(|port| (address, port))
            }
            chosen => chosen,
        };
        if let Some(node) = self.nodes.get_mut(name) {
            node.state = NodeState::Running;
            node.published = published;
        }
        Ok(())
    }

    /// Stops, freezes or thaws: a node in `from` gets to `to`, another stays as it is.
    pub(super) fn turn(
        &mut self,
        name: &str,
        from: &[NodeState],
        to: NodeState,
    ) -> Result<(), EngineError> {
        let node = self
            .nodes
            .get_mut(name)
            .ok_or_else(|| missing("node", name))?;
        if from.contains(&node.state) {
            node.state = to;
        }
        Ok(())
    }

    pub(super) fn copy_volumes(
        &self,
        image: &str,
        pairs: &[(String, String)],
    ) -> Result<(), EngineError> {
        if self.image(image).is_none() {
            return Err(missing("image", image));
        }
        for name in pairs.iter().flat_map(|(from, to)| [from, to]) {
            if !self.volumes.contains_key(name) {
                return Err(missing("volume", name));
            }
        }
        Ok(())
    }

    pub(super) fn node(&self, name: &str) -> Result<&Node, EngineError> {
        self.nodes.get(name).ok_or_else(|| missing("node", name))
    }

    /// A node that a command can run in.
    pub(super) fn running(&self, name: &str) -> Result<(), EngineError> {
        if self.node(name)?.state == NodeState::Running {
            Ok(())
        } else {
            let reason = format!("Container {name} is not running");
            Err(failed("run a command in node", name, &reason))
        }
    }

    pub(super) fn list_nodes(&self, labels: &Labels) -> Vec<NodeInfo> {
        self.nodes
            .values()
            .filter(|node| carries(&node.spec.labels, labels))
            .map(|node| {
                let running = node.is_up();
                NodeInfo {
                    name: node.spec.name.clone(),
                    image: node.spec.image.clone(),
                    labels: node.spec.labels.clone(),
                    state: node.state,
                    address: running.then_some::<Ipv4Addr>(node.spec.address),
                    published_api: node.published.filter(|_| running),
                }
            })
            .collect()
    }
}

pub(super) fn carries(labels: &Labels, wanted: &Labels) -> bool {
    wanted
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

fn exists(what: &'static str, name: &str) -> EngineError {
    EngineError::Exists {
        what,
        name: name.to_owned(),
    }
}

pub(super) fn missing(what: &'static str, name: &str) -> EngineError {
    EngineError::Missing {
        what,
        name: name.to_owned(),
    }
}

pub(super) fn failed(operation: &str, name: &str, reason: &str) -> EngineError {
    EngineError::Failed {
        operation: format!("{operation} `{name}`"),
        reason: reason.to_owned(),
    }
}
