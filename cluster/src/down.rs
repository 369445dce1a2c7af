//! Removal: by label alone, all at once, and as often as one likes.

use std::time::Duration;

use futures_util::future::{join_all, join3};
use kcluster_matrix::addon::ADDON_REPOSITORIES;
use kcluster_matrix::cluster::{EMULATORS_REPOSITORY, NODE_REPOSITORY};
use kcluster_matrix::{ClusterName, Outcome, Sink, Step};

use crate::engine::{Engine, EngineError, Labels};
use crate::error::ClusterError;
use crate::labels;
use crate::list::list;
use crate::reach::forget;
use crate::state::StateDir;
use crate::steps::Span;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers.
    pub nodes: Vec<String>,
    /// Networks.
    pub networks: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Images.
    pub images: Vec<String>,
}

impl Removed {
    /// Whether there was nothing to remove.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, other: Self) {
        self.nodes.extend(other.nodes);
        self.networks.extend(other.networks);
        self.volumes.extend(other.volumes);
        self.images.extend(other.images);
    }
}

/// Removes a cluster and what is remembered of it. No error if there is none.
///
/// # Errors
/// When another process works on it, or something could not be removed.
pub async fn down(
    engine: &dyn Engine,
    name: &ClusterName,
    state: &StateDir,
    sink: &dyn Sink,
) -> Result<Removed, ClusterError> {
    let dir = state.cluster(name);
    let _lock = dir.lock()?;
    let removed = remove(engine, &labels::of_cluster(name), sink).await?;
    forget(&dir).await?;
    Ok(removed)
}

/// The repositories of references that kcluster gives.
const OWN: [&str; 2] = [NODE_REPOSITORY, EMULATORS_REPOSITORY];

/// Removes all clusters, all snapshots and all images that kcluster made.
///
/// # Errors
/// Names all that could not be removed; the rest is gone then.
pub async fn clean(
    engine: &dyn Engine,
    state: &StateDir,
    sink: &dyn Sink,
) -> Result<Removed, ClusterError> {
    let mut names: Vec<ClusterName> = state.clusters()?;
    names.extend(list(engine).await?.into_iter().map(|cluster| cluster.name));
    names.sort();
    names.dedup();
    let mut removed = Removed::default();
    let mut failures = Vec::new();
    let clusters = join_all(names.iter().map(|name| down(engine, name, state, sink)));
    for result in clusters.await {
        match result {
            Ok(more) => removed.add(more),
            Err(error) => failures.push(error.to_string()),
        }
    }
    for volume in engine.volumes(&labels::of_all()).await? {
        if !volume.labels.contains_key(labels::SNAPSHOT) {
            continue;
        }
        match gone(engine.remove_volume(&volume.name).await) {
            Ok(()) => removed.volumes.push(volume.name),
            Err(error) => failures.push(error.to_string()),
        }
    }
    state.remove_snapshots()?;
    // Tools whose process was killed before it could remove them.
    for node in engine.nodes(&labels::of_all()).await? {
        if node.labels.contains_key(labels::CLUSTER) {
            continue;
        }
        match gone(engine.remove_node(&node.name).await) {
            Ok(()) => removed.nodes.push(node.name),
            Err(error) => failures.push(error.to_string()),
        }
    }
    let mut images = engine.images(&labels::node_images()).await?;
    images.extend(engine.images(&labels::emulator_images()).await?);
    images.extend(engine.images(&labels::addon_images()).await?);
    // An image built upon ours inherits the label, and a user may tag ours anew: only the
    // references that kcluster itself gave are its own to remove.
    let references = images.iter().flat_map(|image| &image.references);
    let own = |reference: &&String| {
        reference.rsplit_once(':').is_some_and(|(repository, _)| {
            OWN.contains(&repository) || ADDON_REPOSITORIES.contains(&repository)
        })
    };
    for reference in references.filter(own) {
        match gone(engine.remove_image(reference).await) {
            Ok(()) => removed.images.push(reference.clone()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    if failures.is_empty() {
        Ok(removed)
    } else {
        Err(ClusterError::Left { failures })
    }
}

/// Removes everything that carries `labels`, nodes first because the rest is in use by them.
pub(crate) async fn remove(
    engine: &dyn Engine,
    labels: &Labels,
    sink: &dyn Sink,
) -> Result<Removed, ClusterError> {
    let mut span = Span::start(sink, Step::Remove, None);
    let result = rounds(engine, labels).await;
    span.outcome = match &result {
        Ok(_) => Outcome::Passed,
        Err(error) => Outcome::Errored {
            message: error.to_string(),
        },
    };
    result
}

/// An engine frees a network or volume a moment after it says that the container is gone,
/// and a request it was working on when we were interrupted may still make something.
const ROUNDS: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);

async fn rounds(engine: &dyn Engine, labels: &Labels) -> Result<Removed, ClusterError> {
    let mut removed = Removed::default();
    let mut failures = Vec::new();
    for round in 0..ROUNDS {
        let (nodes, networks, volumes) = join3(
            engine.nodes(labels),
            engine.networks(labels),
            engine.volumes(labels),
        )
        .await;
        let nodes: Vec<String> = nodes?.into_iter().map(|node| node.name).collect();
        let networks: Vec<String> = networks?.into_iter().map(|network| network.name).collect();
        let volumes: Vec<String> = volumes?.into_iter().map(|volume| volume.name).collect();
        failures.clear();
        if nodes.is_empty() && networks.is_empty() && volumes.is_empty() {
            break;
        }
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let each = async |names: Vec<String>, what: Kind| {
            let results = join_all(names.iter().map(|name| what.remove(engine, name))).await;
            let (mut done, mut failed) = (Vec::new(), Vec::new());
            for (name, result) in names.into_iter().zip(results) {
                match gone(result) {
                    Ok(()) => done.push(name),
                    Err(error) => failed.push(error.to_string()),
                }
            }
            (done, failed)
        };
        let (done, failed) = each(nodes, Kind::Node).await;
        removed.nodes.extend(done);
        failures.extend(failed);
        let (networks, volumes) =
            futures_util::future::join(each(networks, Kind::Network), each(volumes, Kind::Volume))
                .await;
        removed.networks.extend(networks.0);
        removed.volumes.extend(volumes.0);
        failures.extend(networks.1);
        failures.extend(volumes.1);
    }
    if failures.is_empty() {
        Ok(removed)
    } else {
        Err(ClusterError::Left { failures })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Node,
    Network,
    Volume,
}

impl Kind {
    async fn remove(self, engine: &dyn Engine, name: &str) -> Result<(), EngineError> {
        match self {
            Self::Node => engine.remove_node(name).await,
            Self::Network => engine.remove_network(name).await,
            Self::Volume => engine.remove_volume(name).await,
        }
    }
}

/// What somebody else removed meanwhile is removed.
fn gone(result: Result<(), EngineError>) -> Result<(), EngineError> {
    match result {
        Err(EngineError::Missing { .. }) => Ok(()),
        other => other,
    }
}
