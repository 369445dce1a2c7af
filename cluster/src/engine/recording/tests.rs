use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::engine::{Engine, NetworkSpec, NodeSpec, NodeState, OutputLine, Stream};

fn labels(cluster: &str) -> Labels {
    Labels::from([("dev.kcluster.cluster".into(), cluster.into())])
}

fn network(name: &str, subnet: &str) -> NetworkSpec {
    NetworkSpec {
        name: name.into(),
        subnet: subnet.parse().unwrap(),
        subnet6: None,
        masquerade: true,
        labels: labels("a"),
    }
}

fn node(name: &str, last: u8, port: u16) -> NodeSpec {
    NodeSpec {
        name: name.into(),
        image: "node:1".into(),
        network: "n".into(),
        address: Ipv4Addr::new(10, 89, 0, last),
        var_volume: name.into(),
        address6: None,
        mounts: Vec::new(),
        ports: Vec::new(),
        cpus: None,
        memory: None,
        publish_api: Some((IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        privilege: Privilege::Privileged,
        labels: labels("a"),
    }
}

async fn engine_with(nodes: &[NodeSpec]) -> Recorder {
    let engine = Recorder::new().with_image("node:1", &Labels::new());
    engine
        .create_network(&network("n", "10.89.0.0/24"))
        .await
        .unwrap();
    for node in nodes {
        engine
            .create_volume(&node.name, &labels("a"))
            .await
            .unwrap();
        engine.create_node(node).await.unwrap();
    }
    engine
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    archive::of(files.iter().map(|(path, text)| (*path, text.as_bytes()))).unwrap()
}

#[tokio::test]
async fn what_is_made_is_listed_by_label_and_removed() {
    let engine = engine_with(&[node("x", 10, 0)]).await;
    assert_eq!(engine.nodes(&labels("b")).await.unwrap(), []);
    let made = engine.nodes(&labels("a")).await.unwrap();
    assert_eq!((made[0].state, made[0].address), (NodeState::Created, None));
    engine.start_node("x").await.unwrap();
    let started = engine.nodes(&labels("a")).await.unwrap();
    assert_eq!(started[0].published_api.unwrap().1, 40000);
    assert!(engine.remove_network("n").await.is_err(), "it is in use");
    assert!(engine.remove_volume("x").await.is_err(), "it is in use");
    engine.remove_node("x").await.unwrap();
    engine.remove_node("x").await.unwrap();
    engine.remove_volume("x").await.unwrap();
    engine.remove_network("n").await.unwrap();
    assert!(engine.leftovers().is_empty());
    assert!(matches!(
        engine.remove_network("n").await,
        Err(EngineError::Missing {
            what: "network",
            ..
        })
    ));
}

#[tokio::test]
async fn it_refuses_what_an_engine_refuses() {
    let engine = engine_with(&[node("x", 10, 6443), node("y", 11, 6443), node("z", 10, 0)]).await;
    assert!(matches!(
        engine.create_network(&network("m", "10.89.0.0/16")).await,
        Err(EngineError::SubnetTaken { .. })
    ));
    assert!(matches!(
        engine.create_node(&node("x", 12, 0)).await,
        Err(EngineError::Exists { what: "node", .. })
    ));
    engine.start_node("x").await.unwrap();
    assert!(matches!(
        engine.start_node("y").await,
        Err(EngineError::PortTaken { port: 6443 })
    ));
    let error = engine.start_node("z").await.unwrap_err().to_string();
    assert!(error.contains("Address already in use"), "{error}");
    let unknown = NodeSpec {
        image: "node:2".into(),
        var_volume: "x".into(),
        address6: None,
        mounts: Vec::new(),
        ports: Vec::new(),
        cpus: None,
        memory: None,
        ..node("w", 13, 0)
    };
    assert!(matches!(
        engine.create_node(&unknown).await,
        Err(EngineError::Missing { what: "image", .. })
    ));
}

#[tokio::test]
async fn commands_go_as_scripted_and_print_line_by_line() {
    let engine = engine_with(&[node("x", 10, 0)]).await;
    let output = ExecOutput {
        code: 3,
        stdout: "one\ntwo".into(),
        stderr: "three\n".into(),
    };
    engine.on_exec(&["kubeadm"], ExecOutput::default());
    engine.on_exec(&["kubeadm", "init"], output.clone());
    let init = ExecSpec::new(["kubeadm", "init", "--x"]);
    let early = engine.exec("x", init.clone(), None).await.unwrap_err();
    assert!(early.to_string().contains("is not running"), "{early}");
    engine.start_node("x").await.unwrap();
    let (to, mut from) = unbounded_channel();
    assert_eq!(engine.exec("x", init, Some(to)).await.unwrap(), output);
    let line = |stream, text: &str| OutputLine {
        stream,
        text: text.into(),
    };
    assert_eq!(from.recv().await, Some(line(Stream::Out, "one")));
    assert_eq!(from.recv().await, Some(line(Stream::Out, "two")));
    assert_eq!(from.recv().await, Some(line(Stream::Err, "three")));
    assert_eq!(from.recv().await, None);
    let other = engine
        .exec("x", ExecSpec::new(["kubeadm", "join"]), None)
        .await;
    assert_eq!(other.unwrap().code, 0);
    assert!(
        engine
            .calls()
            .contains(&"exec x kubeadm init --x".to_owned())
    );
    engine.kill_node("x");
    assert!(
        engine
            .exec("x", ExecSpec::new(["true"]), None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn failures_strike_the_call_they_name() {
    let engine = engine_with(&[node("x", 10, 0), node("xy", 11, 0)]).await;
    engine.fail_on("start_node x", EngineError::PortTaken { port: 1 });
    engine.start_node("xy").await.unwrap();
    assert!(engine.start_node("x").await.is_err());
    engine.start_node("x").await.unwrap();
    engine.fail_always("nodes", || EngineError::PortTaken { port: 2 });
    for _ in 0..2 {
        assert!(engine.nodes(&Labels::new()).await.is_err());
    }
}

#[tokio::test]
async fn files_go_in_and_come_out() {
    let engine = engine_with(&[node("x", 10, 0)]).await;
    engine
        .copy_in("x", tar(&[("./etc/a/b", "1"), ("etc/c", "2")]))
        .await
        .unwrap();
    assert_eq!(engine.files("x"), ["etc/a/b", "etc/c"]);
    assert_eq!(engine.file("x", "/etc/c").unwrap(), b"2");
    let mut bytes = Vec::new();
    let mut out = engine.copy_out("x", "/etc/a").await.unwrap();
    out.read_to_end(&mut bytes).await.unwrap();
    let files = archive::files(&bytes).unwrap();
    assert_eq!(files.get("a/b").unwrap(), b"1");
    assert!(matches!(
        engine.copy_out("x", "/etc/absent").await,
        Err(EngineError::Missing { what: "file", .. })
    ));
}

#[tokio::test]
async fn archives_become_images_with_labels() {
    let engine = Recorder::new();
    let archive = tar(&[
        (
            "manifest.json",
            r#"[{"Config": "c.json", "RepoTags": ["i:1"], "Layers": []}]"#,
        ),
        ("c.json", r#"{"config": {"Labels": {"k": "v"}}}"#),
    ]);
    engine
        .load_image(Box::new(std::io::Cursor::new(archive)))
        .await
        .unwrap();
    let wanted = Labels::from([("k".into(), "v".into())]);
    assert_eq!(engine.images(&wanted).await.unwrap()[0].references, ["i:1"]);
    assert!(engine.save_images(&["i:1".into()]).await.is_ok());
    assert!(engine.save_images(&["i:2".into()]).await.is_err());
    let broken = std::io::Cursor::new(b"no archive".to_vec());
    assert!(engine.load_image(Box::new(broken)).await.is_err());
    engine.remove_image("i:1").await.unwrap();
    assert!(engine.image("i:1").await.unwrap().is_none());
}

#[tokio::test]
async fn nodes_freeze_thaw_stop_and_start_again() {
    let engine = engine_with(&[node("x", 10, 0)]).await;
    let state = async || engine.nodes(&labels("a")).await.unwrap()[0].state;
    engine.start_node("x").await.unwrap();
    for _ in 0..2 {
        engine.pause_node("x").await.unwrap();
        assert_eq!(state().await, NodeState::Paused);
    }
    assert!(
        engine
            .exec("x", ExecSpec::new(["true"]), None)
            .await
            .is_err()
    );
    assert!(engine.remove_network("n").await.is_err());
    for _ in 0..2 {
        engine.unpause_node("x").await.unwrap();
        assert_eq!(state().await, NodeState::Running);
    }
    for _ in 0..2 {
        engine.stop_node("x", Duration::ZERO).await.unwrap();
        assert_eq!(state().await, NodeState::Exited);
    }
    assert!(engine.pause_node("x").await.is_err());
    engine.start_node("x").await.unwrap();
    assert_eq!(state().await, NodeState::Running);
}

#[tokio::test]
async fn volumes_are_copied_only_between_those_that_exist() {
    let engine = engine_with(&[node("x", 10, 0)]).await;
    let pair = |to: &str| [("x".to_owned(), to.to_owned())];
    let absent = engine
        .copy_volumes("node:1", &pair("y"), &labels("a"))
        .await;
    assert!(matches!(
        absent,
        Err(EngineError::Missing { what: "volume", .. })
    ));
    engine.create_volume("y", &labels("a")).await.unwrap();
    engine
        .copy_volumes("node:1", &pair("y"), &labels("a"))
        .await
        .unwrap();
}
