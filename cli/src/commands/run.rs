//! `run -- CMD`.

use kcluster_matrix::outcome::Totals;

use super::matrix::{Flags, cells};
use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::error::Told;
use crate::matrix::command::{Place, Task, run};
use crate::matrix::planning::{COMMAND, Wish};
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    name: NameFlag,
    /// Run it for the cluster `--name`, which is up, instead of in each cell
    #[arg(long, conflicts_with_all = ["cells", "shard", "resume"])]
    running: bool,
    /// Finish what an interrupted run left
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    flags: Flags,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        self.flags.layer().over(*self.name.0.clone())
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        if self.running {
            return running(&context, &self.command).await;
        }
        let wish = Wish {
            command: Some(self.command),
            ..self.wish
        };
        cells(&context, &wish, self.resume, None).await
    }
}

/// Runs it for a cluster that is up, and shows what it prints.
async fn running(context: &Context, argv: &[String]) -> anyhow::Result<u8> {
    context.follow()?;
    let target = Target::find(&context.settings).await?;
    target.control_plane()?;
    let kubeconfig = context.settings.kubeconfig();
    let Some(spec) = target.spec.as_ref().filter(|_| kubeconfig.exists()) else {
        let told = Told::input(format!("there is no kubeconfig at {kubeconfig}"));
        return Err(told
            .help("give the --state-dir the cluster was made with")
            .into());
    };
    let mut settings = context.settings.clone();
    settings.cni = spec.cell.cni;
    settings.nodes = spec.workers;
    let id = spec.cell.id();
    let endpoint = crate::engine::endpoint(&settings)?.to_string();
    let place = Place {
        cell: id.as_str(),
        settings: &settings,
        endpoint: &endpoint,
        folder: &context.host.folder,
    };
    let task = Task {
        suite: COMMAND,
        argv,
        kubernetes: spec.cell.kubernetes.to_string(),
        arch: spec.cell.arch.to_string(),
        log: None,
    };
    let suite = run(&place, &task, &context.cancel).await;
    context.hub.finish();
    Ok(Totals::of(&suite?.cases).exit_code())
}
