//! The layer with Kubernetes: all images that kubeadm asks for, unpacked, and the node's own
//! commands as links into them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::store::{Batch, PLACE, Store, Workload};
use super::{NodeImageRequest, PATH, bare, package_set};
use crate::builder::Builder;
use crate::error::Result;
use crate::go::{Component, components_digest};
use crate::oci::ImageConfig;
use crate::recipe::Recipe;
use crate::source::{Binaries, COMMANDS, Requirements};
use crate::tree::Tree;

pub(super) const CONTAINERD_CONFIG: &str = include_str!("../../rootfs/node/containerd.toml");

const REVISION: u32 = 1;

/// Images of Kubernetes itself.
const IMAGES: [&str; 4] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
];

/// Commands that the node itself runs.
const NODE_COMMANDS: [&str; 3] = ["kubelet", "kubeadm", "kubectl"];

/// Users as in the bases that upstream's images stand on.
pub(super) const PASSWD: &str = "root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
";
pub(super) const GROUP: &str = "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n";

pub(super) struct Kube {
    store: Store,
    pub(super) entry: crate::cache::Entry,
    pub(super) requirements: Requirements,
    apiserver: String,
}

/// A program's layer of an image that holds nothing else.
pub(super) fn bare_layer() -> Tree {
    let mut tree = Tree::default();
    tree.text("etc/passwd", 0o644, PASSWD);
    tree.text("etc/group", 0o644, GROUP);
    tree.text("etc/nsswitch.conf", 0o644, "hosts: files dns\n");
    tree.dir("tmp", 0o1777);
    tree
}

/// Kubernetes' commands; those that share a file are links to it.
fn commands_layer(binaries: &Binaries) -> Result<Tree> {
    let mut tree = bare_layer();
    let mut by_file: BTreeMap<&PathBuf, Vec<&str>> = BTreeMap::new();
    for (name, path) in binaries.iter() {
        by_file.entry(path).or_default().push(name);
    }
    for (path, names) in by_file {
        let [only] = names[..] else {
            tree.file("usr/local/bin/kubernetes", 0o755, path)?;
            for name in names {
                tree.symlink(&format!("usr/local/bin/{name}"), "kubernetes");
            }
            continue;
        };
        tree.file(&format!("usr/local/bin/{only}"), 0o755, path)?;
    }
    Ok(tree)
}

/// The layer that CoreDNS' image and agnhost's both begin with.
pub(super) async fn coredns_layer(
    builder: &Builder,
    request: &NodeImageRequest,
    tag: &str,
) -> Result<Tree> {
    let version = tag.trim_start_matches('v');
    let component = Component {
        name: "coredns",
        title: format!("CoreDNS {version}"),
        requires: Some(("github.com/coredns/coredns", format!("v{version}"))),
        programs: &[(".", "coredns")],
        tags: &[],
        ldflags: String::new(),
    };
    let entry = builder.component(&component, request.arch).await?;
    let mut tree = bare_layer();
    tree.file("coredns", 0o755, &entry.path("coredns"))?;
    Ok(tree)
}

