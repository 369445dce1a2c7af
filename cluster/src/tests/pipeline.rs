//! `up`: its order and its repeats.

use kcluster_matrix::{EventKind, Step, exit};
use serde_json::Value;

use super::stage::{Stage, spec};
use crate::engine::{Engine, EngineError};
use crate::state::Phase;

#[tokio::test]
async fn a_boot_goes_through_all_steps() {
    let spec = spec("a", 2);
    let stage = Stage::new(&spec);
    let cluster = stage.up(&spec).await.unwrap();
    assert!(!cluster.existed);
    assert_eq!(cluster.nodes.len(), 3);
    let steps: Vec<Step> = stage
        .events
        .steps()
        .into_iter()
        .map(|(step, _)| step)
        .collect();
    for step in [
        Step::Network,
        Step::Nodes,
        Step::Init,
        Step::Join,
        Step::Cni,
        Step::Ready,
        Step::Kubeconfig,
    ] {
        assert_eq!(
            steps.iter().filter(|other| **other == step).count(),
            1,
            "{step} in {steps:?}"
        );
    }
    assert!(
        stage
            .events
            .steps()
            .iter()
            .all(|(_, outcome)| outcome.is_passed())
    );

    // Nothing starts before everything is made, and joins wait for init's word.
    let last_made = stage
        .position("copy_in a-worker-2")
        .max(stage.position("copy_in a-control-plane"));
    assert!(stage.position("start_node a-control-plane") > last_made);
    assert!(
        stage.position("exec a-worker-1 kubeadm join")
            > stage.position("exec a-control-plane kubeadm init")
    );

    let node: Value = serde_json::from_slice(
        &stage
            .engine
            .file("a-worker-1", "/kcluster/node.json")
            .unwrap(),
    )
    .unwrap();
    assert_eq!(node["address"], "10.89.0.11");
    assert_eq!(node["gateway"], "10.89.0.1");
    assert_eq!(node["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(node["egress"], "closed");
    let key = "etc/kubernetes/pki/ca.key".to_owned();
    assert!(stage.engine.files("a-control-plane").contains(&key));
    assert!(!stage.engine.files("a-worker-1").contains(&key));

    let kubeconfig = std::fs::read_to_string(&cluster.kubeconfig).unwrap();
    assert!(kubeconfig.contains(&format!("server: {}\n", cluster.server)));
    let status = stage.state.cluster(&spec.name).status().unwrap().unwrap();
    assert_eq!(status.phase, Phase::Ready);
}

#[tokio::test]
async fn tokens_are_not_shown() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    let lines: Vec<String> = stage
        .events
        .all()
        .into_iter()
        .filter_map(|event| match event {
            EventKind::StepOutput { line, .. } => Some(line),
            _ => None,
        })
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line.ends_with("Using token: [token]")),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("0123456789abcdef")));
}

#[tokio::test]
async fn a_repeat_does_nothing_and_another_spec_is_refused() {
    let mut spec = spec("a", 1);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    let calls = stage.engine.calls().len();
    let again = stage.up(&spec).await.unwrap();
    assert!(again.existed);
    assert_eq!(stage.events.notes(), ["cluster `a` is up already"]);
    let new = &stage.engine.calls()[calls..];
    assert!(
        !new.iter()
            .any(|call| call.starts_with("create") || call.starts_with("remove")),
        "{new:?}"
    );

    std::fs::remove_file(&again.kubeconfig).unwrap();
    stage.up(&spec).await.unwrap();
    assert!(again.kubeconfig.exists());

    spec.workers = 2;
    let error = stage.up(&spec).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::BAD_INPUT);
    assert!(error.to_string().contains("workers is 1, not 2"), "{error}");
    assert_eq!(stage.engine.leftovers().len(), 5);
}

#[tokio::test]
async fn a_cluster_of_another_state_folder_is_left_alone() {
    let spec = spec("a", 1);
    let stage = Stage::new(&spec);
    let cluster = stage.up(&spec).await.unwrap();
    let left = stage.engine.leftovers();
    std::fs::remove_dir_all(cluster.kubeconfig.parent().unwrap()).unwrap();
    let error = stage.up(&spec).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::BAD_INPUT);
    assert!(
        error.to_string().contains("another state folder"),
        "{error}"
    );
    assert_eq!(stage.engine.leftovers(), left);
    // What does not run is nobody's.
    for node in ["a-control-plane", "a-worker-1"] {
        stage.engine.kill_node(node);
    }
    assert!(!stage.up(&spec).await.unwrap().existed);
}

#[tokio::test]
async fn a_cluster_that_lost_a_node_is_made_anew() {
    let spec = spec("a", 1);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    stage.engine.remove_node("a-worker-1").await.unwrap();
    assert!(!stage.up(&spec).await.unwrap().existed);
    let note = "removing what is left of cluster `a`: node a-worker-1 is gone";
    assert_eq!(stage.events.notes(), [note]);
}

