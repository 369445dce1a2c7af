//! A specification becomes a cluster, or finds that it is one already.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kcluster_matrix::cluster::SpecError;
use kcluster_matrix::{ClusterName, ClusterSpec, NodePlan, Sink, Swap, exit};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::down::remove;
use crate::engine::{Engine, EngineError};
use crate::error::{ClusterError, Difference, StepError, StepFailure};
use crate::existing::{Existing, existing};
use crate::state::{ClusterDir, Phase, StateDir, StateError, Status};
use crate::steps::{self, Context, Machine, boot};
use crate::timeouts::Timeouts;
use crate::{kubeadm, labels, logs, reach, subnet};

/// A cluster that is up.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name.
    pub name: ClusterName,
    /// Its nodes, the control plane first.
    pub nodes: Vec<NodePlan>,
    /// Where its kubeconfig is.
    pub kubeconfig: PathBuf,
    /// The URL in it.
    pub server: String,
    /// Whether it was there before.
    pub existed: bool,
}

/// Why there is no cluster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpError {
    /// No cluster can be like that.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// kubeadm could not take a patch.
    #[error(transparent)]
    Patch(#[from] kubeadm::PatchError),
    /// There is another one of that name.
    #[error(
        "cluster `{name}` exists and is not the one asked for: {}; remove it with `cargo kcluster down --name {name}`, or give another name",
        list(differences)
    )]
    Different {
        /// Its name.
        name: ClusterName,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// It is there and works, and is not this state folder's.
    #[error(
        "a cluster `{name}` that another state folder knows works on this engine; give another name, name that folder with --state-dir, or remove it with `cargo kcluster down --name {name}`"
    )]
    Elsewhere {
        /// Its name.
        name: ClusterName,
    },
    /// It is there, frozen.
    #[error("cluster `{name}` is suspended; `cargo kcluster resume --name {name}` lets it go on")]
    Suspended {
        /// Its name.
        name: ClusterName,
    },
    /// The engine does not have the node image.
    #[error(
        "the engine has no image `{image}`; make it with `cargo kcluster images build`, or see `cargo kcluster images list`"
    )]
    NoImage {
        /// The reference.
        image: String,
    },
    /// A kubelet would not start.
    #[error(
        "swap = \"limited\" needs cgroup version 2, and this engine's host has version {0}; leave it at \"none\""
    )]
    SwapNeedsCgroup2(u8),
    /// The state folder is in use or out of order.
    #[error(transparent)]
    State(#[from] StateError),
    /// The engine refused or broke off outside of a step.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What was there before could not be removed.
    #[error(transparent)]
    Cleanup(#[from] ClusterError),
    /// A step failed.
    #[error(transparent)]
    Step(#[from] Box<StepFailure>),
    /// It was interrupted.
    #[error("interrupted; what was made of cluster `{name}` {}", if *.removed { "is removed" } else { "is kept" })]
    Cancelled {
        /// Its name.
        name: ClusterName,
        /// Whether all of it is gone.
        removed: bool,
    },
}

fn list(differences: &[Difference]) -> String {
    let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
    texts.join(", ")
}

impl UpError {
    /// The exit code that says this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Spec(_)
            | Self::Patch(_)
            | Self::Different { .. }
            | Self::Elsewhere { .. }
            | Self::Suspended { .. }
            | Self::NoImage { .. }
            | Self::SwapNeedsCgroup2(_)
            | Self::State(StateError::Busy { .. }) => exit::BAD_INPUT,
            Self::State(_) | Self::Engine(_) | Self::Cleanup(_) | Self::Step(_) => {
                exit::CLUSTER_FAILED
            }
            Self::Cancelled { .. } => exit::INTERRUPTED,
        }
    }
}