/// The pause image, for kubeadm and for tests.
pub(super) async fn pause(
    builder: &Builder,
    request: &NodeImageRequest,
    tag: &str,
) -> Result<(ImageConfig, Tree)> {
    let component = Component {
        name: "pause",
        title: format!("pause {tag}"),
        requires: None,
        programs: &[(".", "pause")],
        tags: &[],
        ldflags: format!("-X main.version={tag}"),
    };
    let entry = builder.component(&component, request.arch).await?;
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

async fn etcd_layer(
    builder: &Builder,
    request: &NodeImageRequest,
    requirements: &Requirements,
) -> Result<Tree> {
    let version = requirements.etcd_version();
    let component = Component {
        name: "etcd",
        title: format!("etcd {version}"),
        requires: Some(("go.etcd.io/etcd/server/v3", format!("v{version}"))),
        programs: &[(".", "etcd")],
        tags: &[],
        ldflags: String::new(),
    };
    let entry = builder.component(&component, request.arch).await?;
    let mut tree = bare_layer();
    tree.file("usr/local/bin/etcd", 0o755, &entry.path("etcd"))?;
    Ok(tree)
}

async fn collect(
    builder: &Builder,
    request: &NodeImageRequest,
    needs: &Requirements,
) -> Result<Batch> {
    let NodeImageRequest {
        source,
        version,
        arch,
        ..
    } = request;
    let (binaries, netfilter, etcd, coredns, pause) = tokio::try_join!(
        source.commands(builder, version, *arch),
        async { builder.packages(&package_set("kube-proxy", *arch)).await },
        etcd_layer(builder, request, needs),
        coredns_layer(builder, request, &needs.coredns),
        pause(builder, request, &needs.pause),
    )?;
    let mut batch = Batch::default();
    let repository = &needs.repository;
    let commands = batch.layer(commands_layer(&binaries)?);
    let netfilter = batch.layer(netfilter.0);
    for name in IMAGES {
        let config = ImageConfig {
            entrypoint: vec![format!("/usr/local/bin/{name}")],
            ..config()
        };
        let layers = if name == "kube-proxy" {
            vec![commands, netfilter]
        } else {
            vec![commands]
        };
        batch.image(
            vec![format!("{repository}/{name}:{version}")],
            config,
            &layers,
        );
    }
    let etcd = batch.layer(etcd);
    let entrypoint = vec!["/usr/local/bin/etcd".to_owned()];
    batch.image(
        vec![format!("{repository}/etcd:{}", needs.etcd)],
        ImageConfig {
            entrypoint,
            ..config()
        },
        &[etcd],
    );
    let coredns = batch.layer(coredns);
    let coredns_config = ImageConfig {
        user: "nonroot:nonroot".to_owned(),
        exposed_ports: ["53/tcp", "53/udp"]
            .map(|port| (port.to_owned(), BTreeMap::new()))
            .into(),
        entrypoint: vec!["/coredns".to_owned()],
        ..config()
    };
    batch.image(
        vec![format!("{repository}/coredns/coredns:{}", needs.coredns)],
        coredns_config,
        &[coredns],
    );
    let (pause_config, pause) = pause;
    let pause = batch.layer(pause);
    batch.workloads.push(Workload {
        refs: vec![format!("{repository}/pause:{}", needs.pause)],
        pinned: true,
        config: pause_config,
        layers: vec![pause],
    });
    Ok(batch)
}

pub(super) async fn bake(builder: &Builder, request: &NodeImageRequest) -> Result<Kube> {
    let NodeImageRequest {
        source,
        version,
        arch,
        ..
    } = request;
    let requirements = Requirements::of(source, builder, version).await?;
    let recipe = Recipe::new("kube-store", REVISION)
        .with(
            "components",
            components_digest(&["bake", "kubernetes", "etcd", "coredns", "pause"]).as_str(),
        )
        .with(
            "packages",
            package_set("kube-proxy", *arch).recipe().as_str(),
        )
        .with("requirements", format!("{requirements:?}"))
        .with("version", version.to_string())
        .with("arch", arch.as_str());
    let key = source.identify(recipe)?.key();
    let what = format!("images of Kubernetes {version} ({arch})");
    let store = builder
        .store(&what, &key, *arch, None, async || {
            collect(builder, request, &requirements).await
        })
        .await?;
    let apiserver = format!("{}/kube-apiserver:{version}", requirements.repository);
    Ok(Kube {
        entry: store.entry.clone(),
        store,
        requirements,
        apiserver,
    })
}

impl Kube {
    pub(super) fn references(&self) -> Vec<String> {
        self.store.references()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Versions of all that is not Kubernetes itself.
    pub(super) fn components(&self) -> BTreeMap<&'static str, String> {
        let Requirements {
            etcd,
            coredns,
            pause,
            ..
        } = &self.requirements;
        let mut all = BTreeMap::from([
            ("etcd", etcd.clone()),
            ("coredns", coredns.clone()),
            ("pause", pause.clone()),
        ]);
        all.extend(bare::versions().into_iter().flatten());
        all
    }

    /// Store, links and containerd's configuration.
    pub(super) fn tree(&self) -> Result<Tree> {
        let mut tree = Tree::from_folder(&self.store.folder(), PLACE)?;
        let commands = self.store.lowest_layer(&self.apiserver)?;
        for name in NODE_COMMANDS {
            debug_assert!(COMMANDS.contains(&name));
            tree.symlink(
                &format!("usr/local/bin/{name}"),
                &format!("{commands}/usr/local/bin/{name}"),
            );
        }
        let pause = format!(
            "{}/pause:{}",
            self.requirements.repository, self.requirements.pause
        );
        tree.text(
            "etc/containerd/config.toml",
            0o644,
            CONTAINERD_CONFIG.replace("@PAUSE@", &pause),
        );
        Ok(tree)
    }
}
