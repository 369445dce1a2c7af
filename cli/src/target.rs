//! An existing cluster that a command works on.

use std::sync::Arc;
use std::time::Duration;

use kcluster_cluster::engine::{Engine, ExecOutput, ExecSpec, NodeInfo, NodeState};
use kcluster_cluster::{ROLE, StateDir, list};
use kcluster_matrix::suggest::nearest;
use kcluster_matrix::{ClusterSpec, Role};

use crate::config::Settings;
use crate::engine;
use crate::error::Told;

/// The cluster `--name` means, with its engine and what is remembered of it.
pub(crate) struct Target {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) nodes: Vec<NodeInfo>,
    /// What it was made from, if this machine made it.
    pub(crate) spec: Option<ClusterSpec>,
    name: String,
}

impl Target {
    /// Finds it.
    pub(crate) async fn find(settings: &Settings) -> anyhow::Result<Self> {
        let engine = engine::open(settings).await?;
        let clusters = list(engine.as_ref()).await?;
        let name = settings.name.to_string();
        let known: Vec<String> = clusters
            .iter()
            .map(|cluster| cluster.name.to_string())
            .collect();
        let Some(found) = clusters
            .into_iter()
            .find(|cluster| cluster.name == settings.name)
        else {
            let near = nearest(&name, known.iter().map(String::as_str));
            let help = near.map_or_else(
                || format!("`cargo kcluster up --name {name}` makes it, `cargo kcluster list` shows what there is"),
                |near| format!("did you mean `--name {near}`?"),
            );
            return Err(Told::input(format!("there is no cluster `{name}`"))
                .help(help)
                .into());
        };
        let spec = StateDir::new(&settings.state_dir)
            .cluster(&settings.name)
            .spec()?;
        Ok(Self {
            engine,
            nodes: found.nodes,
            spec,
            name,
        })
    }

    /// Refuses a cluster that is frozen: nothing in it would answer.
    pub(crate) fn awake(&self) -> Result<(), Told> {
        let frozen = |node: &NodeInfo| node.state == NodeState::Paused;
        if !self.nodes.iter().any(frozen) {
            return Ok(());
        }
        let name = &self.name;
        Err(
            Told::input(format!("cluster `{name}` is suspended")).help(format!(
                "`cargo kcluster resume --name {name}` lets it go on"
            )),
        )
    }

    /// A node by its name, or by the part after the cluster's name.
    pub(crate) fn node(&self, asked: &str) -> Result<&NodeInfo, Told> {
        let full = format!("{}-{asked}", self.name);
        self.nodes
            .iter()
            .find(|node| node.name == asked || node.name == full)
            .ok_or_else(|| {
                let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
                Told::input(format!("cluster `{}` has no node `{asked}`", self.name))
                    .help(format!("its nodes are {}", names.join(", ")))
            })
    }

    /// A control plane that runs.
    pub(crate) fn control_plane(&self) -> Result<&NodeInfo, Told> {
        self.awake()?;
        let role = Role::ControlPlane.as_str();
        self.nodes
            .iter()
            .filter(|node| node.labels.get(ROLE).is_some_and(|have| have == role))
            .find(|node| node.state == NodeState::Running)
            .ok_or_else(|| {
                Told::cluster(format!("no control plane of cluster `{}` runs", self.name)).help(
                    format!("`cargo kcluster up --name {}` starts it again", self.name),
                )
            })
    }

    /// Runs kubectl in the control plane and returns what it printed.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> anyhow::Result<ExecOutput> {
        let node = &self.control_plane()?.name;
        let asked = self.engine.exec(
            node,
            kubectl(args.iter().map(|arg| (*arg).to_owned())),
            None,
        );
        let output = tokio::time::timeout(LIMIT, asked)
            .await
            .map_err(|_| Told::cluster(format!("kubectl in {node} does not answer")))?;
        Ok(output?)
    }
}

/// How long a question to the API server may take.
const LIMIT: Duration = Duration::from_secs(15);

/// kubectl in a control plane, as its administrator.
pub(crate) fn kubectl(args: impl IntoIterator<Item = String>) -> ExecSpec {
    let mut spec = ExecSpec::new(["kubectl"]);
    spec.argv.extend(args);
    spec.env.push((
        "KUBECONFIG".to_owned(),
        "/etc/kubernetes/admin.conf".to_owned(),
    ));
    spec
}
