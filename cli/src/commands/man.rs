//! `man DIR`.

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::exit;

use super::completions::bare;
use crate::config::Layer;
use crate::context::Context;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to write into
    folder: Utf8PathBuf,
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    #[expect(clippy::unused_async, reason = "commands share one signature")]
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let folder = context.host.folder.join(&self.folder);
        fs_err::create_dir_all(&folder)?;
        let mut command = bare();
        command.build();
        let pages = write(&folder, &command)?;
        context
            .printer
            .tell(&format!("wrote {pages} manual pages into {}", self.folder));
        Ok(exit::PASSED)
    }
}

/// A page for `command` and each command below it, by the names git and cargo use.
fn write(folder: &Utf8Path, command: &clap::Command) -> anyhow::Result<usize> {
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    fs_err::write(folder.join(format!("{name}.1")), text)?;
    let mut pages = 1;
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        pages += write(folder, below)?;
    }
    Ok(pages)
}
