//! `kubeconfig`.

use anyhow::Context as _;
use kcluster_matrix::exit;

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::error::Told;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// Print the file itself instead of its path
    #[arg(long)]
    raw: bool,
    /// Print its path; the default
    #[arg(long, conflicts_with = "raw")]
    path: bool,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    #[expect(clippy::unused_async, reason = "commands share one signature")]
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let path = context.settings.kubeconfig();
        let name = &context.settings.name;
        if !path.exists() {
            let told = Told::input(format!("there is no kubeconfig of a cluster `{name}`"));
            return Err(told
                .help(format!("`cargo kcluster up --name {name}` writes it"))
                .into());
        }
        if self.raw {
            let text = fs_err::read(&path).context("failed to read the kubeconfig")?;
            context.printer.raw(&text);
        } else {
            context.printer.data(path.as_str());
        }
        Ok(exit::PASSED)
    }
}
