//! An engine on which a boot goes well, and everything a test looks at afterwards.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use kcluster_matrix::{
    Arch, Cell, ClusterOptions, ClusterSpec, Cni, Egress, Emulation, EventKind, NodePlan, Outcome,
    ProxyMode, Sink, Step,
};
use tokio_util::sync::CancellationToken;

use super::events;
use crate::engine::recording::{Answer, Recorder};
use crate::engine::{ExecOutput, Labels};
use crate::state::StateDir;
use crate::up::{Cluster, UpError, up};

pub(crate) const IMAGE: &str = "kcluster/node:test";

/// A small cluster of `workers` beside the control plane.
pub(crate) fn spec(name: &str, workers: u8) -> ClusterSpec {
    ClusterSpec {
        name: name.parse().unwrap(),
        cell: Cell {
            kubernetes: "1.36.3".parse().unwrap(),
            cni: Cni::Bridge,
            arch: Arch::Amd64,
            emulation: Emulation::Native,
            variant: String::new(),
        },
        workers,
        image: IMAGE.into(),
        egress: Egress::Closed,
        pod_subnet: "10.244.0.0/16".parse().unwrap(),
        service_subnet: "10.96.0.0/16".parse().unwrap(),
        api_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        api_port: 0,
        proxy_mode: ProxyMode::Nftables,
        feature_gates: BTreeMap::new(),
        runtime_config: BTreeMap::new(),
        patches: Vec::new(),
        retain: false,
        options: ClusterOptions::default(),
    }
}

/// Keeps all events.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<EventKind>>);

impl Sink for Events {
    fn emit(&self, kind: EventKind) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(kind);
    }
}

impl Events {
    pub(crate) fn all(&self) -> Vec<EventKind> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let texts = self.all().into_iter().filter_map(|event| match event {
            EventKind::Note { text } => Some(text),
            _ => None,
        });
        texts.collect()
    }

    /// Steps as a whole, in the order they began, each with how it ended.
    pub(crate) fn steps(&self) -> Vec<(Step, Outcome)> {
        let all = self.all();
        let begun = all.iter().filter_map(|event| match event {
            EventKind::StepStarted { step, node: None } => Some(*step),
            _ => None,
        });
        begun
            .map(|begun| {
                let ended = all.iter().find_map(|event| match event {
                    EventKind::StepFinished {
                        step,
                        node: None,
                        outcome,
                        ..
                    } if *step == begun => Some(outcome.clone()),
                    _ => None,
                });
                (begun, ended.expect("each step that begins ends"))
            })
            .collect()
    }
}

/// The outside of one test.
pub(crate) struct Stage {
    pub(crate) engine: Recorder,
    pub(crate) events: Events,
    pub(crate) cancel: CancellationToken,
    pub(crate) state: StateDir,
    _root: tempfile::TempDir,
}

impl Stage {
    /// An engine with the node image, on which kubeadm succeeds and all of `spec`'s nodes
    /// become Ready.
    pub(crate) fn new(spec: &ClusterSpec) -> Self {
        let root = tempfile::tempdir().unwrap();
        let engine = Recorder::new().with_image(IMAGE, &Labels::new());
        let nodes = spec.nodes("10.89.0.0/24".parse().unwrap()).unwrap();
        let names: Vec<String> = nodes
            .into_iter()
            .filter(NodePlan::is_member)
            .map(|node| node.name)
            .collect();
        engine.on_exec(&["kubeadm", "init"], output(INIT));
        engine.on_exec(&["cat"], output(crate::kubeconfig::ADMIN_CONF));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let stage = Self {
            engine,
            events: Events::default(),
            cancel: CancellationToken::new(),
            state: StateDir::new(root.path()),
            _root: root,
        };
        stage.watches(&names);
        stage
    }

    /// What the watches say, once, before they break off.
    fn watches(&self, names: &[&str]) {
        let nodes: Vec<String> = names
            .iter()
            .map(|name| events::node("ADDED", name, true))
            .collect();
        let pods = events::pods(names);
        self.engine.script(move |_, spec| {
            let path = spec.argv.last()?;
            let Some((path, _)) = path.split_once('?') else {
                let list = path
                    .starts_with("/api/")
                    .then(|| output(r#"{ "items": [] }"#));
                return list.map(Answer::Output);
            };
            let lines = match path {
                "/api/v1/nodes" => &nodes,
                "/api/v1/namespaces/kube-system/pods" => &pods,
                _ => return None,
            };
            let text = format!("4711\n{}\n", lines.join("\n"));
            Some(Answer::Output(output(&text)))
        });
    }

    pub(crate) async fn up(&self, spec: &ClusterSpec) -> Result<Cluster, UpError> {
        up(&self.engine, spec, &self.state, &self.events, &self.cancel).await
    }

    /// The first call that begins with `start`.
    pub(crate) fn position(&self, start: &str) -> usize {
        self.engine
            .calls()
            .iter()
            .position(|call| call.starts_with(start))
            .unwrap_or_else(|| panic!("no call {start} in {:#?}", self.engine.calls()))
    }
}

pub(crate) fn output(stdout: &str) -> ExecOutput {
    ExecOutput {
        code: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

pub(crate) fn fails(stdout: &str, stderr: &str) -> ExecOutput {
    ExecOutput {
        code: 1,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

const INIT: &str = "[init] Using Kubernetes version: v1.36.3
[bootstrap-token] Using token: abcdef.0123456789abcdef
[bootstrap-token] Configured RBAC rules to allow certificate rotation for all node client certificates in the cluster
[addons] Applied essential addon: kube-proxy
";
