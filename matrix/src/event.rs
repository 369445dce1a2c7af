//! What executors say while they work. Reporters fold these; nothing else prints.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cell::CellId;
use crate::outcome::{Case, Outcome};

/// A step of making or removing a cluster, in the order they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The engine is asked what it is and can do.
    ProbeEngine,
    /// The node image is built or found, and the engine has it.
    NodeImage,
    /// The cluster's own network.
    Network,
    /// Node containers are created and started.
    Nodes,
    /// `kubeadm init` on the first control plane.
    Init,
    /// `kubeadm join` on each other node.
    Join,
    /// The network plugin is installed where it is not part of the node.
    Cni,
    /// All nodes and all of kube-system are Ready.
    Ready,
    /// The kubeconfig is written.
    Kubeconfig,
    /// What was asked for beyond Kubernetes itself is installed, one after the other.
    Addons,
    /// A snapshot is taken: nodes frozen, copied and thawed.
    Save,
    /// Nodes get back what a snapshot holds.
    Restore,
    /// The API's knowledge of credentials is made to fit new ones.
    Credentials,
    /// Frozen nodes go on, and the API server answers.
    Resume,
    /// Containers, networks and volumes are removed.
    Remove,
}

impl Step {
    /// The step in words, for a table or a line of progress.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ProbeEngine => "engine",
            Self::NodeImage => "node image",
            Self::Network => "network",
            Self::Nodes => "nodes",
            Self::Init => "kubeadm init",
            Self::Join => "kubeadm join",
            Self::Cni => "CNI",
            Self::Ready => "all Ready",
            Self::Kubeconfig => "kubeconfig",
            Self::Addons => "addons",
            Self::Save => "snapshot",
            Self::Restore => "restore",
            Self::Credentials => "credentials",
            Self::Resume => "resume",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened; stamped by the [`Sink`].
    pub at: Timestamp,
    /// The cell it happened in, if in one.
    pub cell: Option<CellId>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum EventKind {
    /// A step began, on one node or on none in particular.
    StepStarted {
        /// Which step.
        step: Step,
        /// On which node.
        node: Option<String>,
    },
    /// A line of a step's own output, such as kubeadm's.
    StepOutput {
        /// Which step.
        step: Step,
        /// On which node.
        node: Option<String>,
        /// One line, without its end.
        line: String,
    },
    /// A step ended.
    StepFinished {
        /// Which step.
        step: Step,
        /// On which node.
        node: Option<String>,
        /// How long it took.
        took: Duration,
        /// How it ended.
        outcome: Outcome,
    },
    /// Something is being built, fetched or unpacked.
    BuildStarted {
        /// What, such as "etcd 3.6.8 (amd64)".
        what: String,
    },
    /// It is there now.
    BuildFinished {
        /// What.
        what: String,
        /// How long it took.
        took: Duration,
        /// Whether it was in the cache already.
        cached: bool,
    },
    /// A run of specs is about to begin.
    RunStarted {
        /// Specs that will run.
        specs: usize,
        /// Processes they run in.
        processes: usize,
    },
    /// A spec began.
    SpecStarted {
        /// Its full name.
        name: String,
        /// The process it runs in, from 1.
        process: usize,
    },
    /// A spec ended.
    SpecFinished {
        /// The verdict and all that belongs to it.
        case: Case,
        /// The process it ran in, from 1; 0 where ginkgo does not tell.
        process: usize,
    },
    /// Worth knowing, needs nothing done.
    Note {
        /// In one line.
        text: String,
    },
    /// Worth doing something about.
    Warning {
        /// In one line, with what to do.
        text: String,
    },
}

/// Where executors put what happens. The implementor adds time and cell.
pub trait Sink: Send + Sync {
    /// Takes one event; must not block for long.
    fn emit(&self, kind: EventKind);

    /// A note, from anything that can be shown.
    fn note(&self, text: &dyn fmt::Display) {
        self.emit(EventKind::Note {
            text: text.to_string(),
        });
    }

    /// A warning, from anything that can be shown.
    fn warn(&self, text: &dyn fmt::Display) {
        self.emit(EventKind::Warning {
            text: text.to_string(),
        });
    }
}

/// A sink for callers that want no events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Sink for Silent {
    fn emit(&self, _: EventKind) {}
}
