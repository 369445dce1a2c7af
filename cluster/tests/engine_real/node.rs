//! Nodes from creation to removal.

use std::net::{IpAddr, Ipv4Addr};

use kcluster_cluster::engine::{Engine, EngineError, ExecSpec, NodeSpec, NodeState, Privilege};
use tokio::io::AsyncReadExt;

use crate::support::corner;

async fn sh(engine: &dyn Engine, node: &str, script: &str) -> String {
    let output = engine
        .exec(node, ExecSpec::new(["sh", "-c", script]), None)
        .await
        .unwrap();
    assert_eq!(
        output.code, 0,
        "{script}: {}{}",
        output.stdout, output.stderr
    );
    output.stdout.trim().to_owned()
}

fn tar(path: &str, text: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    archive
        .append_data(&mut header, path, text.as_bytes())
        .unwrap();
    archive.into_inner().unwrap()
}

#[tokio::test]
async fn a_node_is_what_a_node_needs_to_be() {
    let (_dockerd, corner) = corner!();
    let engine = &*corner.engine;
    let spec = NodeSpec {
        publish_api: Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
        ..corner.node(0)
    };
    let node = &corner.make(&spec).await;
    let made = engine.nodes(&corner.labels).await.unwrap();
    assert_eq!((made[0].state, made[0].address), (NodeState::Created, None));
    engine
        .copy_in(node, tar("kcluster/node.json", "{}"))
        .await
        .unwrap();
    engine.copy_in(node, tar("etc/deep/er", "é")).await.unwrap();
    engine.start_node(node).await.unwrap();

    let started = engine.nodes(&corner.labels).await.unwrap();
    assert_eq!(started.len(), 1);
    let started = &started[0];
    assert_eq!(
        (started.name.as_str(), started.state),
        (node.as_str(), NodeState::Running)
    );
    assert_eq!(started.address, Some(spec.address));
    // Its own labels and its image's.
    let mut labels = spec.labels.clone();
    labels.extend(crate::image::labels());
    assert_eq!((&started.labels, &started.image), (&labels, &spec.image));
    let (address, port) = started.published_api.unwrap();
    assert!(
        address == Ipv4Addr::LOCALHOST && port > 0,
        "{address}:{port}"
    );

    assert_eq!(sh(engine, node, "hostname").await, *node);
    assert_eq!(
        sh(engine, node, "cat /kcluster/node.json /etc/deep/er").await,
        "{}é"
    );
    // The volume is at /var and got nothing of the image.
    assert_eq!(sh(engine, node, "ls /var").await, "");
    assert_eq!(sh(engine, node, "grep -c ' /var ' /proc/mounts").await, "1");
    for (path, mode) in [("/run", "755"), ("/tmp", "1777")] {
        let mount = sh(engine, node, &format!("grep ' {path} tmpfs ' /proc/mounts")).await;
        assert!(
            mount.contains("nosuid") && !mount.contains("noexec"),
            "{mount}"
        );
        // The kernel does not print a mode that is the usual one.
        assert!(
            mount.contains(&format!("mode={mode}")) || mode == "1777",
            "{mount}"
        );
    }
    // Nothing masked or read-only under /proc, a cgroup namespace of its own, a log to read.
    assert_eq!(
        sh(engine, node, "grep -c '/proc/' /proc/mounts || true").await,
        "0"
    );
    assert_eq!(
        sh(engine, node, "grep -vc ':/$' /proc/self/cgroup || true").await,
        "0"
    );
    assert_eq!(
        sh(engine, node, "test -c /dev/kmsg && echo yes").await,
        "yes"
    );
    assert_eq!(
        sh(
            engine,
            node,
            "grep Seccomp: /proc/self/status | wc -l; grep -c 'Seccomp:.0' /proc/self/status"
        )
        .await,
        "1\n1"
    );
    let ours = std::fs::read_to_string("/proc/self/status").unwrap();
    let bounding = sh(engine, node, "grep CapBnd /proc/self/status").await;
    if corner.privilege == Privilege::Privileged {
        assert!(ours.contains(&bounding), "{bounding}");
    } else {
        // CAP_SYS_ADMIN (21) and CAP_NET_ADMIN (12) at least.
        let set = u64::from_str_radix(bounding.rsplit('\t').next().unwrap(), 16).unwrap();
        assert_eq!(set & (1 << 21 | 1 << 12), 1 << 21 | 1 << 12, "{bounding}");
    }
    corner.clear().await;
}

