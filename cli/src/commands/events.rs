//! `events`: what happened in a cluster, by its own kubectl.

use super::kubectl::kubectl_with;
use crate::config::{Layer, NameFlag};
use crate::context::Context;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// What `kubectl events` gets; without it, the events of all namespaces
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
        let mut words = vec!["events".to_owned()];
        if self.args.is_empty() {
            words.push("--all-namespaces".to_owned());
        }
        words.extend(self.args);
        kubectl_with(&context, words).await
    }
}
