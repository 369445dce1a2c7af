//! Whether all is Ready, folded from the API's events. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

/// Static pods of a control plane.
const CONTROL_PLANE: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// What is known of nodes and of kube-system's pods.
#[derive(Debug)]
pub(super) struct Readiness {
    wanted: Vec<String>,
    control_planes: Vec<String>,
    networked: bool,
    /// What runs on each node, by its label `k8s-app`.
    agents: Vec<&'static str>,
    /// Containers and heartbeats of an earlier life: what is told with them is not true now.
    stale: BTreeSet<String>,
    nodes: BTreeMap<String, bool>,
    pods: BTreeMap<String, Pod>,
}

#[derive(Debug, PartialEq)]
struct Pod {
    app: String,
    node: String,
    host_network: bool,
    /// Why it is not Ready.
    waits: Option<String>,
}

impl Readiness {
    /// For a cluster of `wanted` nodes; without a network, only what needs none counts.
    pub(super) fn new(wanted: Vec<String>, control_planes: Vec<String>, networked: bool) -> Self {
        Self {
            wanted,
            control_planes,
            networked,
            agents: vec!["kube-proxy"],
            stale: BTreeSet::new(),
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
        }
    }

    /// The same, with more that runs on each node.
    pub(super) fn with_agents(mut self, agents: impl IntoIterator<Item = &'static str>) -> Self {
        self.agents.extend(agents);
        self
    }

    /// Believes only what was written after the marks in `stale` (see [`marks`]).
    pub(super) fn after(mut self, stale: BTreeSet<String>) -> Self {
        self.stale = stale;
        self
    }

    /// Forgets what is known of one kind, because all of it will be told anew.
    pub(super) fn forget(&mut self, kind: &str) {
        if kind == "Node" {
            self.nodes.clear();
        } else {
            self.pods.clear();
        }
    }

    /// Takes one event of a watch; what comes back says what became Ready by it.
    pub(super) fn take(&mut self, event: &str) -> Option<String> {
        let event: Value = serde_json::from_str(event).ok()?;
        let object = &event["object"];
        let name = object["metadata"]["name"].as_str()?;
        let gone = event["type"] == "DELETED";
        match object["kind"].as_str()? {
            "Node" if gone => self.nodes.remove(name).and(None),
            "Node" => {
                let ready = condition(object, "Ready") && !self.is_stale(object);
                let before = self.nodes.insert(name.to_owned(), ready);
                (ready && before != Some(true)).then(|| format!("node {name} is Ready"))
            }
            "Pod" if gone || object["metadata"]["deletionTimestamp"].is_string() => {
                self.pods.remove(name).and(None)
            }
            "Pod" => {
                let mut pod = pod(object);
                if self.is_stale(object) {
                    pod.waits = Some("of an earlier life".to_owned());
                }
                let ready = pod.waits.is_none();
                let before = self.pods.insert(name.to_owned(), pod);
                let was = before.is_some_and(|pod| pod.waits.is_none());
                (ready && !was).then(|| format!("pod {name} is Ready"))
            }
            _ => None,
        }
    }

    fn is_stale(&self, object: &Value) -> bool {
        marks(object).iter().any(|mark| self.stale.contains(mark))
    }

    /// Whether every node has an object.
    pub(super) fn registered(&self) -> bool {
        self.wanted.iter().all(|node| self.nodes.contains_key(node))
    }

    /// What is still waited for; empty when all is Ready.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for node in &self.wanted {
            match self.nodes.get(node) {
                None => missing.push(format!("node {node} has not registered")),
                Some(false) if self.networked => missing.push(format!("node {node} is not Ready")),
                Some(_) => {}
            }
            for agent in &self.agents {
                let runs = |pod: &Pod| pod.app == *agent && pod.node == *node;
                if !self.pods.values().any(runs) {
                    missing.push(format!("node {node} has no {agent}"));
                }
            }
        }
        let component = |node| CONTROL_PLANE.map(|component| format!("{component}-{node}"));
        for name in self.control_planes.iter().flat_map(component) {
            if !self.pods.contains_key(&name) {
                missing.push(format!("there is no pod {name}"));
            }
        }
        if self.networked && !self.pods.values().any(|pod| pod.app == "kube-dns") {
            missing.push("there is no CoreDNS".to_owned());
        }
        for (name, pod) in &self.pods {
            if let Some(waits) = &pod.waits
                && (self.networked || pod.host_network)
            {
                missing.push(format!("pod {name} is not Ready ({waits})"));
            }
        }
        missing
    }
}

