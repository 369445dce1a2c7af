//! The layer with Kubernetes: all images that kubeadm asks for, unpacked, and the node's own
//! commands as links into them.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use fs_err as fs;
use kcluster_matrix::KubeVersion;

use super::programs::{bare_layer, config, coredns_layer, etcd, pause};
use super::store::{Batch, PLACE, Store, Workload};
use super::{NodeImageRequest, bare, package_set};
use crate::builder::Builder;
use crate::error::Result;
use crate::go::{Bundle, components_digest};
use crate::oci::ImageConfig;
use crate::recipe::Recipe;
use crate::source::{Binaries, Requirements};
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

pub(super) struct Kube {
    store: Store,
    /// The commands of a foreign node, which are none of its images' commands.
    own: Option<Binaries>,
    pub(super) entry: crate::cache::Entry,
    pub(super) requirements: Requirements,
    apiserver: String,
    proxy: String,
}

/// The version as kubeadm writes it into a tag, which cannot hold a `+`.
fn tag(version: &KubeVersion) -> String {
    version.to_string().replace('+', "_")
}

fn commands_layer(binaries: &Binaries) -> Result<Tree> {
    let mut tree = bare_layer();
    put_commands(&mut tree, binaries)?;
    Ok(tree)
}

/// Kubernetes' commands; those that share a file are links to it.
///
/// What tells files apart is where they lie on the disk, not their names: folders of binaries hold links as well.
fn put_commands(tree: &mut Tree, binaries: &Binaries) -> Result<()> {
    let mut by_file: BTreeMap<(u64, u64), (&PathBuf, Vec<&str>)> = BTreeMap::new();
    for (name, path) in binaries.iter() {
        let file = fs::metadata(path)?;
        let names = by_file.entry((file.dev(), file.ino()));
        names.or_insert((path, Vec::new())).1.push(name);
    }
    for (path, names) in by_file.into_values() {
        let [only] = names[..] else {
            tree.file("usr/local/bin/kubernetes", 0o755, path)?;
            for name in names {
                tree.symlink(&format!("usr/local/bin/{name}"), "kubernetes");
            }
            continue;
        };
        tree.file(&format!("usr/local/bin/{only}"), 0o755, path)?;
    }
    Ok(())
}

async fn collect(
    builder: &Builder,
    request: &NodeImageRequest,
    needs: &Requirements,
) -> Result<Batch> {
    let NodeImageRequest {
        source,
        version,
        platform,
        ..
    } = request;
    let (arch, machine) = (platform.kubernetes(), platform.machine());
    let control_plane = if arch == machine {
        Bundle::All
    } else {
        Bundle::ControlPlane
    };
    let (binaries, netfilter, etcd, coredns, pause) = tokio::try_join!(
        source.commands(builder, version, arch, control_plane),
        async { builder.packages(&package_set("kube-proxy", machine)).await },
        etcd(builder, arch, &needs.etcd),
        coredns_layer(builder, arch, &needs.coredns),
        pause(builder, arch, &needs.pause),
    )?;
    let mut batch = Batch::default();
    let repository = &needs.repository;
    let commands = batch.layer(commands_layer(&binaries)?);
    let native = if arch == machine {
        commands
    } else {
        let binaries = source
            .commands(builder, version, machine, Bundle::Plumbing)
            .await?;
        batch.layer(commands_layer(&binaries)?)
    };
    let netfilter = batch.layer(netfilter.0);
    for name in IMAGES {
        let config = ImageConfig {
            entrypoint: vec![format!("/usr/local/bin/{name}")],
            ..config()
        };
        let is_proxy = name == "kube-proxy";
        batch.workloads.push(Workload {
            refs: vec![format!("{repository}/{name}:{}", tag(version))],
            pinned: false,
            arch: is_proxy.then_some(machine),
            config,
            layers: if is_proxy {
                vec![native, netfilter]
            } else {
                vec![commands]
            },
        });
    }
    let (etcd_config, etcd) = etcd;
    let etcd = batch.layer(etcd);
    batch.image(
        vec![format!("{repository}/etcd:{}", needs.etcd)],
        etcd_config,
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
        arch: None,
        config: pause_config,
        layers: vec![pause],
    });
    Ok(batch)
}

pub(super) async fn bake(builder: &Builder, request: &NodeImageRequest) -> Result<Kube> {
    let NodeImageRequest {
        source,
        version,
        platform,
        ..
    } = request;
    let (arch, machine) = (platform.kubernetes(), platform.machine());
    let requirements = Requirements::of(source, builder, version).await?;
    let recipe = Recipe::new("kube-store", REVISION)
        .with(
            "components",
            components_digest(&["bake", "kubernetes", "etcd", "coredns", "pause"]).as_str(),
        )
        .with(
            "packages",
            package_set("kube-proxy", machine).recipe().as_str(),
        )
        .with("requirements", format!("{requirements:?}"))
        .with("version", version.to_string())
        .with("arch", arch.as_str());
    let recipe = if arch == machine {
        recipe
    } else {
        recipe.with("machine", machine.as_str())
    };
    let key = source.identify(recipe)?.key();
    let what = format!("images of Kubernetes {version} ({arch})");
    let store = builder
        .store(&what, &key, (arch, machine), &[], async || {
            collect(builder, request, &requirements).await
        })
        .await?;
    let own = if arch == machine {
        None
    } else {
        Some(
            source
                .commands(builder, version, arch, Bundle::Node)
                .await?,
        )
    };
    let image = |name: &str| format!("{}/{name}:{}", requirements.repository, tag(version));
    let (apiserver, proxy) = (image("kube-apiserver"), image("kube-proxy"));
    Ok(Kube {
        entry: store.entry.clone(),
        store,
        own,
        requirements,
        apiserver,
        proxy,
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
        // What asks again and again runs as kube-proxy does: natively.
        let mut links = vec![("kubectl", &self.proxy)];
        match &self.own {
            Some(binaries) => put_commands(&mut tree, binaries)?,
            None => links.extend(["kubelet", "kubeadm"].map(|name| (name, &self.apiserver))),
        }
        for (name, image) in links {
            let commands = self.store.lowest_layer(image)?;
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
