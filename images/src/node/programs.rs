//! Images that hold one program and next to nothing else.

use kcluster_matrix::{Arch, KubeVersion};

use super::{NodeImageRequest, PATH};
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::go::Component;
use crate::oci::ImageConfig;
use crate::tree::Tree;

/// Users as in the bases that upstream's images stand on.
const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
";
const GROUP: &str = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n";

/// A program's layer of an image that holds nothing else.
pub(super) fn bare_layer() -> Tree {
    let mut tree = Tree::default();
    tree.text("etc/passwd", 0o644, PASSWD);
    tree.text("etc/group", 0o644, GROUP);
    tree.text("etc/nsswitch.conf", 0o644, "hosts: files dns\n");
    tree.dir("tmp", 0o1777);
    tree
}

/// The layer that CoreDNS' image and agnhost's both begin with.
pub(super) async fn coredns_layer(builder: &Builder, arch: Arch, tag: &str) -> Result<Tree> {
    let version = tag.trim_start_matches('v');
    let component = Component {
        name: "coredns",
        title: format!("CoreDNS {version}"),
        requires: Some(("github.com/coredns/coredns", format!("v{version}"))),
        programs: &[(".", "coredns")],
        tags: &[],
        without: &[],
        ldflags: String::new(),
    };
    let entry = builder.component(&component, arch).await?;
    let mut tree = bare_layer();
    tree.file("coredns", 0o755, &entry.path("coredns"))?;
    Ok(tree)
}

/// The pause image, for kubeadm and for tests.
pub(super) async fn pause(builder: &Builder, arch: Arch, tag: &str) -> Result<(ImageConfig, Tree)> {
    let component = Component {
        name: "pause",
        title: format!("pause {tag}"),
        requires: None,
        programs: &[(".", "pause")],
        tags: &[],
        without: &[],
        ldflags: format!("-X main.version={tag}"),
    };
    let entry = builder.component(&component, arch).await?;
    let mut tree = Tree::default();
    tree.file("pause", 0o755, &entry.path("pause"))?;
    let config = ImageConfig {
        user: "65535:65535".to_owned(),
        entrypoint: vec!["/pause".to_owned()],
        ..config()
    };
    Ok((config, tree))
}

pub(super) fn config() -> ImageConfig {
    ImageConfig {
        env: vec![PATH.to_owned()],
        working_dir: "/".to_owned(),
        ..ImageConfig::default()
    }
}

/// The etcd image, for kubeadm and for tests.
pub(super) async fn etcd(builder: &Builder, arch: Arch, tag: &str) -> Result<(ImageConfig, Tree)> {
    // The module's version is the tag without the count of its image's rebuilds.
    let version = tag.rsplit_once('-').map_or(tag, |(version, _)| version);
    let component = Component {
        name: "etcd",
        title: format!("etcd {version}"),
        requires: Some(("go.etcd.io/etcd/server/v3", format!("v{version}"))),
        programs: &[(".", "etcd")],
        tags: &[],
        // The package it names stood elsewhere before 3.6.
        without: if version.starts_with("3.5.") {
            &["wal.go"]
        } else {
            &[]
        },
        ldflags: String::new(),
    };
    let entry = builder.component(&component, arch).await?;
    let mut tree = bare_layer();
    tree.file("usr/local/bin/etcd", 0o755, &entry.path("etcd"))?;
    let config = ImageConfig {
        entrypoint: vec!["/usr/local/bin/etcd".to_owned()],
        ..config()
    };
    Ok((config, tree))
}

/// The extension API server, for tests. Its image's tag is a version of Kubernetes, which it is built from.
pub(super) async fn sample_apiserver(
    builder: &Builder,
    request: &NodeImageRequest,
    tag: &str,
) -> Result<(ImageConfig, Tree)> {
    const MODULE: &str = "k8s.io/sample-apiserver";
    let version: KubeVersion = tag
        .parse()
        .map_err(|error| Error::malformed(format!("the tag {tag} of sample-apiserver"), error))?;
    let component = Component {
        name: "sample-apiserver",
        title: format!("sample-apiserver {tag}"),
        requires: Some((MODULE, version.staging())),
        programs: &[(MODULE, "sample-apiserver")],
        tags: &[],
        without: &[],
        ldflags: String::new(),
    };
    let entry = builder
        .component(&component, request.platform.arch())
        .await?;
    let mut tree = bare_layer();
    tree.file("sample-apiserver", 0o755, &entry.path("sample-apiserver"))?;
    let config = ImageConfig {
        entrypoint: vec!["/sample-apiserver".to_owned()],
        ..config()
    };
    Ok((config, tree))
}