/// Makes the cluster of `spec`, unless it is there and healthy.
///
/// What an earlier run left half-made is removed first. When a step fails or `cancel` is
/// set, everything is removed again unless `spec.retain`.
///
/// # Errors
/// Nothing was changed if [`UpError::exit_code`] is [`exit::BAD_INPUT`].
pub async fn up(
    engine: &dyn Engine,
    spec: &ClusterSpec,
    state: &StateDir,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Cluster, UpError> {
    check(spec)?;
    let dir = state.cluster(&spec.name);
    let _lock = dir.lock()?;
    let result = locked(engine, spec, &dir, sink, cancel).await;
    if result.is_err() {
        dir.remove_if_unused()?;
    }
    result
}

async fn locked(
    engine: &dyn Engine,
    spec: &ClusterSpec,
    dir: &ClusterDir,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Cluster, UpError> {
    let info = engine.info().await?;
    if spec.options.swap != Swap::None && info.cgroup_version < 2 {
        return Err(UpError::SwapNeedsCgroup2(info.cgroup_version));
    }
    let context = Context {
        engine,
        reach: info.api_host(),
        spec,
        dir,
        sink,
        cancel,
        timeouts: Timeouts::of(spec.cell.emulation),
        machine: Machine::of(&info),
    };
    let leftover = match existing(engine, spec, dir).await? {
        Existing::Healthy(status) => {
            sink.note(&format_args!("cluster `{}` is up already", spec.name));
            return again(&context, status).await;
        }
        Existing::Stopped(status, down) => return start_again(&context, status, &down).await,
        Existing::Different(differences) => {
            return Err(UpError::Different {
                name: spec.name.clone(),
                differences,
            });
        }
        Existing::Elsewhere => {
            let name = spec.name.clone();
            return Err(UpError::Elsewhere { name });
        }
        Existing::Suspended => {
            let name = spec.name.clone();
            return Err(UpError::Suspended { name });
        }
        Existing::Leftover(reason) => Some(reason),
        Existing::Nothing => None,
    };
    if engine.image(&spec.image).await?.is_none() {
        return Err(UpError::NoImage {
            image: spec.image.clone(),
        });
    }
    if let Some(reason) = leftover {
        sink.note(&format_args!(
            "removing what is left of cluster `{}`: {reason}",
            spec.name
        ));
        remove(engine, &labels::of_cluster(&spec.name), sink).await?;
        reach::close(dir).await?;
    }
    let begun = Status {
        phase: Phase::Starting,
        session: labels::session().to_owned(),
        engine: info.endpoint.clone(),
        subnet: None,
        nodes: Vec::new(),
        server: None,
    };
    dir.write_spec(spec)?;
    dir.write_status(&begun)?;
    match boot(&context, &begun).await {
        Ok(status) => Ok(cluster(dir, spec, status, false)),
        Err(error) => Err(undo(&context, error).await),
    }
}

/// A cluster that was there; only the way to it may have to be made anew.
async fn again(context: &Context<'_>, mut status: Status) -> Result<Cluster, UpError> {
    let dir = context.dir;
    let stands = reach::stands(dir, &context.reach) && dir.kubeconfig().exists();
    if let Some(control_plane) = status.nodes.first()
        && !stands
    {
        let server = steps::kubeconfig(context, &control_plane.name).await;
        status.server = Some(server.map_err(|error| kept(context, error))?);
        dir.write_status(&status)?;
    }
    Ok(cluster(dir, context.spec, status, true))
}

/// A cluster whose nodes were stopped, as by the end of the engine or its host.
async fn start_again(
    context: &Context<'_>,
    mut status: Status,
    down: &BTreeSet<String>,
) -> Result<Cluster, UpError> {
    let names: Vec<&str> = down.iter().map(String::as_str).collect();
    context.sink.note(&format_args!(
        "cluster `{}` is there; starting {} again",
        context.spec.name,
        names.join(", ")
    ));
    let server = match steps::start_again(context, &status.nodes, down).await {
        Ok(server) => server,
        Err(StepError::Failed(mut failure)) => {
            if let Some(node) = &failure.node {
                failure.node_output = logs::node_tail(context.engine, node).await;
            }
            return Err(kept(context, StepError::Failed(failure)));
        }
        Err(error) => return Err(kept(context, error)),
    };
    status.phase = Phase::Ready;
    status.server = Some(server);
    context.dir.write_status(&status)?;
    Ok(cluster(context.dir, context.spec, status, true))
}

/// What went wrong with a cluster that was there before: it is the user's, and stays.
fn kept(context: &Context<'_>, error: StepError) -> UpError {
    match error {
        StepError::Failed(mut failure) => {
            failure.retained = true;
            UpError::Step(failure)
        }
        StepError::Cancelled => UpError::Cancelled {
            name: context.spec.name.clone(),
            removed: false,
        },
    }
}

/// Refuses what no cluster can be before anything is touched.
fn check(spec: &ClusterSpec) -> Result<(), UpError> {
    kubeadm::check_patches(&spec.patches)?;
    let own = [spec.pod_subnet, spec.service_subnet];
    spec.nodes(subnet::choose(&own).unwrap_or_else(subnet::first))?;
    Ok(())
}

pub(crate) fn cluster(
    dir: &ClusterDir,
    spec: &ClusterSpec,
    status: Status,
    existed: bool,
) -> Cluster {
    Cluster {
        name: spec.name.clone(),
        nodes: status.nodes,
        kubeconfig: dir.kubeconfig(),
        server: status.server.unwrap_or_default(),
        existed,
    }
}

/// Collects what explains the failure, then removes all that was made.
pub(crate) async fn undo(context: &Context<'_>, error: StepError) -> UpError {
    let spec = context.spec;
    let failure = match error {
        StepError::Cancelled => None,
        StepError::Failed(mut failure) => {
            if let Some(node) = &failure.node {
                failure.node_output = logs::node_tail(context.engine, node).await;
            }
            Some(failure)
        }
    };
    let mut removed = false;
    if !spec.retain {
        let labels = labels::of_cluster(&spec.name);
        match remove(context.engine, &labels, context.sink).await {
            Ok(_) => removed = reach::forget(context.dir).await.is_ok(),
            Err(error) => context.sink.warn(&format_args!(
                "{error}; run `cargo kcluster down --name {}` once the engine answers",
                spec.name
            )),
        }
    }
    match failure {
        Some(mut failure) => {
            failure.retained = !removed;
            UpError::Step(failure)
        }
        None => UpError::Cancelled {
            name: spec.name.clone(),
            removed,
        },
    }
}
