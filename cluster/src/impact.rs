//! What a suspension did to pods and nodes, folded from the API's events. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::impact::{Impact, NodeGap, PodImpact};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::connections::{Connection, lost};

/// What there was before the nodes were frozen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Pods by their uid.
    pub(crate) pods: BTreeMap<String, Pod>,
    /// When each node's lease was last renewed.
    pub(crate) leases: BTreeMap<String, Timestamp>,
    /// How often each event about a failed probe had come.
    #[serde(default)]
    pub(crate) probes: BTreeMap<String, u64>,
    /// Connections of pods.
    #[serde(default)]
    pub(crate) connections: BTreeSet<Connection>,
}

/// What matters here of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pod {
    name: String,
    class: String,
    restarts: u64,
    ready: bool,
    evicted: bool,
}

/// A pod since the nodes went on.
#[derive(Debug, Default)]
struct Since {
    restarts: u64,
    evicted: bool,
    deleted: bool,
    lost: bool,
    ready: bool,
    ready_at: Duration,
}

/// Takes events, gives an [`Impact`].
#[derive(Debug)]
pub(crate) struct Fold {
    before: Before,
    pods: BTreeMap<String, Since>,
    leases: BTreeMap<String, Timestamp>,
    /// Events of failed probes: whose, and how often since.
    probes: BTreeMap<String, (String, u64)>,
    connections: BTreeMap<String, BTreeSet<Connection>>,
}

impl Before {
    /// From the API's lists and the nodes' connections.
    pub(crate) fn new(
        pods: &Value,
        leases: &Value,
        probes: &Value,
        connections: BTreeSet<Connection>,
    ) -> Self {
        let items = |list: &Value| {
            let items = list["items"].as_array();
            items.cloned().unwrap_or_default()
        };
        let (pods, leases, probes) = (items(pods), items(leases), items(probes));
        Self {
            pods: pods.iter().filter_map(pod).collect(),
            leases: leases.iter().filter_map(lease).collect(),
            probes: probes
                .iter()
                .filter_map(probe)
                .map(|(uid, _, count)| (uid, count))
                .collect(),
            connections,
        }
    }
}

