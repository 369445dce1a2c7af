//! `down`, `clean`, `list`, logs and loading.

use kcluster_matrix::Arch;

use super::stage::{IMAGE, Stage, fails, output, spec};
use crate::engine::recording::Recorder;
use crate::engine::{Engine, EngineError, Labels, NetworkSpec};
use crate::state::StateDir;
use crate::{clean, collect_logs, down, labels, list, load_archive, load_images};

#[tokio::test]
async fn down_removes_one_cluster_as_often_as_one_likes() {
    let (a, b) = (spec("a", 1), spec("b", 0));
    let stage = Stage::new(&a);
    stage.up(&a).await.unwrap();
    // The second lives beside the first; its watches are the first's, so make it by hand.
    stage
        .engine
        .create_volume("b-var", &labels::for_cluster(&b))
        .await
        .unwrap();
    let removed = down(&stage.engine, &a.name, &stage.state, &stage.events)
        .await
        .unwrap();
    assert_eq!(
        (
            removed.nodes.len(),
            removed.networks.len(),
            removed.volumes.len()
        ),
        (2, 1, 2)
    );
    assert_eq!(
        stage.engine.leftovers().into_iter().collect::<Vec<_>>(),
        ["volume b-var"]
    );
    assert!(stage.state.clusters().unwrap().is_empty());
    let again = down(&stage.engine, &a.name, &stage.state, &stage.events)
        .await
        .unwrap();
    assert!(again.is_empty());
}

#[tokio::test]
async fn clean_leaves_strangers_alone() {
    let spec = spec("a", 1);
    let root = tempfile::tempdir().unwrap();
    let state = StateDir::new(root.path());
    let engine = Recorder::new()
        .with_image(IMAGE, &labels::node_images())
        .with_image("postgres:16", &Labels::new())
        // Built upon ours, so it inherits the label.
        .with_image("theirs:1", &labels::node_images());
    let own = labels::for_cluster(&spec);
    engine.create_volume("a-var", &own).await.unwrap();
    engine
        .create_volume("precious", &Labels::new())
        .await
        .unwrap();
    let network = NetworkSpec {
        name: "theirs".into(),
        subnet: "10.89.0.0/24".parse().unwrap(),
        subnet6: None,
        masquerade: true,
        labels: Labels::new(),
    };
    engine.create_network(&network).await.unwrap();
    let removed = clean(&engine, &state, &kcluster_matrix::event::Silent)
        .await
        .unwrap();
    assert_eq!(
        (removed.volumes, removed.images),
        (vec!["a-var".to_owned()], vec![IMAGE.to_owned()])
    );
    let left: Vec<String> = engine.leftovers().into_iter().collect();
    assert_eq!(left, ["network theirs", "volume precious"]);
    assert!(engine.image("postgres:16").await.unwrap().is_some());
}

#[tokio::test]
async fn what_cannot_be_removed_is_named() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    stage
        .engine
        .fail_always("remove_volume", || EngineError::Failed {
            operation: "remove volume `a-control-plane-var`".into(),
            reason: "it is in use".into(),
        });
    let error = down(&stage.engine, &spec.name, &stage.state, &stage.events)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("remove volume `a-control-plane-var`: it is in use"),
        "{error}"
    );
    // What is remembered stays until all is gone.
    assert!(!stage.state.clusters().unwrap().is_empty());
}

#[tokio::test]
async fn clusters_are_listed_and_their_logs_kept() {
    let spec = spec("a", 1);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    let clusters = list(&stage.engine).await.unwrap();
    assert_eq!(clusters.len(), 1);
    let names: Vec<&str> = clusters[0]
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(names, ["a-control-plane", "a-worker-1"]);
    assert_eq!(clusters[0].cell, "v1.36.3-bridge-amd64");

    let into = tempfile::tempdir().unwrap();
    stage
        .engine
        .on_exec(&["sh", "-c", "cat /proc/mounts"], output("overlay /\n"));
    let files = collect_logs(&stage.engine, &spec.name, into.path())
        .await
        .unwrap();
    assert!(files.iter().all(|file| file.exists()));
    let mounts = into.path().join("a-worker-1/mounts.txt");
    assert_eq!(std::fs::read_to_string(mounts).unwrap(), "overlay /\n");
    let absent = collect_logs(&stage.engine, &"b".parse().unwrap(), into.path()).await;
    assert!(absent.unwrap_err().to_string().contains("no cluster `b`"));
}

#[tokio::test]
async fn images_get_into_every_node_or_the_node_is_named() {
    let spec = spec("a", 1);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    let load = async |images: &[String]| {
        let engine = &stage.engine;
        load_images(engine, engine, &spec.name, Arch::Amd64, images).await
    };
    load(&[IMAGE.to_owned()]).await.unwrap();
    for node in ["a-control-plane", "a-worker-1"] {
        stage.position(&format!("copy_in {node} kcluster/load/"));
        stage.position(&format!("exec {node} sh -c ctr -n k8s.io images import"));
    }
    let absent = load(&["nope:1".to_owned()]).await.unwrap_err();
    assert!(absent.to_string().contains("nope:1"), "{absent}");
    let absent = load_archive(
        &stage.engine,
        &spec.name,
        Arch::Amd64,
        "/nonexistent.tar".as_ref(),
    )
    .await
    .unwrap_err();
    assert!(absent.to_string().contains("/nonexistent.tar"), "{absent}");
    stage.engine.script(|node, spec| {
        (node == "a-worker-1" && spec.argv.get(2)?.starts_with("ctr"))
            .then(|| crate::engine::recording::Answer::Output(fails("", "ctr: bad archive\n")))
    });
    let error = load(&[IMAGE.to_owned()]).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "failed to load images into node a-worker-1: ctr ended with code 1: ctr: bad archive"
    );
}

#[tokio::test]
async fn images_of_another_engine_get_into_the_nodes_of_this_one() {
    let spec = spec("a", 0);
    let stage = Stage::new(&spec);
    stage.up(&spec).await.unwrap();
    let other = Recorder::new().with_image("only:there", &Labels::new());
    let images = ["only:there".to_owned()];
    let load = || load_images(&stage.engine, &other, &spec.name, Arch::Amd64, &images);
    load().await.unwrap();
    stage.position("copy_in a-control-plane kcluster/load/");
    assert!(
        other
            .calls()
            .iter()
            .all(|call| !call.starts_with("copy_in")),
        "{:?}",
        other.calls()
    );
    other.fail_on(
        "save_images",
        EngineError::Incomplete {
            name: "only:there".to_owned(),
            content: "sha256:1f".to_owned(),
        },
    );
    let error = load().await.unwrap_err().to_string();
    assert!(
        error.starts_with("the engine has image `only:there` only in part")
            && error.contains("sha256:1f"),
        "{error}"
    );
}
