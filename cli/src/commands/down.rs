//! `down`.

use kcluster_cluster::{StateDir, down};
use kcluster_matrix::exit;

use super::clean::tell_removed;
use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::{engine, kubeconfig};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    /// Runs to its end even when a signal comes: half a removal helps nobody.
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        context.follow()?;
        let settings = &context.settings;
        let engine = engine::open(settings).await?;
        let state = StateDir::new(&settings.state_dir);
        let removed = down(engine.as_ref(), &settings.name, &state, &context.hub).await?;
        context.hub.finish();
        // Also where the cluster is gone already: an earlier attempt may have got no further.
        if let Some(file) = kubeconfig::remove(settings, &settings.name)? {
            context
                .printer
                .tell(&format!("removed its context from {file}"));
        }
        if removed.is_empty() {
            context
                .printer
                .tell(&format!("there was no cluster `{}`", settings.name));
        } else {
            tell_removed(&context.printer, &removed);
        }
        Ok(exit::PASSED)
    }
}
