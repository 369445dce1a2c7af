//! `nodes`.

use std::collections::HashMap;

use kcluster_cluster::ROLE;
use kcluster_cluster::engine::{NodeInfo, NodeState};
use kcluster_matrix::exit;
use serde_json::json;

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::output::Table;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const COLUMNS: [&str; 7] = [
    "name",
    "role",
    "status",
    "version",
    "address",
    "arch",
    "emulation",
];

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let target = Target::find(&context.settings).await?;
        let ready = readiness(&target).await;
        let rows: Vec<[String; 7]> = target
            .nodes
            .iter()
            .map(|node| row(&target, node, &ready))
            .collect();
        if self.json {
            let objects: Vec<_> = rows
                .iter()
                .map(|row| {
                    COLUMNS
                        .iter()
                        .zip(row)
                        .map(|(name, cell)| (*name, cell))
                        .collect::<HashMap<_, _>>()
                })
                .collect();
            context
                .printer
                .data(&serde_json::to_string_pretty(&json!(objects))?);
        } else {
            let mut table = Table::new(COLUMNS);
            rows.into_iter().for_each(|row| table.row(row));
            context.printer.data(&table.to_string());
        }
        Ok(exit::PASSED)
    }
}

/// What Kubernetes says of each node; nothing while its API server does not answer.
async fn readiness(target: &Target) -> HashMap<String, String> {
    let path = r#"jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
    let Ok(output) = target.kubectl(&["get", "nodes", "--output", path]).await else {
        return HashMap::new();
    };
    let pairs = output
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, status)| {
            let word = if status == "True" {
                "Ready"
            } else {
                "NotReady"
            };
            (name.to_owned(), word.to_owned())
        })
        .collect()
}

fn row(target: &Target, node: &NodeInfo, ready: &HashMap<String, String>) -> [String; 7] {
    let unknown = || "-".to_owned();
    let of_cell = |show: fn(&kcluster_matrix::Cell) -> String| {
        target
            .spec
            .as_ref()
            .map_or_else(unknown, |spec| show(&spec.cell))
    };
    let status = match (node.state, ready.get(&node.name)) {
        (NodeState::Running, Some(word)) => word.clone(),
        (state, _) => state_word(state).to_owned(),
    };
    [
        node.name.clone(),
        node.labels.get(ROLE).cloned().unwrap_or_else(unknown),
        status,
        of_cell(|cell| cell.kubernetes.to_string()),
        node.address
            .map_or_else(unknown, |address| address.to_string()),
        of_cell(|cell| cell.arch.to_string()),
        of_cell(|cell| cell.emulation.to_string()),
    ]
}

/// An engine's state of a node in a word.
pub(super) fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Created => "created",
        NodeState::Running => "running",
        NodeState::Paused => "paused",
        NodeState::Exited => "exited",
    }
}