impl Fold {
    pub(crate) fn new(before: Before) -> Self {
        Self {
            before,
            pods: BTreeMap::new(),
            leases: BTreeMap::new(),
            probes: BTreeMap::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Takes the connections that `node` has afterwards.
    pub(crate) fn connections(&mut self, node: &str, now: BTreeSet<Connection>) {
        self.connections.insert(node.to_owned(), now);
    }

    /// Takes an event of a watch of pods, leases or events, `at` after the nodes went on.
    pub(crate) fn take(&mut self, at: Duration, event: &Value) {
        let object = &event["object"];
        if object["kind"] == "Lease" {
            if let Some((node, renewed)) = lease(object)
                && self
                    .before
                    .leases
                    .get(&node)
                    .is_some_and(|old| renewed > *old)
            {
                self.leases.entry(node).or_insert(renewed);
            }
            return;
        }
        if object["kind"] == "Event" {
            if let Some((uid, pod, count)) = probe(object) {
                let known = self.before.probes.get(&uid).copied().unwrap_or(0);
                self.probes.insert(uid, (pod, count.saturating_sub(known)));
            }
            return;
        }
        let Some((uid, now)) = pod(object) else {
            return;
        };
        let Some(before) = self.before.pods.get(&uid) else {
            return;
        };
        let since = self.pods.entry(uid).or_default();
        let restarts = now.restarts.saturating_sub(before.restarts);
        since.restarts = since.restarts.max(restarts);
        since.evicted |= now.evicted && !before.evicted;
        since.deleted |=
            event["type"] == "DELETED" || object["metadata"]["deletionTimestamp"].is_string();
        since.lost |= before.ready && !now.ready;
        if now.ready && !since.ready && since.lost {
            since.ready_at = at;
        }
        since.ready = now.ready;
    }

    pub(crate) fn impact(&self) -> Impact {
        let mut impact = Impact::default();
        let untouched = Since::default();
        for (uid, before) in &self.before.pods {
            // One of which nothing came was removed before the watch began.
            let since = self.pods.get(uid);
            let gone = since.is_none();
            let since = since.unwrap_or(&untouched);
            let class = impact.classes.entry(before.class.clone()).or_default();
            class.pods += 1;
            let deleted = (since.deleted || gone) && !since.evicted;
            let waits = before.ready && !since.ready && !since.deleted && !gone;
            let mut words = Vec::new();
            let mut count = |so: bool, counter: &mut usize, word: &str| {
                if so {
                    *counter += 1;
                    words.push(word.to_owned());
                }
            };
            count(since.restarts > 0, &mut class.restarted, "restarted");
            count(since.evicted, &mut class.evicted, "evicted");
            count(deleted, &mut class.deleted, "deleted");
            count(since.lost, &mut class.lost_readiness, "lost readiness");
            count(waits, &mut class.not_ready, "is not Ready yet");
            class.restarts += since.restarts;
            let failed = self.probes.values().filter(|(pod, _)| *pod == before.name);
            let failed: u64 = failed.map(|(_, count)| count).sum();
            class.probe_failures += failed;
            if failed > 0 {
                words.push(format!("{failed} probes failed"));
            }
            let seconds = since.ready_at.as_secs_f64();
            if since.lost && since.ready {
                words.push(format!("Ready after {seconds:.1} s"));
            }
            class.seconds_until_ready = class.seconds_until_ready.max(seconds);
            if !words.is_empty() {
                impact.pods.push(PodImpact {
                    pod: before.name.clone(),
                    class: before.class.clone(),
                    what: words.join(", "),
                });
            }
        }
        if !self.connections.is_empty() {
            let lost = lost(&self.before.connections, &self.connections);
            for (name, class) in &mut impact.classes {
                let (open, lost) = lost.get(name).copied().unwrap_or_default();
                (class.connections, class.connections_lost) = (Some(open), Some(lost));
            }
        }
        for (node, before) in &self.before.leases {
            let renewed = self.leases.get(node);
            impact.nodes.push(NodeGap {
                node: node.clone(),
                lease_gap_seconds: renewed
                    .map(|renewed| renewed.duration_since(*before).as_secs_f64()),
            });
        }
        impact
    }
}

fn pod(object: &Value) -> Option<(String, Pod)> {
    let (meta, status) = (&object["metadata"], &object["status"]);
    let uid = meta["uid"].as_str()?.to_owned();
    let list = |key: &str| status[key].as_array().into_iter().flatten();
    let holds =
        |kind: &str| list("conditions").any(|one| one["type"] == kind && one["status"] == "True");
    let restarts = list("containerStatuses").filter_map(|one| one["restartCount"].as_u64());
    let name = format!(
        "{}/{}",
        meta["namespace"].as_str().unwrap_or_default(),
        meta["name"].as_str()?
    );
    Some((
        uid,
        Pod {
            name,
            class: status["qosClass"]
                .as_str()
                .unwrap_or("BestEffort")
                .to_owned(),
            restarts: restarts.sum(),
            ready: holds("Ready"),
            evicted: status["reason"] == "Evicted" || holds("DisruptionTarget"),
        },
    ))
}

/// An event that tells of failed probes: its own id, whose, and how many.
fn probe(object: &Value) -> Option<(String, String, u64)> {
    if object["reason"] != "Unhealthy" {
        return None;
    }
    let about = &object["involvedObject"];
    let pod = format!(
        "{}/{}",
        about["namespace"].as_str()?,
        about["name"].as_str()?
    );
    // Of one that is counted as a series, or came once.
    let count = object["count"]
        .as_u64()
        .or(object["series"]["count"].as_u64());
    let uid = object["metadata"]["uid"].as_str()?.to_owned();
    Some((uid, pod, count.unwrap_or(1)))
}

fn lease(object: &Value) -> Option<(String, Timestamp)> {
    let node = object["metadata"]["name"].as_str()?.to_owned();
    let renewed = object["spec"]["renewTime"].as_str()?.parse().ok()?;
    Some((node, renewed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::impact::ClassImpact;
    use serde_json::json;

    fn pod(uid: &str, class: &str, restarts: u64, ready: bool) -> Value {
        let ready = if ready { "True" } else { "False" };
        json!({
            "kind": "Pod",
            "metadata": { "uid": uid, "name": uid, "namespace": "n" },
            "status": {
                "qosClass": class,
                "conditions": [{ "type": "Ready", "status": ready }],
                "containerStatuses": [{ "restartCount": restarts }],
            },
        })
    }

    fn lease(node: &str, second: u8) -> Value {
        let at = format!("2026-11-21T04:00:{second:02}.500000Z");
        json!({ "kind": "Lease", "metadata": { "name": node }, "spec": { "renewTime": at } })
    }

    fn unhealthy(uid: &str, pod: &str, count: u64) -> Value {
        json!({
            "kind": "Event", "reason": "Unhealthy", "count": count,
            "metadata": { "uid": uid },
            "involvedObject": { "namespace": "n", "name": pod },
        })
    }

    fn event(kind: &str, object: &Value) -> Value {
        json!({ "type": kind, "object": object })
    }

    #[test]
    fn each_class_counts_what_happened_to_its_pods() {
        let pods = json!({ "items": [
            pod("calm", "Guaranteed", 1, true),
            pod("weak", "Burstable", 0, true),
            pod("poor", "BestEffort", 0, true),
            pod("gone", "BestEffort", 0, true),
        ] });
        let leases = json!({ "items": [lease("a", 1), lease("b", 1)] });
        let probes = json!({ "items": [unhealthy("e1", "weak", 4)] });
        let socket = |class: &str, socket| Connection {
            node: "a".into(),
            class: class.into(),
            socket,
        };
        let open = BTreeSet::from([socket("Burstable", 1), socket("Burstable", 2)]);
        let mut fold = Fold::new(Before::new(&pods, &leases, &probes, open));
        let mut at = |second: u64, event: Value| fold.take(Duration::from_secs(second), &event);
        at(0, event("ADDED", &pod("calm", "Guaranteed", 1, true)));
        at(0, event("ADDED", &pod("weak", "Burstable", 0, true)));
        at(0, event("ADDED", &pod("new", "Burstable", 9, false)));
        at(1, event("MODIFIED", &pod("weak", "Burstable", 1, false)));
        at(3, event("MODIFIED", &pod("weak", "Burstable", 1, true)));
        let mut evicted = pod("poor", "BestEffort", 0, false);
        evicted["status"]["reason"] = "Evicted".into();
        at(2, event("MODIFIED", &evicted));
        at(0, event("ADDED", &lease("a", 1)));
        at(1, event("MODIFIED", &lease("a", 31)));
        at(9, event("MODIFIED", &lease("a", 41)));

        at(0, event("ADDED", &unhealthy("e1", "weak", 4)));
        at(2, event("MODIFIED", &unhealthy("e1", "weak", 6)));
        at(3, event("ADDED", &unhealthy("e2", "weak", 1)));
        at(3, event("ADDED", &unhealthy("e3", "new", 1)));
        fold.connections("a", [socket("Burstable", 2)].into());

        let impact = fold.impact();
        assert_eq!(
            impact.classes["Guaranteed"],
            ClassImpact {
                pods: 1,
                connections: Some(0),
                connections_lost: Some(0),
                ..ClassImpact::default()
            }
        );
        assert_eq!(
            impact.classes["Burstable"],
            ClassImpact {
                pods: 1,
                restarted: 1,
                restarts: 1,
                lost_readiness: 1,
                probe_failures: 3,
                connections: Some(2),
                connections_lost: Some(1),
                seconds_until_ready: 3.0,
                ..ClassImpact::default()
            }
        );
        let poor = &impact.classes["BestEffort"];
        assert_eq!(
            (poor.pods, poor.evicted, poor.deleted, poor.not_ready),
            (2, 1, 1, 1)
        );
        assert_eq!(impact.pods.len(), 3);
        let gaps: Vec<Option<f64>> = impact
            .nodes
            .iter()
            .map(|node| node.lease_gap_seconds)
            .collect();
        assert_eq!(gaps, [Some(30.0), None]);
    }
}
