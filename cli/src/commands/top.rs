//! `top`: what nodes and pods use, by the metrics API and the cluster's own kubectl.

use super::kubectl::kubectl_with;
use crate::config::{Layer, NameFlag};
use crate::context::Context;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// What `kubectl top` gets, such as pods --all-namespaces; without it, the nodes
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<String>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let mut words = vec!["top".to_owned()];
        if self.args.is_empty() {
            words.push("nodes".to_owned());
        }
        words.extend(self.args);
        kubectl_with(&context, words).await
    }
}
