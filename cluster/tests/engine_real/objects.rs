//! Images, networks and volumes.

use std::io::Cursor;

use kcluster_cluster::engine::{Engine, EngineError, Labels, NetworkSpec};
use tokio::io::AsyncReadExt;

use crate::image;
use crate::support::{Dockerd, needs, shared, skip};

async fn load(engine: &dyn Engine, archive: Vec<u8>) -> Result<(), EngineError> {
    engine.load_image(Box::new(Cursor::new(archive))).await
}

#[tokio::test]
async fn an_engine_describes_itself() {
    needs!("dockerd");
    let dockerd = shared();
    let info = dockerd.connect().await.info().await.unwrap();
    assert_eq!(
        info.endpoint,
        format!("unix://{}", dockerd.socket().display())
    );
    assert!(info.version.split('.').count() >= 3, "{}", info.version);
    assert_eq!(
        info.arch.unwrap().uname(),
        rustix::system::uname().machine().to_str().unwrap()
    );
    assert!(info.local && info.cpus > 0 && info.memory > 1 << 20);
    let v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    assert_eq!(info.cgroup_version, if v2 { 2 } else { 1 });
    assert_eq!(
        info.data_root,
        dockerd.folder.path().join("data").to_string_lossy()
    );
    assert!(
        dockerd
            .connect()
            .await
            .shares_files(std::path::Path::new("/tmp"))
    );
}

#[tokio::test]
async fn images_are_loaded_listed_saved_and_removed() {
    needs!("dockerd");
    // Its own: others load and use the same image.
    let dockerd = Dockerd::isolated(None);
    let engine = dockerd.connect().await;
    let archive = match image::archive(0) {
        Ok(archive) => archive,
        Err(reason) => return skip(&reason),
    };
    assert!(engine.image(image::NAME).await.unwrap().is_none());
    load(&*engine, archive.clone()).await.unwrap();
    load(&*engine, archive).await.unwrap();
    let found = engine.image(image::NAME).await.unwrap().unwrap();
    assert_eq!(found.references, [image::NAME]);
    let listed = engine.images(&image::labels()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0].id, &listed[0].labels),
        (&found.id, &image::labels())
    );
    assert!(listed[0].size > 100_000);
    let other = Labels::from([("dev.kcluster.image".into(), "node".into())]);
    assert!(engine.images(&other).await.unwrap().is_empty());

    let mut saved = Vec::new();
    let mut reader = engine.save_images(&[image::NAME.into()]).await.unwrap();
    reader.read_to_end(&mut saved).await.unwrap();
    engine.remove_image(image::NAME).await.unwrap();
    assert!(engine.image(image::NAME).await.unwrap().is_none());
    load(&*engine, saved).await.unwrap();
    assert!(engine.image(image::NAME).await.unwrap().is_some());

    let absent = engine
        .save_images(&["absent:1".into()])
        .await
        .err()
        .unwrap();
    assert!(
        matches!(absent, EngineError::Missing { what: "image", .. }),
        "{absent}"
    );
    let absent = engine.remove_image("absent:1").await.unwrap_err();
    assert!(
        matches!(absent, EngineError::Missing { what: "image", .. }),
        "{absent}"
    );
}

#[tokio::test]
async fn an_archive_that_is_none_is_refused() {
    needs!("dockerd");
    let dockerd = shared();
    let engine = dockerd.connect().await;
    for size in [10, 1 << 20, 64 << 20] {
        let error = load(&*engine, vec![b'x'; size]).await.unwrap_err();
        assert!(
            matches!(error, EngineError::Failed { .. }),
            "{size}: {error}"
        );
        assert!(
            error
                .to_string()
                .starts_with("failed to load an image archive"),
            "{error}"
        );
    }
    let Ok(mut archive) = image::archive(1 << 20) else {
        return skip("no busybox");
    };
    archive.truncate(archive.len() / 2);
    let error = load(&*engine, archive).await.unwrap_err();
    assert!(matches!(error, EngineError::Failed { .. }), "{error}");
}

