//! `up` when something fails: what is said, and what is left.

use kcluster_matrix::{Outcome, Step, exit};

use super::stage::{Stage, fails, spec};
use crate::engine::EngineError;
use crate::engine::recording::Answer;
use crate::up::UpError;

#[tokio::test]
async fn a_failed_join_names_its_node_and_leaves_nothing() {
    let spec = spec("a", 2);
    let stage = Stage::new(&spec);
    stage.engine.script(|node, spec| {
        let words: Vec<&str> = spec.argv.iter().map(String::as_str).collect();
        match (node, words.as_slice()) {
            ("a-worker-2", ["kubeadm", "join", ..]) => Some(Answer::Output(fails(
                "[preflight] fine\n",
                "error: no such luck\n",
            ))),
            ("a-worker-2", ["tail", ..]) => {
                Some(Answer::Output(super::stage::output("kubelet says no\n")))
            }
            _ => None,
        }
    });
    let error = stage.up(&spec).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::CLUSTER_FAILED);
    let text = error.to_string();
    for part in [
        "kubeadm join on node a-worker-2: `kubeadm join --config /kcluster/kubeadm.json",
        "ended with code 1",
        "error: no such luck",
        "last lines of the kubelet of a-worker-2:\n  kubelet says no",
        "--retain",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(
        stage.engine.leftovers().is_empty(),
        "{:?}",
        stage.engine.leftovers()
    );
    assert!(stage.state.clusters().unwrap().is_empty());
    // Steps that ran meanwhile end too.
    assert!(stage.events.steps().iter().any(|(step, outcome)| {
        *step == Step::Join && matches!(outcome, Outcome::Errored { .. })
    }));
}

#[tokio::test]
async fn what_is_retained_is_removed_by_the_next_run() {
    let mut spec = spec("a", 1);
    spec.retain = true;
    let stage = Stage::new(&spec);
    let full = || EngineError::DiskFull {
        operation: "start node `a-worker-1`".into(),
        reason: "no space left on device".into(),
    };
    stage.engine.fail_on("start_node a-worker-1", full());
    let error = stage.up(&spec).await.unwrap_err();
    assert!(matches!(&error, UpError::Step(failure) if failure.retained));
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert_eq!(stage.engine.leftovers().len(), 5);
    let cluster = stage.up(&spec).await.unwrap();
    assert!(!cluster.existed);
    assert!(
        stage
            .events
            .notes()
            .iter()
            .any(|note| note.contains("removing what is left"))
    );
    assert_eq!(stage.engine.leftovers().len(), 5);
}

#[tokio::test]
async fn an_interrupt_cleans_up() {
    let spec = spec("a", 1);
    for hanging in ["kubeadm", "kcluster-node"] {
        let stage = Stage::new(&spec);
        let cancel = stage.cancel.clone();
        stage.engine.script(move |_, spec| {
            (spec.argv.first()? == hanging).then(|| {
                cancel.cancel();
                Answer::Hang
            })
        });
        let error = stage.up(&spec).await.unwrap_err();
        assert!(
            matches!(error, UpError::Cancelled { removed: true, .. }),
            "{error}"
        );
        assert_eq!(error.exit_code(), exit::INTERRUPTED);
        assert!(stage.engine.leftovers().is_empty());
    }
}

#[tokio::test]
async fn bad_input_changes_nothing() {
    let good = spec("a", 1);
    let mut no_image = good.clone();
    no_image.image = "kcluster/node:absent".into();
    let mut overlap = good.clone();
    overlap.service_subnet = "10.244.9.0/24".parse().unwrap();
    let mut everything = good.clone();
    everything.pod_subnet = "10.0.0.0/8".parse().unwrap();
    everything.service_subnet = "172.30.0.0/16".parse().unwrap();
    let mut patch = good.clone();
    patch.patches = vec![kcluster_matrix::cluster::KubeadmPatch {
        target: "kube-apiservr".into(),
        kind: "strategic".into(),
        content: String::new(),
    }];
    for bad in [no_image, overlap, everything, patch] {
        let stage = Stage::new(&good);
        let error = stage.up(&bad).await.unwrap_err();
        assert_eq!(error.exit_code(), exit::BAD_INPUT, "{error}");
        assert!(stage.engine.leftovers().is_empty());
        assert!(stage.state.clusters().unwrap().is_empty(), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_meanwhile_is_named_at_once() {
    let spec = spec("a", 1);
    let stage = Stage::new(&spec);
    stage.engine.script(|node, spec| {
        (node == "a-control-plane" && spec.argv.first()? == "kubeadm").then_some(Answer::Hang)
    });
    let kill = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        stage.engine.kill_node("a-worker-1");
    };
    let (result, ()) = tokio::join!(stage.up(&spec), kill);
    let text = result.unwrap_err().to_string();
    // Joins wait for init's word, which never came.
    let joined = |call: &String| call.contains("kubeadm join");
    assert!(!stage.engine.calls().iter().any(joined));
    assert!(
        text.starts_with("nodes on node a-worker-1: it ended while"),
        "{text}"
    );
    assert!(stage.engine.leftovers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_always_breaks_off_ends_the_wait() {
    let spec = spec("a", 1);
    let stage = Stage::new(&spec);
    let waiting = super::events::pod(
        "ADDED",
        "coredns-x",
        "kube-dns",
        "a-worker-1",
        Some("ImagePullBackOff"),
    );
    stage.engine.script(move |_, spec| {
        let path = spec.argv.last()?;
        path.starts_with("/api/v1/namespaces").then(|| {
            let text = format!("4711\n{waiting}\n");
            Answer::Output(super::stage::output(&text))
        })
    });
    let text = stage.up(&spec).await.unwrap_err().to_string();
    assert!(text.contains("broke off again and again"), "{text}");
}