#[tokio::test]
async fn files_and_logs_come_out() {
    let (_dockerd, corner) = corner!();
    let engine = &*corner.engine;
    let node = &corner.started(0).await;
    engine
        .copy_in(node, tar("out/a/b", "content"))
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let mut reader = engine.copy_out(node, "/out/a").await.unwrap();
    reader.read_to_end(&mut bytes).await.unwrap();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["a/", "a/b"]);
    let absent = engine.copy_out(node, "/absent").await.err().unwrap();
    assert!(
        matches!(absent, EngineError::Missing { what: "file", .. }),
        "{absent}"
    );
    let absent = engine.copy_out("absent", "/x").await.err().unwrap();
    assert!(
        matches!(absent, EngineError::Missing { what: "node", .. }),
        "{absent}"
    );

    let mut log = engine.node_logs(node, 10).await.unwrap();
    // The first lines may still be on their way.
    while log.lines().count() < 2 {
        log = engine.node_logs(node, 10).await.unwrap();
    }
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["also up", "up"]);
    assert_eq!(engine.node_logs(node, 1).await.unwrap().lines().count(), 1);
    corner.clear().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_reason() {
    let (_dockerd, corner) = corner!();
    let engine = &*corner.engine;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let publishing = |index, port| NodeSpec {
        publish_api: Some((loopback, port)),
        ..corner.node(index)
    };
    let first = corner.make(&publishing(0, 30443)).await;
    engine.start_node(&first).await.unwrap();
    let second = corner.make(&publishing(1, 30443)).await;
    let taken = engine.start_node(&second).await.unwrap_err();
    assert!(
        matches!(taken, EngineError::PortTaken { port: 30443 }),
        "{taken}"
    );

    let exists = engine.create_node(&publishing(0, 0)).await.unwrap_err();
    assert!(
        matches!(exists, EngineError::Exists { what: "node", .. }),
        "{exists}"
    );
    let no_image = NodeSpec {
        image: "absent:1".into(),
        name: "x".into(),
        ..corner.node(0)
    };
    let no_image = engine.create_node(&no_image).await.unwrap_err();
    assert!(
        matches!(&no_image, EngineError::Missing { what: "image", name } if name == "absent:1"),
        "{no_image}"
    );
    let no_volume = engine.create_node(&corner.node(5)).await.unwrap_err();
    assert!(
        matches!(no_volume, EngineError::Missing { what: "volume", .. }),
        "{no_volume}"
    );
    assert!(
        !engine
            .volumes(&corner.labels)
            .await
            .unwrap()
            .iter()
            .any(|v| v.name.ends_with("-5"))
    );
    let same_address = NodeSpec {
        address: corner.node(0).address,
        ..corner.node(2)
    };
    let third = corner.make(&same_address).await;
    let error = engine.start_node(&third).await.unwrap_err();
    assert!(matches!(error, EngineError::Failed { .. }), "{error}");
    let no_network = NodeSpec {
        network: "absent".into(),
        ..corner.node(3)
    };
    engine
        .create_volume(&no_network.var_volume, &corner.labels)
        .await
        .unwrap();
    let error = match engine.create_node(&no_network).await {
        Ok(()) => engine.start_node(&no_network.name).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(
        matches!(&error, EngineError::Missing { what: "network", name } if name == "absent"),
        "{error}"
    );
    let absent = engine.start_node("absent").await.unwrap_err();
    assert!(
        matches!(absent, EngineError::Missing { what: "node", .. }),
        "{absent}"
    );

    let in_use = engine.remove_volume(&first).await.unwrap_err();
    assert!(matches!(in_use, EngineError::Failed { .. }), "{in_use}");
    let in_use = engine
        .remove_network(&corner.network().name)
        .await
        .unwrap_err();
    assert!(matches!(in_use, EngineError::Failed { .. }), "{in_use}");
    corner.clear().await;
}

#[tokio::test]
async fn a_node_may_be_removed_by_many_at_once_and_again() {
    let (_dockerd, corner) = corner!();
    let node = &corner.started(0).await;
    let engine = &*corner.engine;
    let (one, two, three) = tokio::join!(
        engine.remove_node(node),
        engine.remove_node(node),
        engine.remove_node(node)
    );
    one.and(two).and(three).unwrap();
    engine.remove_node(node).await.unwrap();
    assert!(engine.nodes(&corner.labels).await.unwrap().is_empty());
    corner.clear().await;
}
