//! `config show`, `config init`, `config schema`.

use camino::Utf8PathBuf;
use clap::Subcommand;
use kcluster_matrix::exit;

use crate::config::{
    self, ClusterFlags, ImageFlags, Layer, NameFlag, ReportFlag, SourceFlags, TestFlags,
};
use crate::context::Context;
use crate::error::Told;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Print each value with where it comes from
    Show(Show),
    /// Write a kcluster.toml that explains every key
    Init {
        /// The file to write, or `-` for standard output
        #[arg(default_value = "kcluster.toml")]
        file: Utf8PathBuf,
    },
    /// Print the JSON schema of kcluster.toml, for editors and other programs
    Schema,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    name: NameFlag,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    cluster: ClusterFlags,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    report: ReportFlag,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        match &self.command {
            Sub::Show(show) => {
                let Show {
                    name,
                    image,
                    source,
                    cluster,
                    tests,
                    report,
                    ..
                } = show;
                Layer::of([
                    &name.0, &image.0, &source.0, &cluster.0, &tests.0, &report.0,
                ])
            }
            Sub::Init { .. } | Sub::Schema => Layer::default(),
        }
    }

    #[expect(clippy::unused_async, reason = "commands share one signature")]
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        match self.command {
            Sub::Show(Show { json: true, .. }) => {
                let json = config::as_json(&context.settings);
                context.printer.data(&serde_json::to_string_pretty(&json)?);
            }
            Sub::Show(_) => context.printer.data(&config::as_toml(&context.settings)),
            Sub::Init { file } => init(&context, &file)?,
            Sub::Schema => {
                let schema = serde_json::to_string_pretty(&config::schema())?;
                context.printer.data(&schema);
            }
        }
        Ok(exit::PASSED)
    }
}

fn init(context: &Context, file: &camino::Utf8Path) -> anyhow::Result<()> {
    let text = config::template(&context.host);
    if file == "-" {
        context.printer.data(&text);
        return Ok(());
    }
    let path = context.host.folder.join(file);
    if path.exists() {
        let told = Told::input(format!("{file} exists already"));
        return Err(told.help("give another name, or `-` to print").into());
    }
    fs_err::write(&path, text)?;
    context.printer.tell(&format!("wrote {file}"));
    Ok(())
}
