//! `events`: what happened in a cluster, by its own kubectl.

use super::kubectl;
use crate::config::Layer;
use crate::context::Context;

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    kubectl: kubectl::Args,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        self.kubectl.layer()
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        self.kubectl
            .run_as("events", "--all-namespaces", &context)
            .await
    }
}
