//! How the cluster fares, asked through kubectl.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use camino::Utf8Path;
use kcluster_matrix::Emulation;
use serde::Deserialize;
use tokio::time::Instant;

use crate::error::tail;
use crate::tools::{self, Tools};

/// kubectl with one cluster's kubeconfig.
#[derive(Debug, Clone, Copy)]
pub struct Kubectl<'a> {
    tools: &'a Tools,
    kubeconfig: &'a Utf8Path,
}

/// A kubectl that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The command line.
    pub command: String,
    /// Its last lines.
    pub said: String,
}

impl<'a> Kubectl<'a> {
    /// The kubectl of `tools`, for the cluster of `kubeconfig`.
    #[must_use]
    pub fn new(tools: &'a Tools, kubeconfig: &'a Utf8Path) -> Self {
        Self { tools, kubeconfig }
    }

    /// What a command prints.
    ///
    /// # Errors
    /// When it cannot be started, fails, or does not end within `limit`.
    pub async fn output(&self, args: &[&str], limit: Duration) -> Result<Vec<u8>, Refused> {
        let mut command = tools::command(&self.tools.kubectl);
        command
            .arg(format!("--kubeconfig={}", self.kubeconfig))
            .arg(format!("--request-timeout={}s", limit.as_secs().max(1)))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let pretty = tools::pretty(&command);
        let refused = |said: String| Refused {
            command: pretty.clone(),
            said,
        };
        let limit = limit + Duration::from_secs(2);
        match tokio::time::timeout(limit, command.output()).await {
            Ok(Ok(output)) if output.status.success() => Ok(output.stdout),
            Ok(Ok(output)) => Err(refused(tail(&String::from_utf8_lossy(&output.stderr), 2))),
            Ok(Err(error)) => Err(refused(error.to_string())),
            Err(_) => Err(refused(format!("no answer within {} s", limit.as_secs()))),
        }
    }

    /// The nodes and how they are.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn nodes(&self) -> Result<Vec<Node>, Refused> {
        let args = ["get", "nodes", "--output=json"];
        let json = self.output(&args, Duration::from_secs(20)).await?;
        nodes(&json).map_err(|error| Refused {
            command: "kubectl get nodes --output=json".into(),
            said: error.to_string(),
        })
    }

    /// Whether the API server is ready.
    ///
    /// # Errors
    /// When it is not, or does not answer.
    pub async fn ready(&self) -> Result<(), Refused> {
        let args = ["get", "--raw=/readyz"];
        self.output(&args, Duration::from_secs(10)).await.map(drop)
    }

    /// Ends only when the API server, or a node that was Ready `before`, has been away for too long, and says
    /// what was seen.
    pub(crate) async fn lost(&self, before: &[Node], patience: Patience) -> Lost {
        let mut every = tokio::time::interval(patience.every);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut silent_since = None;
        let mut away_since: BTreeMap<String, Instant> = BTreeMap::new();
        loop {
            every.tick().await;
            let nodes = match self.nodes().await {
                Ok(nodes) => nodes,
                Err(refused) => {
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    tracing::warn!(said = refused.said, "the API server does not answer");
                    if since.elapsed() >= patience.api_server {
                        let seconds = patience.api_server.as_secs();
                        let said = refused.said;
                        return Lost::ApiServer(format!("no answer for {seconds} s: {said}"));
                    }
                    continue;
                }
            };
            silent_since = None;
            let away = lost_nodes(before, &nodes);
            away_since.retain(|name, _| away.contains(name));
            for name in away {
                away_since.entry(name).or_insert_with(Instant::now);
            }
            let gone = away_since
                .iter()
                .filter(|(_, since)| since.elapsed() >= patience.node)
                .map(|(name, _)| name.clone());
            let gone: Vec<String> = gone.collect();
            if !gone.is_empty() {
                return Lost::Nodes(gone);
            }
        }
    }
}

/// How long what is away may stay away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often the API server is asked during a run; a question costs about 50 ms of one core.
    pub every: Duration,
    /// So long without an answer is no hiccup: a restart of the API server takes a quarter of it.
    pub api_server: Duration,
    /// How long a node may be not Ready, which is told about 40 s after its last sign of life.
    pub node: Duration,
}

impl Patience {
    /// What is enough on a cluster of which that much is emulated.
    #[must_use]
    pub fn of(emulation: Emulation) -> Self {
        let native = Self::default();
        Self {
            api_server: native.api_server * emulation.patience(),
            node: native.node * emulation.patience(),
            ..native
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(15),
            api_server: Duration::from_secs(120),
            node: Duration::from_secs(60),
        }
    }
}

