//! `clean`: what kcluster made, and nothing else.

use std::time::Duration;

use kcluster_cluster::{Removed, StateDir, clean};
use kcluster_images::Cache;
use kcluster_matrix::exit;

use crate::config::Layer;
use crate::context::Context;
use crate::output::Printer;
use crate::{engine, kubeconfig};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the cached builds, which take minutes to make again
    #[arg(long)]
    keep_cache: bool,
    /// Accepted for scripts; nothing is asked anyway
    #[arg(long, short, hide = true)]
    yes: bool,
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    /// Runs to its end even when a signal comes: half a removal helps nobody.
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        context.follow()?;
        let settings = &context.settings;
        let engine = engine::open(settings).await?;
        let state = StateDir::new(&settings.state_dir);
        let removed = clean(engine.as_ref(), &state, &context.hub).await?;
        context.hub.finish();
        tell_removed(&context.printer, &removed);
        for file in kubeconfig::remove_all(settings)? {
            context
                .printer
                .tell(&format!("removed a context from {file}"));
        }
        if !self.keep_cache {
            // Entry by entry: the folder is the user's choice and may hold things of theirs.
            let pruned = Cache::open(&settings.cache_dir)?.prune(Duration::ZERO)?;
            context.printer.tell(&format!(
                "removed {} cached builds; {} are in use",
                pruned.removed.len(),
                pruned.in_use.len()
            ));
        }
        Ok(exit::PASSED)
    }
}

/// What was removed, by kind; that nothing was there is told too.
pub(super) fn tell_removed(printer: &Printer, removed: &Removed) {
    let kinds = [
        ("nodes", &removed.nodes),
        ("networks", &removed.networks),
        ("volumes", &removed.volumes),
        ("images", &removed.images),
    ];
    for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
        printer.tell(&format!("removed {kind}: {}", names.join(", ")));
    }
    if removed.is_empty() {
        printer.tell("nothing of kcluster's is in the engine");
    }
}
