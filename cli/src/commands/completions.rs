//! `completions SHELL`.

use clap_complete::Shell;
use kcluster_matrix::exit;

use crate::config::Layer;
use crate::context::Context;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to complete in
    shell: Shell,
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    /// Completes the bare binary, the form that shells look commands up by.
    #[expect(clippy::unused_async, reason = "commands share one signature")]
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut bare(), "cargo-kcluster", &mut text);
        context.printer.raw(&text);
        Ok(exit::PASSED)
    }
}

/// The command line without cargo in front.
pub(super) fn bare() -> clap::Command {
    let cargo = crate::app::command();
    let kcluster = cargo.find_subcommand("kcluster").cloned().unwrap_or(cargo);
    kcluster.name("cargo-kcluster").bin_name("cargo-kcluster")
}