/// What tells two lives of an object apart: a pod's containers, a node's last heartbeat.
pub(crate) fn marks(object: &Value) -> Vec<String> {
    let list = |key: &str| object["status"][key].as_array().into_iter().flatten();
    let containers = list("containerStatuses")
        .filter_map(|container| container["containerID"].as_str())
        .filter(|id| !id.is_empty())
        .map(str::to_owned);
    let heartbeats = list("conditions")
        .filter(|condition| condition["type"] == "Ready")
        .filter_map(|condition| condition["lastHeartbeatTime"].as_str())
        .map(|at| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            format!("{name} {at}")
        });
    containers.chain(heartbeats).collect()
}

/// The [`marks`] of an object that are from before `since`.
pub(super) fn older_marks(object: &Value, since: Timestamp) -> Vec<String> {
    let earlier = |at: &Value| {
        let at: Option<Timestamp> = at.as_str().and_then(|at| at.parse().ok());
        // Kubernetes tells whole seconds.
        at.is_none_or(|at| at.as_second() < since.as_second())
    };
    let mut object = object.clone();
    let mut keep = |key: &str, old: &dyn Fn(&Value) -> bool| {
        if let Some(list) = object["status"][key].as_array_mut() {
            list.retain(old);
        }
    };
    keep("containerStatuses", &|container| {
        let state = &container["state"];
        earlier(&state["running"]["startedAt"]) && earlier(&state["terminated"]["startedAt"])
    });
    keep("conditions", &|condition| {
        earlier(&condition["lastHeartbeatTime"])
    });
    marks(&object)
}

fn condition(object: &Value, kind: &str) -> bool {
    object["status"]["conditions"]
        .as_array()
        .is_some_and(|conditions| {
            conditions
                .iter()
                .any(|condition| condition["type"] == kind && condition["status"] == "True")
        })
}

fn pod(object: &Value) -> Pod {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spec = &object["spec"];
    let status = &object["status"];
    let done = status["phase"] == "Succeeded";
    let waits = (!done && !condition(object, "Ready")).then(|| {
        let reason = status["containerStatuses"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|container| container["state"]["waiting"]["reason"].as_str());
        reason.map_or_else(|| text(&status["phase"]), str::to_owned)
    });
    Pod {
        app: text(&object["metadata"]["labels"]["k8s-app"]),
        node: text(&spec["nodeName"]),
        host_network: spec["hostNetwork"] == true,
        waits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::events::{node, pod as pod_event, pods};

    fn readiness(networked: bool) -> Readiness {
        Readiness::new(
            vec!["a-control-plane".into(), "a-worker-1".into()],
            vec!["a-control-plane".into()],
            networked,
        )
    }

    #[test]
    fn all_is_ready_when_every_part_is() {
        let mut state = readiness(true);
        assert!(!state.registered());
        for name in ["a-control-plane", "a-worker-1"] {
            assert_eq!(state.take(&node("ADDED", name, false)), None);
        }
        assert!(state.registered());
        let ready = state.take(&node("MODIFIED", "a-worker-1", true));
        assert_eq!(ready.as_deref(), Some("node a-worker-1 is Ready"));
        assert_eq!(state.take(&node("MODIFIED", "a-worker-1", true)), None);
        state.take(&node("MODIFIED", "a-control-plane", true));
        for event in pods(&["a-control-plane", "a-worker-1"]) {
            assert!(!state.missing().is_empty());
            state.take(&event);
        }
        assert_eq!(state.missing(), Vec::<String>::new());
        state.take(&pod_event(
            "ADDED",
            "late",
            "",
            "a-worker-1",
            Some("ImagePullBackOff"),
        ));
        assert_eq!(
            state.missing(),
            ["pod late is not Ready (ImagePullBackOff)"]
        );
        state.take(&pod_event("DELETED", "late", "", "a-worker-1", None));
        assert!(state.missing().is_empty());
        state.forget("Pod");
        assert!(!state.missing().is_empty());
    }

    #[test]
    fn without_a_network_only_what_needs_none_counts() {
        let mut state = readiness(false);
        for name in ["a-control-plane", "a-worker-1"] {
            state.take(&node("ADDED", name, false));
        }
        for event in pods(&["a-control-plane", "a-worker-1"]) {
            state.take(&event);
        }
        state.take(&pod_event(
            "MODIFIED",
            "coredns-x",
            "kube-dns",
            "",
            Some("Pending"),
        ));
        assert_eq!(state.missing(), Vec::<String>::new());
    }
}
