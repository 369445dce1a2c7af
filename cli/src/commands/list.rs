//! `list`: the clusters of the engine.

use kcluster_cluster::engine::NodeState;
use kcluster_cluster::list;
use kcluster_matrix::exit;

use super::nodes::state_word;
use crate::config::Layer;
use crate::context::Context;
use crate::engine;
use crate::output::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let engine = engine::open(&context.settings).await?;
        let clusters = list(engine.as_ref()).await?;
        if self.json {
            let json: Vec<_> = clusters
                .iter()
                .map(|cluster| {
                    let nodes: Vec<&str> = cluster.nodes.iter().map(|node| node.name.as_str()).collect();
                    serde_json::json!({ "name": cluster.name, "cell": cluster.cell, "nodes": nodes })
                })
                .collect();
            context.printer.data(&serde_json::to_string_pretty(&json)?);
            return Ok(exit::PASSED);
        }
        let mut table = Table::new(["name", "cell", "nodes", "state"]).numbers(2);
        for cluster in clusters {
            let odd = cluster
                .nodes
                .iter()
                .find(|node| node.state != NodeState::Running);
            let state = match (odd, cluster.nodes.is_empty()) {
                (_, true) => "leftovers; `down` removes them".to_owned(),
                (Some(node), _) => format!("{} {}", node.name, state_word(node.state)),
                (None, _) => "running".to_owned(),
            };
            table.row([
                cluster.name.to_string(),
                cluster.cell,
                cluster.nodes.len().to_string(),
                state,
            ]);
        }
        if table.is_empty() {
            context
                .printer
                .tell("no clusters; `cargo kcluster up` makes one");
        } else {
            context.printer.data(&table.to_string());
        }
        Ok(exit::PASSED)
    }
}
