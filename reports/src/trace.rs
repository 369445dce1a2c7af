//! Events as a timeline in Chrome's trace format, for `chrome://tracing` and Perfetto.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::{Event, EventKind};
use serde_json::{Value, json};

/// One track for the cluster as a whole and one for each node; a bar for each step and build.
#[must_use]
pub fn render(events: &[Event]) -> String {
    let began = events
        .iter()
        .map(|event| event.at)
        .min()
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let mut tracks: BTreeMap<String, usize> = BTreeMap::from([(String::new(), 0)]);
    let mut bars = Vec::new();
    for event in events {
        let (name, node, took, kind) = match &event.kind {
            EventKind::StepFinished {
                step, node, took, ..
            } => (step.to_string(), node.clone(), *took, "step"),
            EventKind::BuildFinished { what, took, cached } if !cached => {
                (what.clone(), None, *took, "build")
            }
            _ => continue,
        };
        let next = tracks.len();
        let track = *tracks.entry(node.unwrap_or_default()).or_insert(next);
        let end = micros(event.at, began);
        let long = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        bars.push(json!({
            "name": name, "cat": kind, "ph": "X", "pid": 1, "tid": track,
            "ts": end.saturating_sub(long).max(0), "dur": long,
        }));
    }
    let names = tracks.into_iter().map(|(node, track)| {
        let name = if node.is_empty() { "cluster" } else { &node };
        json!({
            "name": "thread_name", "ph": "M", "pid": 1, "tid": track, "args": { "name": name },
        })
    });
    let all: Vec<Value> = names.chain(bars).collect();
    format!(
        "{:#}\n",
        json!({ "traceEvents": all, "displayTimeUnit": "ms" })
    )
}

fn micros(at: Timestamp, began: Timestamp) -> i64 {
    let since = Duration::try_from(at.duration_since(began)).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::{Outcome, Step};

    #[test]
    fn each_step_is_a_bar_on_its_nodes_track() {
        let event = |second: i64, kind| Event {
            at: Timestamp::from_second(100 + second).unwrap(),
            cell: None,
            kind,
        };
        let ended = |step, node: Option<&str>, seconds| EventKind::StepFinished {
            step,
            node: node.map(str::to_owned),
            took: Duration::from_secs(seconds),
            outcome: Outcome::Passed,
        };
        let events = [
            event(
                0,
                EventKind::Note {
                    text: "hello".into(),
                },
            ),
            event(2, ended(Step::Network, None, 2)),
            event(7, ended(Step::Join, Some("a-worker-1"), 4)),
        ];
        let trace: Value = serde_json::from_str(&render(&events)).unwrap();
        let all = trace["traceEvents"].as_array().unwrap();
        let bars: Vec<(&str, i64, i64, i64)> = all
            .iter()
            .filter(|one| one["ph"] == "X")
            .map(|one| {
                let number = |key: &str| one[key].as_i64().unwrap();
                (
                    one["name"].as_str().unwrap(),
                    number("tid"),
                    number("ts"),
                    number("dur"),
                )
            })
            .collect();
        assert_eq!(
            bars,
            [
                ("network", 0, 0, 2_000_000),
                ("kubeadm join", 1, 3_000_000, 4_000_000)
            ]
        );
        let named: Vec<&Value> = all
            .iter()
            .filter(|one| one["ph"] == "M")
            .map(|one| &one["args"]["name"])
            .collect();
        assert_eq!(named, ["cluster", "a-worker-1"]);
        assert!(render(&[]).contains("traceEvents"));
    }
}