#[tokio::test]
async fn an_archive_that_cannot_be_read_says_so() {
    needs!("dockerd");
    let dockerd = shared();
    let engine = dockerd.connect().await;
    let begin = Cursor::new(vec![0; 1024]);
    let broken = tokio_util::io::StreamReader::new(futures_util::stream::iter([
        Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[0; 512])),
        Err(std::io::Error::other("the disk ate it")),
    ]));
    let error = engine
        .load_image(Box::new(begin.chain(broken)))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot read it") && error.contains("the disk ate it"),
        "{error}"
    );
}

fn network(name: &str, subnet: &str) -> NetworkSpec {
    NetworkSpec {
        name: name.into(),
        subnet: subnet.parse().unwrap(),
        subnet6: None,
        masquerade: true,
        labels: Labels::from([("test".into(), name.into())]),
    }
}

#[tokio::test]
async fn networks_are_told_apart_by_name_subnet_and_label() {
    needs!("dockerd");
    let dockerd = shared();
    let engine = dockerd.connect().await;
    let one = network("objects-one", "10.87.1.0/24");
    engine.create_network(&one).await.unwrap();
    let same = engine
        .create_network(&network("objects-one", "10.87.2.0/24"))
        .await
        .unwrap_err();
    assert!(
        matches!(
            same,
            EngineError::Exists {
                what: "network",
                ..
            }
        ),
        "{same}"
    );
    for subnet in ["10.87.1.0/24", "10.87.1.128/25", "10.87.0.0/16"] {
        let taken = engine
            .create_network(&network("objects-two", subnet))
            .await
            .unwrap_err();
        assert!(
            matches!(taken, EngineError::SubnetTaken { .. }),
            "{subnet}: {taken}"
        );
    }
    // A name that is part of another's is a name of its own.
    engine
        .create_network(&network("objects", "10.87.3.0/24"))
        .await
        .unwrap();
    let found = engine.networks(&one.labels).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].name, &found[0].subnets),
        (&one.name, &vec![one.subnet])
    );
    let all = engine.networks(&Labels::new()).await.unwrap();
    assert!(all.iter().any(|network| network.name == "none"));
    engine.remove_network("objects-one").await.unwrap();
    engine.remove_network("objects").await.unwrap();
    let gone = engine.remove_network("objects-one").await.unwrap_err();
    assert!(
        matches!(
            gone,
            EngineError::Missing {
                what: "network",
                ..
            }
        ),
        "{gone}"
    );
}

#[tokio::test]
async fn of_two_networks_made_at_once_never_both_stay() {
    needs!("dockerd");
    let dockerd = shared();
    let engine = dockerd.connect().await;
    let (one, two) = (
        network("twin", "10.87.4.0/24"),
        network("twin", "10.87.5.0/24"),
    );
    for _ in 0..10 {
        let (first, second) =
            tokio::join!(engine.create_network(&one), engine.create_network(&two));
        let made = usize::from(first.is_ok()) + usize::from(second.is_ok());
        assert!(made <= 1);
        assert_eq!(engine.networks(&one.labels).await.unwrap().len(), made);
        for error in [first, second].into_iter().filter_map(Result::err) {
            assert!(matches!(error, EngineError::Exists { .. }), "{error}");
        }
        if made == 1 {
            engine.remove_network("twin").await.unwrap();
        }
    }
}

#[tokio::test]
async fn volumes_are_never_handed_out_twice() {
    needs!("dockerd");
    let dockerd = shared();
    let engine = dockerd.connect().await;
    let labels = Labels::from([("test".into(), "volumes".into())]);
    engine.create_volume("objects-v", &labels).await.unwrap();
    let again = engine
        .create_volume("objects-v", &labels)
        .await
        .unwrap_err();
    assert!(
        matches!(again, EngineError::Exists { what: "volume", .. }),
        "{again}"
    );
    engine
        .create_volume("objects-foreign", &Labels::new())
        .await
        .unwrap();
    let listed = engine.volumes(&labels).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].name.as_str(), &listed[0].labels),
        ("objects-v", &labels)
    );
    engine.remove_volume("objects-v").await.unwrap();
    engine.remove_volume("objects-foreign").await.unwrap();
    let gone = engine.remove_volume("objects-v").await.unwrap_err();
    assert!(
        matches!(gone, EngineError::Missing { what: "volume", .. }),
        "{gone}"
    );
}