#[tokio::test]
async fn nodes_that_were_stopped_are_started_again_in_order() {
    let spec = spec("a", 2);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    let left = stage.engine.leftovers();
    for node in ["a-control-plane", "a-worker-1", "a-worker-2"] {
        stage.engine.kill_node(node);
    }
    let before = stage.engine.calls().len();
    let again = stage.up(&spec).await.unwrap();
    assert!(again.existed);
    let new = stage.engine.calls()[before..].to_vec();
    let place = |start: &str| new.iter().position(|call| call.starts_with(start)).unwrap();
    let api = place("exec a-control-plane kcluster-node wait apiserver");
    assert!(place("start_node a-control-plane") < api);
    assert!(api < place("start_node a-worker-1") && api < place("start_node a-worker-2"));
    let changed = |call: &&String| call.starts_with("create") || call.starts_with("remove");
    assert_eq!(new.iter().filter(changed).count(), 0, "{new:#?}");
    assert_eq!(stage.engine.leftovers(), left);

    // One alone too, and what does not start is kept.
    stage.engine.kill_node("a-worker-2");
    let broken = EngineError::Failed {
        operation: "start node `a-worker-2`".into(),
        reason: "no more".into(),
    };
    stage.engine.fail_on("start_node a-worker-2", broken);
    let error = stage.up(&spec).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::CLUSTER_FAILED);
    assert!(error.to_string().contains("the nodes are kept"), "{error}");
    assert_eq!(stage.engine.leftovers(), left);
    assert!(stage.up(&spec).await.unwrap().existed);
}

#[tokio::test]
async fn stopped_nodes_without_their_network_are_made_anew() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    stage.engine.kill_node("a-control-plane");
    stage.engine.remove_network("kcluster-a").await.unwrap();
    assert!(!stage.up(&spec).await.unwrap().existed);
    let note = "removing what is left of cluster `a`: its network is gone";
    assert_eq!(stage.events.notes(), [note]);
}

#[tokio::test]
async fn two_runs_of_one_name_exclude_each_other() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    let _other = stage.state.cluster(&spec.name).lock().unwrap();
    let error = stage.up(&spec).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::BAD_INPUT);
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    assert!(stage.engine.calls().is_empty());
}

#[tokio::test]
async fn a_subnet_that_is_taken_meanwhile_is_passed_over() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    let taken = EngineError::SubnetTaken {
        subnet: "10.89.0.0/24".into(),
    };
    stage.engine.fail_on("create_network", taken);
    let cluster = stage.up(&spec).await.unwrap();
    assert_eq!(cluster.nodes[0].address.to_string(), "10.89.1.10");
}

#[tokio::test]
async fn several_control_planes_share_keys_behind_a_load_balancer() {
    let mut spec = spec("a", 1);
    spec.options.control_planes = 3;
    spec.options.ip_family = kcluster_matrix::IpFamily::Dual;
    let stage = Stage::new(&spec);
    let cluster = stage.up(&spec).await.unwrap();
    assert_eq!(cluster.nodes.len(), 5);
    let file = |node: &str, path: &str| {
        let content = stage.engine.file(node, path);
        String::from_utf8(content.unwrap_or_else(|| panic!("{node} has no {path}"))).unwrap()
    };
    for key in ["sa.key", "etcd/ca.key", "front-proxy-ca.key", "ca.key"] {
        let path = format!("/etc/kubernetes/pki/{key}");
        let first = file("a-control-plane", &path);
        assert_eq!(first, file("a-control-plane-3", &path));
        assert!(stage.engine.file("a-worker-1", &path).is_none());
        assert!(stage.engine.file("a-load-balancer", &path).is_none());
    }
    let init = file("a-control-plane", "/kcluster/kubeadm.json");
    assert!(
        init.contains(r#""controlPlaneEndpoint": "10.89.0.14:6443""#),
        "{init}"
    );
    assert!(
        init.contains(r#""podSubnet": "10.244.0.0/16,fd00:10:244::/56""#),
        "{init}"
    );
    assert!(!init.contains("leader-elect"), "{init}");
    let join = file("a-control-plane-2", "/kcluster/kubeadm.json");
    assert!(
        join.contains(r#""advertiseAddress": "10.89.0.11""#),
        "{join}"
    );
    let discovery = file("a-worker-1", "/kcluster/discovery.conf");
    assert!(discovery.contains("https://10.89.0.14:6443"), "{discovery}");
    let balancer: Value =
        serde_json::from_str(&file("a-load-balancer", "/kcluster/node.json")).unwrap();
    assert_eq!(balancer["role"], "load-balancer");
    assert_eq!(balancer["backends"][2], "10.89.0.12:6443");
    assert_eq!(balancer["address6"], "fd89:6b63:a59::e");
    let calls = stage.engine.calls();
    let joins = |node: &str| {
        calls.contains(&format!(
            "exec {node} kubeadm join --config /kcluster/kubeadm.json --skip-phases=preflight"
        ))
    };
    assert!(joins("a-control-plane-2") && joins("a-control-plane-3") && joins("a-worker-1"));
    assert!(!joins("a-load-balancer"));

    // One that is lost is started again, the others go on.
    stage.engine.kill_node("a-control-plane-2");
    let before = stage.engine.calls().len();
    assert!(stage.up(&spec).await.unwrap().existed);
    let starts: Vec<String> = stage.engine.calls()[before..]
        .iter()
        .filter(|call| call.starts_with("start_node"))
        .cloned()
        .collect();
    assert_eq!(starts, ["start_node a-control-plane-2"]);
}
