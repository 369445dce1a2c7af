//! `suspend`.

use kcluster_cluster::{StateDir, suspend};
use kcluster_matrix::exit;

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::engine;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        context.follow()?;
        let settings = &context.settings;
        let engine = engine::open(settings).await?;
        let state = StateDir::new(&settings.state_dir);
        let name = &settings.name;
        let frozen = suspend(engine.as_ref(), name, &state, &context.hub).await?;
        context.hub.finish();
        let told = if frozen {
            format!(
                "cluster `{name}` is suspended; `cargo kcluster resume --name {name}` lets it go on"
            )
        } else {
            format!("cluster `{name}` was suspended before")
        };
        context.printer.tell(&told);
        Ok(exit::PASSED)
    }
}
