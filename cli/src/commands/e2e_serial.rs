//! `e2e-serial [SUBSTRING]`.

use kcluster_e2e::Which;

use crate::config::Layer;
use crate::context::Context;

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    same: super::e2e::Args,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        self.same.layer()
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        self.same.followed(context, Which::Serial).await
    }
}
