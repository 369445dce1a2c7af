//! Rebuilt binaries in a running cluster, in place of the image's.
//!
//! A binary goes to each node's `/var`, so snapshots keep it. Static pods, kube-proxy and
//! CoreDNS mount it over their own, by a patch that Kubernetes' own kubectl applies; the
//! kubelet is restarted by the node's first process, which prefers it.

mod component;

use std::collections::BTreeSet;
use std::path::PathBuf;

use fs_err as fs;
use futures_util::future::{try_join, try_join_all};
use kcluster_matrix::{ClusterName, NodePlan, Role, Sink, Step, exit};
use serde_json::{Value, json};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::archive::{File, tar};
use crate::ask::{ask, get};
use crate::engine::{Engine, EngineError, ExecSpec};
use crate::error::{ClusterError, StepError, StepFailure};
use crate::kubeadm;
use crate::state::{Phase, StateDir, StateError};
use crate::steps::{self, Context, Machine, marks};
use crate::timeouts::Timeouts;

pub use component::Component;
use component::{fits, machine};

/// Where a node keeps binaries that replace the image's.
const FOLDER: &str = "/var/lib/kcluster/bin";
/// Tells Kubernetes that a pod is another one now.
const ANNOTATION: &str = "dev.kcluster/binary";

/// A binary to put in.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// Whose.
    pub component: Component,
    /// The file.
    pub binary: PathBuf,
}

/// Why a cluster did not get its new binaries.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReupError {
    /// It cannot run there.
    #[error("`{}` {reason}, and cannot be {component}", path.display())]
    Binary {
        /// Whose.
        component: Component,
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no such cluster that is up.
    #[error("cluster `{name}` is not up; `cargo kcluster up --name {name}` makes it")]
    Down {
        /// The cluster.
        name: ClusterName,
    },
    /// The cluster failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It did not become Ready with them.
    #[error(transparent)]
    Step(#[from] Box<StepFailure>),
    /// It was interrupted.
    #[error("interrupted; cluster `{name}` may have some of the binaries")]
    Cancelled {
        /// The cluster.
        name: ClusterName,
    },
}

impl From<EngineError> for ReupError {
    fn from(error: EngineError) -> Self {
        Self::Cluster(error.into())
    }
}

impl From<StateError> for ReupError {
    fn from(error: StateError) -> Self {
        Self::Cluster(error.into())
    }
}

impl ReupError {
    /// The exit code that says this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Binary { .. }
            | Self::Down { .. }
            | Self::Cluster(ClusterError::State(StateError::Busy { .. })) => exit::BAD_INPUT,
            Self::Cluster(_) | Self::Step(_) => exit::CLUSTER_FAILED,
            Self::Cancelled { .. } => exit::INTERRUPTED,
        }
    }
}

