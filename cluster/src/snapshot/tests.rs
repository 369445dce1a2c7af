//! Snapshots and suspension on an engine in memory.

use std::time::Duration;

use kcluster_matrix::{ClusterSpec, exit};
use serde_json::json;

use super::{Origin, Snapshot, export, import, keep, remove, restore, save, snapshots, start};
use crate::clean;
use crate::engine::recording::Answer;
use crate::engine::{Engine, EngineError, NodeState};
use crate::labels;
use crate::state::Phase;
use crate::suspend::{resume, suspend};
use crate::tests::stage::{IMAGE, Stage, output, spec};

/// A cluster that is up on an engine whose API has a list of everything.
async fn stage(spec: &ClusterSpec) -> Stage {
    let stage = Stage::new(spec);
    stage.engine.script(|_, asked| {
        let path = asked.argv.last()?;
        let raw = asked.argv.iter().any(|word| word == "--raw");
        let item = json!({
            "kind": "Pod",
            "metadata": { "name": "p", "namespace": "n", "uid": "u" },
            "status": {
                "qosClass": "Guaranteed",
                "conditions": [{ "type": "Ready", "status": "True" }],
                "containerStatuses": [{ "containerID": "containerd://1", "restartCount": 0 }],
            },
        });
        let text = match path.split_once("?watch=true") {
            None if raw => json!({ "items": [item] }),
            Some(("/api/v1/pods", _)) => json!({ "type": "ADDED", "object": item }),
            _ => return None,
        };
        Some(Answer::Output(output(&text.to_string())))
    });
    stage.up(spec).await.unwrap();
    stage
}

/// A snapshot that exists only here.
pub(super) fn snapshot(name: &str, workers: u8) -> Snapshot {
    let spec = spec(name, workers);
    let subnet = "10.89.0.0/24".parse().unwrap();
    Snapshot {
        name: "one".parse().unwrap(),
        origin: Origin::Saved,
        made: "2026-11-21T09:00:00Z".parse().unwrap(),
        engine: "memory".into(),
        image: "sha256:1".into(),
        nodes: spec.nodes(subnet).unwrap(),
        spec,
        subnet,
        stale: std::collections::BTreeSet::new(),
    }
}

fn calls<'a>(all: &'a [String], start: &str) -> Vec<&'a String> {
    all.iter().filter(|call| call.starts_with(start)).collect()
}

#[tokio::test]
async fn a_snapshot_is_taken_frozen_and_gives_the_cluster_back() {
    let spec = spec("a", 1);
    let stage = stage(&spec).await;
    let (engine, name) = (&stage.engine, "one".parse().unwrap());
    let taken = save(engine, &spec.name, &name, &stage.state, &stage.events)
        .await
        .unwrap();
    assert!(taken.stale.contains("containerd://1"));
    let copied = stage.position("copy_volumes");
    assert!(stage.position("pause_node a-worker-1") < copied);
    assert!(stage.position("unpause_node a-worker-1") > copied);
    let again = save(engine, &spec.name, &name, &stage.state, &stage.events).await;
    assert_eq!(again.unwrap_err().exit_code(), exit::BAD_INPUT);

    crate::down(engine, &spec.name, &stage.state, &stage.events)
        .await
        .unwrap();
    assert_eq!(engine.leftovers().len(), 2, "a volume for each node");
    let listed = snapshots(&stage.state, &spec.name).unwrap();
    assert_eq!(listed, [taken]);

    let before = engine.calls().len();
    let back = restore(
        engine,
        &spec.name,
        &name,
        &stage.state,
        &stage.events,
        &stage.cancel,
    );
    assert_eq!(back.await.unwrap().nodes, listed[0].nodes);
    let new = engine.calls()[before..].to_vec();
    assert!(calls(&new, "exec a-control-plane kubeadm").is_empty());
    assert_eq!(calls(&new, "copy_volumes").len(), 1);
    let node = engine.file("a-worker-1", "/etc/kubernetes/pki/ca.crt");
    assert!(node.is_some(), "{:?}", engine.files("a-worker-1"));
    assert!(stage.up(&spec).await.unwrap().existed);

    assert!(
        remove(engine, &stage.state, &spec.name, &name)
            .await
            .unwrap()
    );
    assert!(
        !remove(engine, &stage.state, &spec.name, &name)
            .await
            .unwrap()
    );
    assert_eq!(engine.leftovers().len(), 5);
}

