//! What can go wrong with a cluster, in words that name the place and the next thing to do.

use std::fmt;

use kcluster_matrix::{ClusterName, Step};
use thiserror::Error;

use crate::engine::EngineError;
use crate::state::StateError;

/// A step that failed, with what is needed to see why.
#[derive(Debug)]
pub struct StepFailure {
    /// Which step.
    pub step: Step,
    /// On which node, if on one.
    pub node: Option<String>,
    /// What failed: an engine's words, or how a command ended.
    pub reason: String,
    /// The command that was run in the node, if one was.
    pub command: Option<String>,
    /// The command's last lines.
    pub output: Vec<String>,
    /// What the node's own programs said last: where, and the lines.
    pub node_output: Vec<(String, Vec<String>)>,
    /// Whether the nodes are still there to be looked at.
    pub retained: bool,
}

impl StepFailure {
    /// A failure without a command.
    pub(crate) fn new(step: Step, node: Option<&str>, reason: impl fmt::Display) -> Self {
        Self {
            step,
            node: node.map(str::to_owned),
            reason: reason.to_string(),
            command: None,
            output: Vec::new(),
            node_output: Vec::new(),
            retained: false,
        }
    }

    /// In one line.
    #[must_use]
    pub fn brief(&self) -> String {
        let place = match &self.node {
            Some(node) => format!(" on node {node}"),
            None => String::new(),
        };
        match &self.command {
            Some(command) => format!("{}{place}: `{command}` {}", self.step, self.reason),
            None => format!("{}{place}: {}", self.step, self.reason),
        }
    }
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.brief())?;
        let mut block = |title: &str, lines: &[String]| {
            if lines.is_empty() {
                return Ok(());
            }
            write!(f, "\n{title}:")?;
            lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
        };
        block("its last lines", &self.output)?;
        for (source, lines) in &self.node_output {
            block(&format!("last lines of {source}"), lines)?;
        }
        if self.retained {
            f.write_str("\nthe nodes are kept: look with `cargo kcluster logs` and `cargo kcluster exec`, remove with `cargo kcluster down`")
        } else {
            f.write_str("\nall of it was removed; run again with --retain to keep the nodes and look into them, or with -v 2 to see kubeadm's output")
        }
    }
}

impl std::error::Error for StepFailure {}

/// How a step ended early.
#[derive(Debug)]
pub(crate) enum StepError {
    /// It failed.
    Failed(Box<StepFailure>),
    /// It was interrupted.
    Cancelled,
}

impl StepError {
    /// A failure without a command.
    pub(crate) fn failed(step: Step, node: Option<&str>, reason: impl fmt::Display) -> Self {
        Self::Failed(Box::new(StepFailure::new(step, node, reason)))
    }
}

/// One setting that an existing cluster has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The setting, as in the specification.
    pub key: String,
    /// What the cluster has.
    pub have: String,
    /// What is asked for.
    pub want: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, not {}", self.key, self.have, self.want)
    }
}

/// Something about an existing cluster that failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The engine refused or broke off.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The cluster's folder could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// No such cluster.
    #[error(
        "there is no cluster `{name}` in this engine; `cargo kcluster nodes` lists what there is, `cargo kcluster up --name {name}` makes it"
    )]
    Missing {
        /// Its name.
        name: ClusterName,
    },
    /// It is frozen.
    #[error("cluster `{name}` is suspended; `cargo kcluster resume --name {name}` lets it go on")]
    Suspended {
        /// Its name.
        name: ClusterName,
    },
    /// A command in a node went wrong.
    #[error("`{command}` on node {node} {reason}")]
    Command {
        /// The node.
        node: String,
        /// The command.
        command: String,
        /// How it ended, with its last words.
        reason: String,
    },
    /// Nodes that could not go on.
    #[error("nodes stay frozen: {}; `cargo kcluster resume` tries again", failures.join("; "))]
    Frozen {
        /// Each with the engine's words.
        failures: Vec<String>,
    },
    /// Some things could not be removed.
    #[error("could not remove {}", failures.join("; "))]
    Left {
        /// What, and the engine's words.
        failures: Vec<String>,
    },
}