/// What a run cannot do without and has lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The API server, and what was seen.
    ApiServer(String),
    /// These nodes.
    Nodes(Vec<String>),
}

/// One node, as far as runs care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether its Ready condition is true.
    pub ready: bool,
    /// Whether ordinary pods may be placed there.
    pub schedulable: bool,
    /// Keys of taints that somebody put there to keep pods away, not those that tell how the node is.
    pub kept_free_by: Vec<String>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize, Default)]
struct Spec {
    #[serde(default)]
    unschedulable: bool,
    #[serde(default)]
    taints: Vec<Taint>,
}

#[derive(Deserialize)]
struct Taint {
    key: String,
    effect: String,
}

impl Taint {
    fn keeps_pods_away(&self) -> bool {
        self.effect != "PreferNoSchedule"
    }

    /// Kubernetes itself puts these there and takes them away again.
    fn tells_how_the_node_is(&self) -> bool {
        let (prefix, _) = self.key.split_once('/').unwrap_or_default();
        ["node.kubernetes.io", "node.cloudprovider.kubernetes.io"].contains(&prefix)
    }
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

/// Reads what `kubectl get nodes --output=json` prints.
fn nodes(json: &[u8]) -> Result<Vec<Node>, serde_json::Error> {
    let list: List = serde_json::from_slice(json)?;
    let node = |item: Item| {
        let taints = item.spec.taints.into_iter();
        let taints: Vec<Taint> = taints.filter(Taint::keeps_pods_away).collect();
        Node {
            ready: item
                .status
                .conditions
                .iter()
                .any(|condition| condition.r#type == "Ready" && condition.status == "True"),
            schedulable: !item.spec.unschedulable && taints.is_empty(),
            kept_free_by: taints
                .into_iter()
                .filter(|taint| !taint.tells_how_the_node_is())
                .map(|taint| taint.key)
                .collect(),
            name: item.metadata.name,
        }
    };
    Ok(list.items.into_iter().map(node).collect())
}

/// Names of nodes that were Ready and are not, or are gone. One that takes no pods is not
/// missed while another such one is Ready: one of several control planes may go.
pub(crate) fn lost_nodes(before: &[Node], after: &[Node]) -> Vec<String> {
    let ready: BTreeSet<&str> = names_of_ready(after).collect();
    let apart = |node: &&Node| !node.schedulable && ready.contains(node.name.as_str());
    let spare = before.iter().any(|node| apart(&node));
    before
        .iter()
        .filter(|node| node.ready && !ready.contains(node.name.as_str()))
        .filter(|node| node.schedulable || !spare)
        .map(|node| node.name.clone())
        .collect()
}

fn names_of_ready(nodes: &[Node]) -> impl Iterator<Item = &str> {
    nodes
        .iter()
        .filter(|node| node.ready)
        .map(|node| node.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_taints_that_somebody_put_there_keep_a_node_free() {
        let json = r#"{"items": [{"metadata": {"name": "a"}, "spec": {"taints": [
          {"key": "for", "value": "one", "effect": "NoSchedule"}, {"key": "rather", "effect": "PreferNoSchedule"},
          {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]}}]}"#;
        let nodes = nodes(json.as_bytes()).unwrap();
        assert_eq!(nodes[0].kept_free_by, ["for"]);
        assert!(!nodes[0].schedulable);
    }

    const NODES: &str = r#"{"items": [
      {"metadata": {"name": "a-control-plane"}, "spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]},
       "status": {"conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}]}},
      {"metadata": {"name": "a-worker-1"}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
      {"metadata": {"name": "a-worker-2"}, "spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
      {"metadata": {"name": "new"}}
    ]}"#;

    #[test]
    fn nodes_are_read_and_lost_ones_are_told() {
        let before = nodes(NODES.as_bytes()).unwrap();
        let facts: Vec<_> = before
            .iter()
            .map(|node| (node.ready, node.schedulable))
            .collect();
        assert_eq!(
            facts,
            [(true, false), (true, true), (false, false), (false, true)]
        );
        let mut after = before.clone();
        after[1].ready = false;
        after.remove(0);
        assert_eq!(
            lost_nodes(&before, &after),
            ["a-control-plane", "a-worker-1"]
        );
        assert!(lost_nodes(&before, &before).is_empty());
        let mut planes = before.clone();
        planes.push(Node {
            name: "a-control-plane-2".into(),
            ..before[0].clone()
        });
        let mut after = planes.clone();
        after[0].ready = false;
        assert!(lost_nodes(&planes, &after).is_empty(), "another is there");
        after[4].ready = false;
        assert_eq!(lost_nodes(&planes, &after).len(), 2);
        assert!(nodes(b"error: You must be logged in").is_err());
    }
}