#[tokio::test]
async fn a_copy_that_fails_leaves_the_nodes_running_and_nothing_behind() {
    let spec = spec("a", 1);
    let stage = stage(&spec).await;
    let full = EngineError::DiskFull {
        operation: "copy".into(),
        reason: "full".into(),
    };
    stage.engine.fail_on("copy_volumes", full);
    let name = "one".parse().unwrap();
    let failed = save(
        &stage.engine,
        &spec.name,
        &name,
        &stage.state,
        &stage.events,
    )
    .await;
    assert_eq!(failed.unwrap_err().exit_code(), exit::CLUSTER_FAILED);
    let nodes = stage
        .engine
        .nodes(&labels::of_cluster(&spec.name))
        .await
        .unwrap();
    assert!(nodes.iter().all(|node| node.state == NodeState::Running));
    assert_eq!(stage.engine.leftovers().len(), 5);
    assert_eq!(snapshots(&stage.state, &spec.name).unwrap(), []);
}

#[tokio::test]
async fn a_snapshot_that_does_not_fit_changes_nothing_and_says_why() {
    let spec = spec("a", 0);
    let stage = stage(&spec).await;
    let name = "one".parse().unwrap();
    let engine = &stage.engine;
    let taken = save(engine, &spec.name, &name, &stage.state, &stage.events)
        .await
        .unwrap();
    engine
        .remove_volume(&taken.volume("a-control-plane"))
        .await
        .unwrap();
    let back = restore(
        engine,
        &spec.name,
        &name,
        &stage.state,
        &stage.events,
        &stage.cancel,
    );
    let error = back.await.unwrap_err();
    assert_eq!(error.exit_code(), exit::BAD_INPUT);
    assert!(error.to_string().contains("has its volume"), "{error}");
    assert_eq!(engine.leftovers().len(), 3);
    let absent = "two".parse().unwrap();
    let back = restore(
        engine,
        &spec.name,
        &absent,
        &stage.state,
        &stage.events,
        &stage.cancel,
    );
    assert!(
        back.await
            .unwrap_err()
            .to_string()
            .contains("no snapshot `two`")
    );
}

#[tokio::test]
async fn cleaning_removes_snapshots_too() {
    let spec = spec("a", 0);
    let stage = stage(&spec).await;
    let name = "one".parse().unwrap();
    save(
        &stage.engine,
        &spec.name,
        &name,
        &stage.state,
        &stage.events,
    )
    .await
    .unwrap();
    clean(&stage.engine, &stage.state, &stage.events)
        .await
        .unwrap();
    assert!(stage.engine.leftovers().is_empty());
    assert_eq!(snapshots(&stage.state, &spec.name).unwrap(), []);
}

#[tokio::test]
async fn all_nodes_freeze_and_go_on_and_repeats_do_nothing() {
    let spec = spec("a", 1);
    let stage = stage(&spec).await;
    let (engine, name) = (&stage.engine, &spec.name);
    let events = &stage.events;
    assert!(suspend(engine, name, &stage.state, events).await.unwrap());
    assert!(!suspend(engine, name, &stage.state, events).await.unwrap());
    let refused = stage.up(&spec).await.unwrap_err();
    assert!(refused.to_string().contains("is suspended"), "{refused}");
    let one = "one".parse().unwrap();
    let refused = save(engine, name, &one, &stage.state, &stage.events)
        .await
        .unwrap_err();
    assert_eq!(refused.exit_code(), exit::BAD_INPUT);

    let window = Duration::from_secs(1);
    let resumed = resume(engine, name, &stage.state, window, &stage.events)
        .await
        .unwrap();
    let impact = resumed.unwrap().impact.unwrap();
    assert_eq!(impact.classes["Guaranteed"].pods, 1);
    assert_eq!(impact.pods, []);
    let again = resume(engine, name, &stage.state, window, &stage.events)
        .await
        .unwrap();
    assert_eq!(again, None);
    assert!(stage.up(&spec).await.unwrap().existed);
}

#[tokio::test]
async fn one_node_that_cannot_freeze_keeps_all_going() {
    let spec = spec("a", 1);
    let stage = stage(&spec).await;
    stage.engine.kill_node("a-worker-1");
    assert!(
        suspend(&stage.engine, &spec.name, &stage.state, &stage.events)
            .await
            .is_err()
    );
    let nodes = stage
        .engine
        .nodes(&labels::of_cluster(&spec.name))
        .await
        .unwrap();
    assert!(nodes.iter().all(|node| node.state != NodeState::Paused));
    let status = stage.state.cluster(&spec.name).status().unwrap().unwrap();
    assert_eq!(status.phase, Phase::Ready);
}

