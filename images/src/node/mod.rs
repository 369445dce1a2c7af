//! The node image: everything a node needs, so that its boot fetches and unpacks nothing.
//!
//! Its layers, the lowest first: Debian's packages, the plumbing and our own first process
//! (the same for all versions of Kubernetes), Kubernetes with all images that kubeadm asks for,
//! and for tests the images that they run.

mod addon;
mod bare;
mod e2e;
mod fixtures;
mod flannel;
mod images;
mod kube;
mod listing;
mod programs;
mod registry;
mod standins;
mod store;
mod wanted;

pub use addon::{AddonImage, BuiltAddon};
pub use listing::{Made, TestImage};

use std::collections::BTreeMap;

use kcluster_matrix::cluster::NODE_REPOSITORY;
use kcluster_matrix::platform::EMULATED_GO;
use kcluster_matrix::{Arch, Emulation, KubeVersion, Platform};
use serde_json::json;

use crate::builder::Builder;
use crate::catalogue::Catalogue;
use crate::debian::PackageSet;
use crate::error::Result;
use crate::go::embedded_digest;
use crate::oci::{ImageArchive, ImageConfig, Layer, image};
use crate::recipe::{Key, Recipe};
use crate::source::Source;
use crate::tree::Tree;

/// To be raised when the code here makes another image of the same parts.
const REVISION: u32 = 4;

/// Where programs are looked for in nodes and in the images made here.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the history of a node image calls the layer of images that tests use.
pub const TESTS_LAYER: &str = "images that tests use";

/// Which node image is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeImageRequest {
    /// Where Kubernetes comes from.
    pub source: Source,
    /// Its version.
    pub version: KubeVersion,
    /// The nodes' architectures.
    pub platform: Platform,
    /// Whether the images that tests run are inside.
    pub e2e: bool,
    /// Whether flannel's image is inside.
    pub flannel: bool,
}

/// A node image that is complete.
#[derive(Debug, Clone)]
pub struct NodeImage {
    /// Its name and tag.
    pub reference: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// References of the images inside.
    pub contains: Vec<String>,
    /// Its bytes.
    pub archive: ImageArchive,
    _in_use: Vec<crate::cache::Entry>,
}

impl NodeImageRequest {
    /// The image's name. It follows from what was asked for and from this program alone, so an
    /// engine can be asked for it before anything is built.
    ///
    /// # Errors
    /// When a source folder cannot be read.
    pub fn reference(&self) -> Result<String> {
        let variant = match (self.e2e, self.flannel) {
            (false, false) => "",
            (true, false) => "-e2e",
            (false, true) => "-flannel",
            (true, true) => "-e2e-flannel",
        };
        // `+` may be in a version, but not in a tag.
        let version = self.version.to_string().replace('+', "_");
        Ok(format!(
            "{NODE_REPOSITORY}:{version}-{}{variant}-{}",
            self.platform_tag(),
            self.recipe()?.short()
        ))
    }

    /// Such as `amd64`, or `s390x-hybrid-amd64`: the cell's, what is emulated, and the machine's.
    fn platform_tag(&self) -> String {
        let platform = self.platform;
        match platform.emulation() {
            Emulation::Native => platform.arch().to_string(),
            emulation => format!("{}-{emulation}-{}", platform.arch(), platform.machine()),
        }
    }

    /// The image's labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let platform = self.platform;
        let mut labels = vec![
            ("dev.kcluster.image", "node".to_owned()),
            ("dev.kcluster.kubernetes", self.version.to_string()),
            ("dev.kcluster.arch", platform.arch().to_string()),
            ("dev.kcluster.e2e", self.e2e.to_string()),
        ];
        if platform.is_foreign() {
            labels.push(("dev.kcluster.emulation", platform.emulation().to_string()));
            labels.push(("dev.kcluster.machine", platform.machine().to_string()));
        }
        labels
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn recipe(&self) -> Result<Key> {
        let sets = ["node", "kube-proxy", "agnhost", "busybox", "nginx"]
            .map(|name| package_set(name, self.platform.arch()).recipe().to_string());
        let recipe = Recipe::new("node-image", REVISION)
            .with("components", embedded_digest().as_str())
            .with("containerd-config", kube::CONTAINERD_CONFIG)
            .with_all("packages", sets)
            .with_all("fixtures", fixtures::texts())
            .with("version", self.version.to_string())
            .with("arch", self.platform_tag())
            .with("e2e", self.e2e.to_string());
        let recipe = if self.platform.emulation() == Emulation::Hybrid {
            recipe.with("env", format!("{EMULATED_GO:?}"))
        } else {
            recipe
        };
        let recipe = if self.e2e {
            recipe
                .with("e2e-images", e2e::REVISION.to_string())
                .with("tests", format!("{:?}", Catalogue::get().tests))
        } else {
            recipe
        };
        // Nodes without it stay what they were.
        let recipe = if self.flannel {
            recipe.with("flannel", flannel::digest().as_str())
        } else {
            recipe
        };
        Ok(self.source.identify(recipe)?.key())
    }
}