/// Puts binaries into a cluster that is up, and waits until all is Ready with them.
///
/// # Errors
/// Nothing was changed if [`ReupError::exit_code`] is [`exit::BAD_INPUT`]. A component that
/// does not run with its new binary is left as it is, to be looked at.
pub async fn reup(
    engine: &dyn Engine,
    name: &ClusterName,
    replacements: &[Replacement],
    state: &StateDir,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<(), ReupError> {
    let dir = state.cluster(name);
    let (spec, status) = match (dir.spec()?, dir.status()?) {
        (Some(spec), Some(status)) if status.phase == Phase::Ready => (spec, status),
        _ => return Err(ReupError::Down { name: name.clone() }),
    };
    let Some(control_plane) = status.nodes.first() else {
        return Err(ReupError::Down { name: name.clone() });
    };
    let info = engine.info().await?;
    for one in replacements {
        let arch = machine(&spec.cell, one.component, info.arch);
        fits(&one.binary, arch).map_err(|reason| ReupError::Binary {
            component: one.component,
            path: one.binary.clone(),
            reason,
        })?;
    }
    let _lock = dir.lock()?;
    let context = Context {
        engine,
        reach: info.api_host(),
        machine: Machine::of(&info),
        spec: &spec,
        dir: &dir,
        sink,
        cancel,
        timeouts: Timeouts::of(spec.cell.emulation),
    };
    let stale = stale(engine, &control_plane.name, replacements).await?;
    // While the API server starts again it refuses everybody: what is patched by way of it comes first.
    let (by_api, in_nodes): (Vec<_>, Vec<_>) = replacements
        .iter()
        .partition(|one| one.component.workload().is_some());
    for one in by_api.into_iter().chain(in_nodes) {
        let work = async {
            replace(engine, one, &status.nodes)
                .await
                .map_err(|error| StepError::failed(Step::Nodes, None, error))
        };
        context
            .step(Step::Nodes, Some(one.component.as_str()), work)
            .await
            .map_err(|error| failed(error, name))?;
    }
    steps::ready_again(&context, &status.nodes, stale)
        .await
        .map_err(|error| failed(error, name))
}

fn failed(error: StepError, name: &ClusterName) -> ReupError {
    match error {
        StepError::Failed(mut failure) => {
            failure.retained = true;
            ReupError::Step(failure)
        }
        StepError::Cancelled => ReupError::Cancelled { name: name.clone() },
    }
}

/// What tells the objects that are about to change from what they will be.
async fn stale(
    engine: &dyn Engine,
    control_plane: &str,
    replacements: &[Replacement],
) -> Result<BTreeSet<String>, ClusterError> {
    let (nodes, pods) = try_join(
        get(engine, control_plane, "/api/v1/nodes"),
        get(engine, control_plane, "/api/v1/namespaces/kube-system/pods"),
    )
    .await?;
    let mut stale = BTreeSet::new();
    for one in replacements {
        let items = |list: &Value| list["items"].as_array().cloned().unwrap_or_default();
        if one.component == Component::Kubelet {
            stale.extend(items(&nodes).iter().flat_map(marks));
            continue;
        }
        let start = format!("{}-", one.component);
        let pods = items(&pods);
        let own = pods.iter().filter(|pod| {
            pod["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with(&start))
        });
        stale.extend(own.flat_map(marks));
    }
    Ok(stale)
}

async fn replace(
    engine: &dyn Engine,
    one: &Replacement,
    nodes: &[NodePlan],
) -> Result<(), ClusterError> {
    let component = one.component;
    let place = format!("{FOLDER}/{component}");
    let static_pod = matches!(
        component,
        Component::Etcd
            | Component::ApiServer
            | Component::ControllerManager
            | Component::Scheduler
    );
    let wanted = nodes
        .iter()
        .filter(|node| !static_pod || node.role == Role::ControlPlane);
    let packed = fs::read(&one.binary).and_then(|content| {
        tar(&[File {
            mode: 0o755,
            ..File::public(place.as_str(), content)
        }])
    });
    let archive = packed.map_err(|error| EngineError::Failed {
        operation: format!("pack the binary of {component}"),
        reason: error.to_string(),
    })?;
    // One after the other: it is some hundred megabytes.
    for node in wanted.clone() {
        engine.copy_in(&node.name, archive.clone()).await?;
    }
    let control_plane = &nodes[0].name;
    if component == Component::Kubelet {
        let restarted = wanted.map(|node| {
            let spec = ExecSpec::new(["kcluster-node", "restart", "kubelet"]);
            ask(engine, &node.name, spec)
        });
        try_join_all(restarted).await?;
    } else if let Some(workload) = component.workload() {
        let patch = json!({ "spec": { "template": patch(component, &place) } });
        let spec = ExecSpec::new([
            "kubectl",
            "--kubeconfig",
            kubeadm::ADMIN,
            "--namespace",
            "kube-system",
            "patch",
            workload,
            component.as_str(),
            "--type=strategic",
            "--patch",
            &patch.to_string(),
        ]);
        ask(engine, control_plane, spec).await?;
    } else {
        // The kubelet would take a half-written file in the folder for another pod.
        let script = "set -e; file=/etc/kubernetes/manifests/$0.yaml; \
            kubectl patch --local --filename $file --type=strategic --patch \"$1\" --output yaml > /etc/kubernetes/$0.new; \
            mv /etc/kubernetes/$0.new $file";
        let patch = patch(component, &place).to_string();
        let spec = ExecSpec::new(["sh", "-c", script, component.as_str(), &patch]);
        ask(engine, control_plane, spec).await?;
    }
    Ok(())
}

/// The pod with the binary mounted over its own, and different from what it was before.
fn patch(component: Component, place: &str) -> Value {
    let name = component.as_str();
    json!({
        "metadata": { "annotations": { ANNOTATION: jiff::Timestamp::now().to_string() } },
        "spec": {
            "containers": [{
                "name": name,
                "volumeMounts": [{
                    "name": "kcluster-binary",
                    "mountPath": component.file(),
                    "readOnly": true,
                }],
            }],
            "volumes": [{
                "name": "kcluster-binary",
                "hostPath": { "path": place, "type": "File" },
            }],
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::component::tests::{elf, file};
    use super::*;
    use crate::engine::recording::Answer;
    use crate::tests::spec;
    use crate::tests::stage::{Stage, output};

    #[tokio::test]
    async fn each_component_gets_its_binary_where_it_runs() {
        let spec = spec("a", 1);
        let stage = Stage::new(&spec);
        stage.engine.script(|_, asked| {
            let raw = asked.argv.iter().any(|word| word == "--raw");
            raw.then(|| Answer::Output(output("{\"items\":[]}")))
        });
        stage.up(&spec).await.unwrap();
        let put = async |components: &[Component], file: &Path| {
            let all: Vec<Replacement> = components
                .iter()
                .map(|&component| Replacement {
                    component,
                    binary: file.to_owned(),
                })
                .collect();
            let (engine, events) = (&stage.engine, &stage.events);
            reup(
                engine,
                &spec.name,
                &all,
                &stage.state,
                events,
                &stage.cancel,
            )
            .await
        };
        let before = stage.engine.calls().len();
        let good = elf([62, 0]);
        let all = [Component::ApiServer, Component::Kubelet, Component::Proxy];
        put(&all, good.path()).await.unwrap();
        let calls = stage.engine.calls()[before..].to_vec();
        let count = |start: &str| calls.iter().filter(|call| call.starts_with(start)).count();
        assert_eq!(count("copy_in a-worker-1"), 2, "{calls:#?}");
        assert_eq!(count("copy_in a-control-plane"), 3);
        assert_eq!(count("exec a-worker-1 kcluster-node restart kubelet"), 1);
        let place = |what: &str| calls.iter().position(|call| call.contains(what)).unwrap();
        assert!(
            place("patch daemonset") < place("/etc/kubernetes/manifests"),
            "an API server that starts again refuses the patch: {calls:#?}"
        );
        let there = stage
            .engine
            .file("a-worker-1", "/var/lib/kcluster/bin/kubelet");
        assert_eq!(there, std::fs::read(good.path()).ok());

        let before = stage.engine.calls().len();
        let refused = put(&[Component::Scheduler], file(b"no").path()).await;
        assert_eq!(refused.unwrap_err().exit_code(), exit::BAD_INPUT);
        assert_eq!(stage.engine.calls()[before..], ["info"]);
    }
}