#[tokio::test]
async fn what_is_exported_comes_back_with_other_keys_and_under_another_name() {
    let spec = spec("a", 1);
    let stage = stage(&spec).await;
    let (engine, name) = (&stage.engine, "one".parse().unwrap());
    save(engine, &spec.name, &name, &stage.state, &stage.events)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.tar.zst");
    let size = export(engine, &spec.name, &name, &stage.state, &file)
        .await
        .unwrap();
    assert_eq!(size, std::fs::metadata(&file).unwrap().len());
    let old = engine.file("a-worker-1", "/etc/kubernetes/pki/ca.crt");
    clean(engine, &stage.state, &stage.events).await.unwrap();
    engine.remove_image(IMAGE).await.unwrap();

    // The image is what the snapshot links into.
    let other = crate::state::StateDir::new(folder.path().join("state"));
    let refused = import(engine, &other, &file, None).await.unwrap_err();
    assert_eq!(refused.exit_code(), exit::BAD_INPUT);
    assert!(refused.to_string().contains("image"), "{refused}");
    assert!(engine.leftovers().is_empty());

    let again = Stage::new(&spec);
    let two = "two".parse().unwrap();
    let taken = import(&again.engine, &other, &file, Some(&two))
        .await
        .unwrap();
    assert_eq!((taken.origin, &taken.name), (Origin::Imported, &two));
    let call = again.position("unpack_volumes");
    let call = again.engine.calls()[call].clone();
    assert!(call.ends_with("from a-control-plane a-worker-1"), "{call}");
    let refused = import(&again.engine, &other, &file, Some(&two)).await;
    assert_eq!(refused.unwrap_err().exit_code(), exit::BAD_INPUT);

    // `up` starts from it, with what the API knows of keys made new before kubelets begin.
    again.engine.script(|_, asked| {
        let lists = asked.argv.iter().any(|word| word.contains("kube-root-ca"));
        lists.then(|| Answer::Output(output("{\"items\":[]}\n")))
    });
    let cluster = start(
        &again.engine,
        &spec,
        &other,
        false,
        &again.events,
        &again.cancel,
    );
    assert!(!cluster.await.unwrap().unwrap().existed);
    let new = again
        .engine
        .file("a-worker-1", "/etc/kubernetes/pki/ca.crt");
    assert!(new.is_some() && new != old);
    let hold = again.engine.file("a-worker-1", "/kcluster/comeback.json");
    assert_eq!(hold.unwrap(), b"{\"hold\":true}\n");
    let renewed = again.position("exec a-control-plane sh -c kubectl --kubeconfig \"$0\" --server https://127.0.0.1:6443 replace");
    assert!(again.position("exec a-worker-1 kcluster-node release") > renewed);
    assert!(again.position("exec a-control-plane kcluster-node watch") > renewed);
}

#[tokio::test]
async fn a_file_that_is_no_snapshot_is_refused() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no").unwrap();
    let refused = import(&stage.engine, &stage.state, file.path(), None).await;
    assert_eq!(refused.unwrap_err().exit_code(), exit::BAD_INPUT);
    let absent = "none".parse().unwrap();
    let path = file.path();
    let refused = export(&stage.engine, &spec.name, &absent, &stage.state, path).await;
    assert_eq!(refused.unwrap_err().exit_code(), exit::BAD_INPUT);
    assert!(stage.engine.leftovers().is_empty());
}

#[tokio::test]
async fn the_next_boot_starts_from_what_the_first_left_if_it_fits() {
    let spec = spec("a", 0);
    let stage = stage(&spec).await;
    let (engine, events, cancel) = (&stage.engine, &stage.events, &stage.cancel);
    let from = async |spec: &ClusterSpec, automatic| {
        let started = start(engine, spec, &stage.state, automatic, events, cancel).await;
        started.unwrap().is_some()
    };
    assert!(!from(&spec, true).await, "there is none");
    let kept = keep(engine, &spec.name, &stage.state, events)
        .await
        .unwrap();
    assert_eq!(kept.origin, Origin::Automatic);
    assert!(!from(&spec, true).await, "the cluster is up");
    let down = async || {
        crate::down(engine, &spec.name, &stage.state, events)
            .await
            .unwrap()
    };
    down().await;
    assert!(!from(&spec, false).await, "it is not wanted");
    assert!(from(&spec, true).await);
    down().await;

    let mut other = spec.clone();
    other.feature_gates.insert("New".into(), true);
    assert!(!from(&other, true).await);
    let notes = events.notes();
    let last = notes.last().unwrap();
    assert!(
        last.contains("`auto-1` is not used") && last.contains("New"),
        "{last}"
    );

    // One for each way that the cluster is made in.
    stage.up(&other).await.unwrap();
    keep(engine, &spec.name, &stage.state, events)
        .await
        .unwrap();
    keep(engine, &spec.name, &stage.state, events)
        .await
        .unwrap();
    let names: Vec<String> = snapshots(&stage.state, &spec.name)
        .unwrap()
        .iter()
        .map(|one| one.name.to_string())
        .collect();
    assert_eq!(names, ["auto-1", "auto-3"]);
}