fn package_set(name: &'static str, arch: Arch) -> PackageSet<'static> {
    PackageSet {
        name,
        packages: Catalogue::get().packages(name),
        arch,
    }
}

impl Builder {
    /// Builds what is asked for, or finds it in the cache.
    ///
    /// # Errors
    /// When something cannot be built, fetched or written.
    pub async fn node_image(&self, request: &NodeImageRequest) -> Result<NodeImage> {
        let platform = request.platform;
        let machine = platform.machine();
        let (rootfs, plumbing, kube) = tokio::try_join!(
            async { self.packages(&package_set("node", machine)).await },
            bare::plumbing(self, machine),
            kube::bake(self, request),
        )?;
        let (rootfs, rootfs_entry) = rootfs;
        let mut manifests: BTreeMap<String, String> = kube.store().manifests().collect();
        let mut in_use = vec![rootfs_entry, kube.entry.clone()];
        in_use.extend(plumbing.entries);

        let mut trees = vec![
            ("Debian packages", rootfs),
            ("containerd, CNI plugins, first process", plumbing.tree),
            ("Kubernetes and kubeadm's images", kube.tree()?),
        ];
        // A layer of its own, so that images with and without tests share the big one below.
        let mut top = Tree::default();
        let mut tests = None;
        if request.e2e {
            let store = e2e::bake(self, request, &kube).await?;
            manifests.extend(store.manifests());
            in_use.push(store.entry.clone());
            top = Tree::from_folder(&store.folder(), store::PLACE)?;
            tests = Some(store);
        }
        finish(request, &kube, &mut top, &manifests)?;
        let what = if request.e2e {
            TESTS_LAYER
        } else {
            "list of images"
        };
        trees.push((what, top));
        if request.flannel {
            // On top of all, so that everything below is shared with nodes that have none.
            let bases: Vec<&store::Store> = [Some(kube.store()), tests.as_ref()]
                .into_iter()
                .flatten()
                .collect();
            let store = flannel::bake(self, request, &bases).await?;
            manifests.extend(store.manifests());
            in_use.push(store.entry.clone());
            let mut tree = Tree::from_folder(&store.folder(), store::PLACE)?;
            finish(request, &kube, &mut tree, &manifests)?;
            trees.push(("flannel", tree));
        }
        let contains: Vec<String> = manifests.into_keys().collect();

        let mut layers = Vec::new();
        for (what, tree) in trees {
            layers.push(Layer::of(tree).await?.called(what));
        }
        let (reference, labels) = (request.reference()?, request.labels());
        let mut env = vec![
            PATH.to_owned(),
            "KUBECONFIG=/etc/kubernetes/admin.conf".to_owned(),
            "CONTAINERD_NAMESPACE=k8s.io".to_owned(),
            "container=docker".to_owned(),
        ];
        if platform.emulation() == Emulation::Hybrid {
            // For kubeadm and the kubelet; static pods get theirs by patches.
            env.extend(EMULATED_GO.map(|(name, value)| format!("{name}={value}")));
        }
        let config = ImageConfig {
            env,
            entrypoint: vec!["/usr/local/bin/kcluster-node".to_owned(), "init".to_owned()],
            working_dir: "/".to_owned(),
            stop_signal: "SIGTERM".to_owned(),
            labels: labels.clone(),
            ..ImageConfig::default()
        };
        // Its first process is the machine's own, so the engine starts it as it starts any other.
        let archive = image(&reference, machine.as_str(), &config, layers)?;
        Ok(NodeImage {
            reference,
            labels,
            contains,
            archive,
            _in_use: in_use,
        })
    }
}

/// Adds what describes the node to its topmost layer.
fn finish(
    request: &NodeImageRequest,
    kube: &kube::Kube,
    top: &mut Tree,
    manifests: &BTreeMap<String, String>,
) -> Result<()> {
    registry::of_node(top, manifests)?;
    let platform = request.platform;
    let mut about = json!({
        "kubernetes": request.version,
        "arch": platform.arch(),
        "source": request.source.to_string(),
        "components": kube.components(),
        "images": manifests.keys().collect::<Vec<_>>(),
    });
    if platform.is_foreign() {
        about["emulation"] = json!(platform.emulation());
        about["machine"] = json!(platform.machine());
        about["native"] = json!(platform.emulation().runs_native());
    }
    top.text("kcluster/image.json", 0o644, format!("{about:#}\n"));
    Ok(())
}

#[cfg(test)]
mod tests;
