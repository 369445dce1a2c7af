//! Images into a cluster's nodes, from a file or from the engine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use kcluster_matrix::addon::ADDON_REPOSITORIES;
use kcluster_matrix::{Arch, ClusterName, Role};
use thiserror::Error;
use tokio::io::AsyncReadExt;

use crate::archive::{File, tar};
use crate::engine::{Engine, EngineError, ExecSpec, NodeInfo};
use crate::error::ClusterError;
use crate::image_archive::{ArchiveError, for_platform};
use crate::labels::ROLE;
use crate::list::list;

/// Why images did not get into every node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such cluster, or the engine failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The engine does not have an image, or only a part of it.
    #[error(transparent)]
    Image(EngineError),
    /// The archive could not be read.
    #[error("failed to read image archive `{}`: {source}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nodes cannot run what is in it.
    #[error("cannot load {what}: {source}")]
    Unfit {
        /// The file, or the images.
        what: String,
        /// Why.
        source: ArchiveError,
    },
    /// The engine's archive broke off.
    #[error("failed to read images from the engine: {0}")]
    Broken(std::io::Error),
    /// Nodes that did not take the images.
    #[error("{}", failures.join("\n"))]
    Nodes {
        /// One line for each, with its name and what it said.
        failures: Vec<String>,
    },
}

impl From<EngineError> for LoadError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Missing { what: "image", .. } | EngineError::Incomplete { .. } => {
                Self::Image(error)
            }
            error => Self::Cluster(error.into()),
        }
    }
}

/// Loads the part for `arch` of an image archive (Docker's layout or OCI's) into all nodes.
///
/// # Errors
/// When the file cannot be read, or names each node that failed.
pub async fn load_archive(
    engine: &dyn Engine,
    name: &ClusterName,
    arch: Arch,
    path: &Path,
) -> Result<(), LoadError> {
    let content = fs_err::tokio::read(path)
        .await
        .map_err(|source| LoadError::Archive {
            path: path.to_owned(),
            source,
        })?;
    into_nodes(engine, name, arch, &path.display().to_string(), content).await
}

/// Loads images that engine `from` has, for `arch`, into all nodes.
///
/// # Errors
/// When that engine lacks one, or what nodes need of it, or names each node that failed.
pub async fn load_images(
    engine: &dyn Engine,
    from: &dyn Engine,
    name: &ClusterName,
    arch: Arch,
    references: &[String],
) -> Result<(), LoadError> {
    let content = saved(from, references).await?;
    into_nodes(engine, name, arch, &references.join(", "), content).await
}

/// Nodes at a time: each holds a copy of the archive in memory while it is sent.
const AT_ONCE: usize = 3;
const LIMIT: Duration = Duration::from_secs(600);

async fn into_nodes(
    engine: &dyn Engine,
    name: &ClusterName,
    arch: Arch,
    what: &str,
    content: Vec<u8>,
) -> Result<(), LoadError> {
    let content = for_platform(content, arch).map_err(|source| LoadError::Unfit {
        what: what.to_owned(),
        source,
    })?;
    let cluster = list(engine)
        .await?
        .into_iter()
        .find(|cluster| cluster.name == *name && !cluster.nodes.is_empty())
        .ok_or_else(|| ClusterError::Missing { name: name.clone() })?;
    // A load balancer runs no containers.
    let role = |node: &&NodeInfo| node.labels.get(ROLE).and_then(|role| role.parse().ok());
    let members = cluster
        .nodes
        .iter()
        .filter(|node| role(node) != Some(Role::LoadBalancer));
    let names: Vec<String> = members.map(|node| node.name.clone()).collect();
    into_all(engine, &names, content).await
}

/// Loads what addons need of the engine's images into `nodes`. Those that kcluster made are
/// for the nodes' own containerd as they are; the others are a user's, of any platform.
pub(crate) async fn for_addons(
    engine: &dyn Engine,
    arch: Arch,
    references: &[String],
    nodes: &[String],
) -> Result<(), LoadError> {
    let ours = |reference: &String| {
        let repository = reference.rsplit_once(':').map(|(repository, _)| repository);
        repository.is_some_and(|repository| ADDON_REPOSITORIES.contains(&repository))
    };
    let (ours, theirs): (Vec<String>, Vec<String>) = references
        .iter()
        .cloned()
        .partition(|reference| ours(reference));
    if !ours.is_empty() {
        let content = saved(engine, &ours).await?;
        into_all(engine, nodes, content).await?;
    }
    if !theirs.is_empty() {
        let content = saved(engine, &theirs).await?;
        let content = for_platform(content, arch).map_err(|source| LoadError::Unfit {
            what: theirs.join(", "),
            source,
        })?;
        into_all(engine, nodes, content).await?;
    }
    Ok(())
}

/// One archive of images the engine has.
async fn saved(engine: &dyn Engine, references: &[String]) -> Result<Vec<u8>, LoadError> {
    for reference in references {
        if engine.image(reference).await?.is_none() {
            return Err(LoadError::from(EngineError::Missing {
                what: "image",
                name: reference.clone(),
            }));
        }
    }
    let mut content = Vec::new();
    engine
        .save_images(references)
        .await?
        .read_to_end(&mut content)
        .await
        .map_err(LoadError::Broken)?;
    Ok(content)
}

/// One archive into each of `nodes`.
async fn into_all(
    engine: &dyn Engine,
    nodes: &[String],
    content: Vec<u8>,
) -> Result<(), LoadError> {
    // Two loads at once must not take each other's file.
    let path = format!("/kcluster/load/{}.tar", crate::labels::session());
    let archive = tar(&[File::secret(path.as_str(), content)]).map_err(LoadError::Broken)?;
    let failures: Vec<String> = stream::iter(nodes)
        .map(|node| into_node(engine, node, &path, archive.clone()))
        .buffer_unordered(AT_ONCE)
        .filter_map(async |result| result.err())
        .collect()
        .await;
    if failures.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Nodes { failures })
    }
}

async fn into_node(
    engine: &dyn Engine,
    node: &str,
    path: &str,
    archive: Vec<u8>,
) -> Result<(), String> {
    let failed = |reason: &dyn std::fmt::Display| {
        format!("failed to load images into node {node}: {reason}")
    };
    engine
        .copy_in(node, archive)
        .await
        .map_err(|error| failed(&error))?;
    let script = "ctr -n k8s.io images import \"$0\"; code=$?; rm -f \"$0\"; exit $code";
    let spec = ExecSpec::new(["sh", "-c", script, path]);
    match tokio::time::timeout(LIMIT, engine.exec(node, spec, None)).await {
        Ok(Ok(output)) if output.code == 0 => Ok(()),
        Ok(Ok(output)) => Err(failed(&format_args!(
            "ctr ended with code {}: {}",
            output.code,
            output.stderr.trim()
        ))),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(failed(&format_args!(
            "ctr did not end within {} s",
            LIMIT.as_secs()
        ))),
    }
}
