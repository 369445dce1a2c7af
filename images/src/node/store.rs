//! Images unpacked into a containerd store by `bake`.

use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::Arch;
use serde::{Deserialize, Serialize};

use crate::builder::{Builder, host_arch};
use crate::cache::{Entry, blocking};
use crate::command::Run;
use crate::error::{Error, Result};
use crate::go::Component;
use crate::oci::{ImageConfig, Layer};
use crate::recipe::Key;
use crate::tree::Tree;

/// Where the store is in a node.
pub(super) const PLACE: &str = "kcluster/store";

/// One image that goes into a store.
pub(super) struct Workload {
    pub(super) refs: Vec<String>,
    pub(super) pinned: bool,
    /// Whose programs it holds, where that is not what the store's other images hold.
    pub(super) arch: Option<Arch>,
    pub(super) config: ImageConfig,
    /// Numbers of layers of the [`Batch`], the lowest first.
    pub(super) layers: Vec<usize>,
}

/// Images that are baked together; they may share layers.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) layers: Vec<Tree>,
    pub(super) workloads: Vec<Workload>,
}

impl Batch {
    pub(super) fn layer(&mut self, tree: Tree) -> usize {
        self.layers.push(tree);
        self.layers.len() - 1
    }

    pub(super) fn image(&mut self, refs: Vec<String>, config: ImageConfig, layers: &[usize]) {
        self.workloads.push(Workload {
            refs,
            pinned: false,
            arch: None,
            config,
            layers: layers.to_vec(),
        });
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    images: Vec<SpecImage<'a>>,
}

#[derive(Serialize)]
struct SpecImage<'a> {
    refs: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<SpecPlatform>,
    pinned: bool,
    config: &'a ImageConfig,
    layers: Vec<&'a Path>,
}

#[derive(Serialize)]
struct SpecPlatform {
    os: &'static str,
    architecture: Arch,
}

/// What `bake` tells of what it wrote.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    images: Vec<ReportImage>,
}

#[derive(Debug, Deserialize)]
struct ReportImage {
    refs: Vec<String>,
    manifest: String,
    layers: Vec<ReportLayer>,
}

#[derive(Debug, Deserialize)]
struct ReportLayer {
    path: String,
}

/// A baked store in the cache.
pub(super) struct Store {
    pub(super) entry: Entry,
    report: Report,
}

impl Store {
    pub(super) fn folder(&self) -> PathBuf {
        self.entry.path("store")
    }

    pub(super) fn references(&self) -> Vec<String> {
        self.report
            .images
            .iter()
            .flat_map(|image| image.refs.clone())
            .collect()
    }

    /// The digest of each image's manifest, by reference.
    pub(super) fn manifests(&self) -> impl Iterator<Item = (String, String)> {
        self.report.images.iter().flat_map(|image| {
            image
                .refs
                .iter()
                .map(|reference| (reference.clone(), image.manifest.clone()))
        })
    }

    /// Where in a node the files of an image's lowest layer are.
    pub(super) fn lowest_layer(&self, reference: &str) -> Result<String> {
        self.report
            .images
            .iter()
            .find(|image| image.refs.iter().any(|found| found == reference))
            .and_then(|image| image.layers.first())
            .map(|layer| format!("/{PLACE}/{}", layer.path))
            .ok_or_else(|| {
                Error::malformed(
                    "the report of bake",
                    format!("it does not tell where {reference} is"),
                )
            })
    }
}

impl Builder {
    /// The store of that key: found, or baked from what `collect` brings together, which are
    /// programs of `arch`. A containerd takes only images of its own architecture, so all are
    /// labelled as the `machine`'s.
    pub(super) async fn store(
        &self,
        what: &str,
        key: &Key,
        (arch, machine): (Arch, Arch),
        bases: &[&Store],
        collect: impl AsyncFnOnce() -> Result<Batch>,
    ) -> Result<Store> {
        let entry = self
            .cache
            .get(("store", key), what, &*self.sink, async |dir: PathBuf| {
                let batch = collect().await?;
                let bake = Component {
                    name: "bake",
                    title: "bake".to_owned(),
                    requires: None,
                    programs: &[(".", "bake")],
                    tags: &[],
                    without: &[],
                    ldflags: String::new(),
                };
                let bake = self.component(&bake, host_arch()?).await?;
                let layers = save(batch.layers, &dir.join("layers")).await?;
                write_spec(&batch.workloads, &layers, &dir.join("spec.json"))?;
                let mut run = as_root(&bake.path("bake"), &dir)
                    .arg("--store")
                    .arg(dir.join("store"));
                for base in bases {
                    run = run.arg("--base").arg(base.folder());
                }
                let report = run
                    .args(["--arch", arch.as_str(), "--label-as", machine.as_str()])
                    .arg(dir.join("spec.json"))
                    .env("TMPDIR", &dir)
                    .output()
                    .await?;
                fs::write(dir.join("report.json"), report)?;
                let layers = dir.join("layers");
                blocking(move || Ok(fs::remove_dir_all(layers)?)).await
            })
            .await?;
        let report = fs::read(entry.path("report.json"))?;
        let report = serde_json::from_slice(&report)
            .map_err(|error| Error::malformed("the report of bake", error))?;
        Ok(Store { entry, report })
    }
}

async fn save(trees: Vec<Tree>, folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    for (number, tree) in trees.into_iter().enumerate() {
        let file = folder.join(format!("{number}.tar"));
        Layer::save(tree, &file).await?;
        files.push(file);
    }
    Ok(files)
}

fn write_spec(workloads: &[Workload], layers: &[PathBuf], to: &Path) -> Result<()> {
    let images = workloads
        .iter()
        .map(|workload| SpecImage {
            refs: &workload.refs,
            platform: workload.arch.map(|architecture| SpecPlatform {
                os: "linux",
                architecture,
            }),
            pinned: workload.pinned,
            config: &workload.config,
            layers: workload
                .layers
                .iter()
                .map(|number| layers[*number].as_path())
                .collect(),
        })
        .collect();
    let text = serde_json::to_vec_pretty(&Spec { images }).map_err(std::io::Error::from)?;
    Ok(fs::write(to, text)?)
}

/// All files in our layers belong to root. A user that is not root becomes it in a namespace of
/// their own, where the files they make look so.
fn as_root(program: &Path, dir: &Path) -> Run {
    if rustix::process::geteuid().is_root() {
        Run::new(program, dir)
    } else {
        Run::new("unshare", dir)
            .args(["--user", "--map-root-user"])
            .arg(program)
    }
}
