//! Archives as Docker, its containerd store and OCI tools write them.

use sha2::{Digest, Sha256};

use super::*;

/// An archive in the making.
#[derive(Default)]
struct Layout {
    files: BTreeMap<String, Vec<u8>>,
}

impl Layout {
    fn add(&mut self, content: &Value) -> String {
        let content = content.to_string().into_bytes();
        let hex: String = Sha256::digest(&content)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.files.insert(format!("blobs/sha256/{hex}"), content);
        format!("sha256:{hex}")
    }

    /// A manifest with its content, and its descriptor.
    fn image(&mut self, arch: &str) -> Value {
        let config = self.add(&json!({ "os": "linux", "architecture": arch }));
        let layer = self.add(&json!({ "layer": arch }));
        let manifest = self.add(&json!({
            "config": { "digest": config },
            "layers": [{ "digest": layer }],
        }));
        json!({ "digest": manifest, "platform": { "os": "linux", "architecture": arch } })
    }

    fn index(&mut self, images: &[Value]) -> Value {
        let digest = self.add(&json!({ "manifests": images }));
        json!({ "digest": digest, "annotations": { "io.containerd.image.name": "x/y:1" } })
    }

    fn tar(mut self, images: &[Value]) -> Vec<u8> {
        let index = json!({ "manifests": images }).to_string().into_bytes();
        self.files.insert("index.json".into(), index);
        self.plain()
    }

    fn plain(self) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in &self.files {
            append(&mut builder, path, content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn lose(&mut self, what: &str) {
        let before = self.files.len();
        self.files
            .retain(|_, content| content.as_slice() != what.as_bytes());
        assert!(self.files.len() < before);
    }
}

fn said(archive: Vec<u8>) -> String {
    for_platform(archive, Arch::Amd64).unwrap_err().to_string()
}

#[test]
fn an_index_is_cut_down_to_the_nodes_platform() {
    let mut layout = Layout::default();
    let images = ["s390x", "amd64", "arm64"].map(|arch| layout.image(arch));
    let attestation = json!({
        "digest": layout.add(&json!({ "attests": true })),
        "platform": { "os": "unknown", "architecture": "unknown" },
    });
    let image = layout.index(&[images.as_slice(), &[attestation]].concat());
    let cut = for_platform(layout.tar(&[image]), Arch::Arm64).unwrap();
    let files = Files::read(&cut).unwrap();
    let index = files.json("index.json").unwrap().unwrap();
    assert_eq!(index["manifests"][0]["digest"], images[2]["digest"]);
    assert_eq!(name(&index["manifests"][0]), "x/y:1");
    assert_eq!(list(&index["manifests"]).len(), 1);
    assert_eq!(
        files.0.len(),
        5,
        "layout, index, manifest, configuration, layer: {:?}",
        files.0.keys()
    );
}

#[test]
fn other_platforms_may_be_absent_and_the_nodes_own_may_not() {
    // What `docker save` writes of Docker's containerd store.
    let whole = || {
        let mut layout = Layout::default();
        let images = ["amd64", "arm64"].map(|arch| layout.image(arch));
        let image = layout.index(&images);
        (layout, image)
    };
    let (mut layout, image) = whole();
    layout.lose(r#"{"layer":"arm64"}"#);
    layout.lose(r#"{"architecture":"arm64","os":"linux"}"#);
    assert!(for_platform(layout.tar(std::slice::from_ref(&image)), Arch::Amd64).is_ok());
    let (mut layout, image) = whole();
    layout.lose(r#"{"layer":"amd64"}"#);
    let text = said(layout.tar(&[image]));
    assert!(
        text.starts_with("image x/y:1 names linux/amd64, but its layer (sha256:"),
        "{text}"
    );
    assert!(text.contains("--platform linux/amd64"), "{text}");
}

#[test]
fn a_compressed_archive_is_looked_into_too() {
    use std::io::Write as _;

    let mut layout = Layout::default();
    let images = ["amd64", "arm64"].map(|arch| layout.image(arch));
    let image = layout.index(&images);
    layout.lose(r#"{"layer":"arm64"}"#);
    let tar = layout.tar(&[image]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let packed = [
        gzip.finish().unwrap(),
        zstd::encode_all(&tar[..], 1).unwrap(),
    ];
    for archive in packed {
        let cut = for_platform(archive.clone(), Arch::Amd64).unwrap();
        assert_eq!(cut, for_platform(tar.clone(), Arch::Amd64).unwrap());
        let error = for_platform(archive.clone(), Arch::Arm64).unwrap_err();
        assert!(matches!(error, ArchiveError::Absent { .. }), "{error}");
        let half = archive[..archive.len() / 2].to_vec();
        assert!(for_platform(half, Arch::Amd64).is_err());
    }
}

#[test]
fn a_platform_nobody_saved_is_named_with_those_there_are() {
    let mut layout = Layout::default();
    let images = ["s390x", "arm64"].map(|arch| layout.image(arch));
    let image = layout.index(&images);
    let text = said(layout.tar(&[image]));
    assert!(
        text.starts_with(
            "image x/y:1 is for linux/arm64, linux/s390x, and the nodes are linux/amd64"
        ),
        "{text}"
    );
    // A manifest without an index: its configuration tells.
    let mut layout = Layout::default();
    let mut image = layout.image("ppc64le");
    image["platform"].take();
    assert!(said(layout.tar(&[image])).contains("is for linux/ppc64le"));
}

#[test]
fn dockers_older_layout_stays_as_it_is_if_it_fits() {
    let of = |arch: &str| {
        let mut layout = Layout::default();
        let files = [
            ("c.json", json!({ "os": "linux", "architecture": arch })),
            (
                "manifest.json",
                json!([{ "Config": "c.json", "RepoTags": ["x:1"], "Layers": [] }]),
            ),
        ];
        for (path, content) in files {
            layout
                .files
                .insert(path.into(), content.to_string().into_bytes());
        }
        layout.plain()
    };
    assert_eq!(for_platform(of("amd64"), Arch::Amd64).unwrap(), of("amd64"));
    assert!(said(of("arm64")).starts_with("image x:1 is for linux/arm64"));
}

#[test]
fn what_is_no_image_is_told() {
    let mut layout = Layout::default();
    layout.files.insert("readme".into(), b"hello".to_vec());
    assert!(said(layout.plain()).contains("holds no images"));
    assert!(said(b"x".repeat(2000)).contains("no tar archive"));
    let mut layout = Layout::default();
    layout.files.insert("index.json".into(), b"{".to_vec());
    assert_eq!(said(layout.plain()), "index.json in it cannot be read");
}
