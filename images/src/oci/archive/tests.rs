use std::io::Read as _;

use tokio::io::AsyncReadExt as _;

use super::*;
use crate::tree::Tree;

async fn sample() -> (ImageArchive, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs_err::write(&file, vec![7; 700_000]).unwrap();
    let mut big = Tree::default();
    big.file("usr/bin/big", 0o755, &file).unwrap();
    let mut small = Tree::default();
    small.text("etc/name", 0o644, "a node");
    let layers = vec![
        Layer::of(big).await.unwrap(),
        Layer::of(small).await.unwrap(),
    ];
    let config = ImageConfig {
        entrypoint: vec!["/usr/bin/big".into()],
        ..ImageConfig::default()
    };
    (
        image("kcluster/node:v1", "amd64", &config, layers).unwrap(),
        folder,
    )
}

fn files(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    tar::Archive::new(bytes)
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (
                entry.path().unwrap().to_string_lossy().into_owned(),
                content,
            )
        })
        .collect()
}

#[tokio::test]
async fn layers_that_are_named_tell_so_in_the_history() {
    let (plain, _folder) = sample().await;
    let config = |archive: &ImageArchive| {
        let (_, bytes) = &archive.documents[3];
        serde_json::from_slice::<serde_json::Value>(bytes).unwrap()
    };
    assert!(config(&plain).get("history").is_none());
    let layers = plain.layers.clone().into_iter();
    let layers = layers.map(|layer| layer.called("programs")).collect();
    let named = image("a:b", "amd64", &ImageConfig::default(), layers).unwrap();
    let history = &config(&named)["history"];
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!(history[1]["created_by"], "programs");
}

#[tokio::test]
async fn every_digest_and_size_that_is_named_is_right() {
    let (archive, _folder) = sample().await;
    let mut bytes = Vec::new();
    archive.stream().read_to_end(&mut bytes).await.unwrap();
    let files = files(&bytes);
    let json = |name: &str| serde_json::from_slice::<serde_json::Value>(&files[name]).unwrap();
    let follow = |descriptor: &serde_json::Value| {
        let digest = descriptor["digest"]
            .as_str()
            .unwrap()
            .strip_prefix("sha256:")
            .unwrap();
        let content = &files[&blob(digest)];
        assert_eq!(sha256(&content[..]).unwrap().0, digest);
        assert_eq!(content.len() as u64, descriptor["size"].as_u64().unwrap());
        content.clone()
    };
    let manifest: serde_json::Value =
        serde_json::from_slice(&follow(&json("index.json")["manifests"][0])).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&follow(&manifest["config"])).unwrap();
    let docker = &json("manifest.json")[0];
    for (number, layer) in manifest["layers"].as_array().unwrap().iter().enumerate() {
        follow(layer);
        assert_eq!(config["rootfs"]["diff_ids"][number], layer["digest"]);
        let digest = layer["digest"].as_str().unwrap();
        assert_eq!(
            docker["Layers"][number],
            blob(digest.strip_prefix("sha256:").unwrap())
        );
    }
    assert_eq!(docker["RepoTags"][0], "kcluster/node:v1");
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/big");
    assert_eq!(archive.unpacked_size(), 700_006);
}

#[tokio::test]
async fn a_changed_file_breaks_the_stream_instead_of_the_image() {
    let (archive, folder) = sample().await;
    fs_err::write(folder.path().join("file"), vec![8; 700_000]).unwrap();
    let mut bytes = Vec::new();
    let error = archive
        .stream()
        .read_to_end(&mut bytes)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("has changed since it was made"), "{error}");
}

#[tokio::test]
async fn equal_content_gives_the_same_image() {
    let (a, _a) = sample().await;
    let (b, _b) = sample().await;
    let bytes = |archive: &ImageArchive| {
        let mut bytes = Vec::new();
        archive.write(&mut bytes).unwrap();
        bytes
    };
    assert_eq!(bytes(&a), bytes(&b));
}
