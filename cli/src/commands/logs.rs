//! `logs [DIR]`.

use camino::Utf8PathBuf;
use kcluster_cluster::collect_logs;
use kcluster_matrix::exit;

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// The folder to write into [default: kcluster-logs/NAME]
    folder: Option<Utf8PathBuf>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let settings = &context.settings;
        let target = Target::find(settings).await?;
        target.awake()?;
        let folder = self
            .folder
            .unwrap_or_else(|| Utf8PathBuf::from("kcluster-logs").join(settings.name.as_str()));
        let path = context.host.folder.join(&folder);
        let files =
            collect_logs(target.engine.as_ref(), &settings.name, path.as_std_path()).await?;
        context
            .printer
            .tell(&format!("wrote {} files into", files.len()));
        context.printer.data(path.as_str());
        Ok(exit::PASSED)
    }
}
