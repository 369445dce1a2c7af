//! What every step gets.

use std::time::Duration;

use ipnet::Ipv4Net;
use kcluster_matrix::{ClusterSpec, EventKind, NodePlan, Outcome, Sink, Step};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::engine::{ApiReach, Engine, EngineInfo};
use crate::error::StepError;
use crate::kubeadm::Inputs;
use crate::pki::{Authority, Shared};
use crate::state::ClusterDir;
use crate::timeouts::Timeouts;
use crate::token::BootstrapToken;

/// The world of a step.
pub(crate) struct Context<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) reach: ApiReach,
    pub(crate) spec: &'a ClusterSpec,
    pub(crate) dir: &'a ClusterDir,
    pub(crate) sink: &'a dyn Sink,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) timeouts: Timeouts,
    pub(crate) machine: Machine,
}

/// What the engine's host has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) cpus: u64,
    pub(crate) memory: u64,
}

impl Machine {
    pub(crate) fn of(info: &EngineInfo) -> Self {
        Self {
            cpus: info.cpus,
            memory: info.memory,
        }
    }
}

/// What is decided once the network's addresses are known.
pub(crate) struct Plan {
    pub(crate) subnet: Ipv4Net,
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) authority: Authority,
    /// What control planes share beside it, where there are several.
    pub(crate) shared: Option<Shared>,
    pub(crate) token: BootstrapToken,
}

impl Plan {
    /// The node that kubeadm initialises: by contract the first.
    pub(crate) fn control_plane(&self) -> &NodePlan {
        &self.nodes[0]
    }

    /// All others that join.
    pub(crate) fn joining(&self) -> impl Iterator<Item = &NodePlan> {
        self.nodes[1..].iter().filter(|node| node.is_member())
    }

    /// Where the API is found whichever control plane is there: at the load balancer, and
    /// without one at the only control plane.
    fn endpoint(&self) -> &NodePlan {
        let balancer = self.nodes.iter().find(|node| !node.is_member());
        balancer.unwrap_or(self.control_plane())
    }

    /// What kubeadm's documents depend on.
    pub(crate) fn inputs<'a>(&'a self, context: &'a Context<'a>) -> Inputs<'a> {
        Inputs {
            host: match &context.reach {
                ApiReach::Host(host) => Some(host),
                ApiReach::Local | ApiReach::Tunnel(_) => None,
            },
            spec: context.spec,
            control_plane: self.control_plane(),
            endpoint: self.endpoint(),
            token: &self.token,
            timeouts: context.timeouts,
            machine: context.machine,
        }
    }
}

impl Context<'_> {
    /// Runs `work` as `step`, on `node` or as a whole, and tells the sink.
    pub(crate) async fn step<T>(
        &self,
        step: Step,
        node: Option<&str>,
        work: impl Future<Output = Result<T, StepError>>,
    ) -> Result<T, StepError> {
        let mut span = Span::start(self.sink, step, node);
        let result = work.await;
        span.outcome = match &result {
            Ok(_) => Outcome::Passed,
            Err(StepError::Cancelled) => Outcome::Skipped {
                reason: "interrupted".into(),
            },
            Err(StepError::Failed(failure)) => Outcome::Errored {
                message: failure.brief(),
            },
        };
        result
    }

    /// One line of a step's output.
    pub(crate) fn line(&self, step: Step, node: Option<&str>, line: String) {
        self.sink.emit(EventKind::StepOutput {
            step,
            node: node.map(str::to_owned),
            line,
        });
    }

    /// An error if the run was interrupted.
    pub(crate) fn check_cancel(&self) -> Result<(), StepError> {
        if self.cancel.is_cancelled() {
            return Err(StepError::Cancelled);
        }
        Ok(())
    }
}

/// A step that has started. Each ends with an event, also when its future is dropped
/// because another one failed.
pub(crate) struct Span<'a> {
    sink: &'a dyn Sink,
    step: Step,
    node: Option<String>,
    started: Instant,
    pub(crate) outcome: Outcome,
}

impl<'a> Span<'a> {
    pub(crate) fn start(sink: &'a dyn Sink, step: Step, node: Option<&str>) -> Self {
        let node = node.map(str::to_owned);
        sink.emit(EventKind::StepStarted {
            step,
            node: node.clone(),
        });
        Self {
            sink,
            step,
            node,
            started: Instant::now(),
            outcome: Outcome::Skipped {
                reason: "broken off because something else failed".into(),
            },
        }
    }

    pub(crate) fn took(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Span<'_> {
    fn drop(&mut self) {
        self.sink.emit(EventKind::StepFinished {
            step: self.step,
            node: self.node.take(),
            took: self.took(),
            outcome: self.outcome.clone(),
        });
    }
}
