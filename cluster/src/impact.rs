//! What a suspension did to pods and nodes, folded from the API's events. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What there was before the nodes were frozen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Pods by their uid.
    pub(crate) pods: BTreeMap<String, Pod>,
    /// When each node's lease was last renewed.
    pub(crate) leases: BTreeMap<String, Timestamp>,
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

/// What came of a suspension, by quality of service.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Impact {
    /// BestEffort, Burstable, Guaranteed; those that have pods.
    pub classes: BTreeMap<String, ClassImpact>,
    /// Pods to which something happened.
    pub pods: Vec<PodImpact>,
    /// Nodes, with the time between two renewals of their leases.
    pub nodes: Vec<NodeGap>,
}

/// What happened to the pods of one class.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ClassImpact {
    /// How many there were.
    pub pods: usize,
    /// Of which containers were restarted.
    pub restarted: usize,
    /// Which the kubelet or a taint evicted.
    pub evicted: usize,
    /// Which were removed otherwise.
    pub deleted: usize,
    /// Which were not Ready for a while.
    pub lost_readiness: usize,
    /// Which are not Ready again yet.
    pub not_ready: usize,
    /// Seconds from resuming until the last one was Ready (again).
    pub seconds_until_ready: f64,
}

/// What happened to one pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PodImpact {
    /// Namespace and name.
    pub pod: String,
    /// Its class.
    pub class: String,
    /// In a few words.
    pub what: String,
}

/// How long a node's lease was not renewed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeGap {
    /// The node.
    pub node: String,
    /// Seconds; none if it is not renewed yet.
    pub lease_gap_seconds: Option<f64>,
}

/// A pod since the nodes went on.
#[derive(Debug, Default)]
struct Since {
    restarted: bool,
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
}

impl Before {
    /// From the API's lists.
    pub(crate) fn new(pods: &Value, leases: &Value) -> Self {
        let items = |list: &Value| {
            let items = list["items"].as_array();
            items.cloned().unwrap_or_default()
        };
        let pods = items(pods);
        let leases = items(leases);
        Self {
            pods: pods.iter().filter_map(pod).collect(),
            leases: leases.iter().filter_map(lease).collect(),
        }
    }
}

impl Fold {
    pub(crate) fn new(before: Before) -> Self {
        Self {
            before,
            pods: BTreeMap::new(),
            leases: BTreeMap::new(),
        }
    }

    /// Takes an event of a watch of pods or leases, `at` after the nodes went on.
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
        let Some((uid, now)) = pod(object) else {
            return;
        };
        let Some(before) = self.before.pods.get(&uid) else {
            return;
        };
        let since = self.pods.entry(uid).or_default();
        since.restarted |= now.restarts > before.restarts;
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
            count(since.restarted, &mut class.restarted, "restarted");
            count(since.evicted, &mut class.evicted, "evicted");
            count(deleted, &mut class.deleted, "deleted");
            count(since.lost, &mut class.lost_readiness, "lost readiness");
            count(waits, &mut class.not_ready, "is not Ready yet");
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

fn lease(object: &Value) -> Option<(String, Timestamp)> {
    let node = object["metadata"]["name"].as_str()?.to_owned();
    let renewed = object["spec"]["renewTime"].as_str()?.parse().ok()?;
    Some((node, renewed))
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut fold = Fold::new(Before::new(&pods, &leases));
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

        let impact = fold.impact();
        assert_eq!(
            impact.classes["Guaranteed"],
            ClassImpact {
                pods: 1,
                ..ClassImpact::default()
            }
        );
        assert_eq!(
            impact.classes["Burstable"],
            ClassImpact {
                pods: 1,
                restarted: 1,
                lost_readiness: 1,
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
