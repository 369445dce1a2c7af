//! `kubectl -- ARGS`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context as _;

use super::exec::{exit_code, on_terminal};
use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::kubectl::host_program;
use crate::target::{Target, kubectl};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// What it gets; put `--` before arguments that begin with a dash
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<String>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        kubectl_with(&context, self.args).await
    }

    /// The same for a command of kubectl's own, which gets `otherwise` where nothing was given.
    pub(super) async fn run_as(
        self,
        command: &str,
        otherwise: &str,
        context: &Context,
    ) -> anyhow::Result<u8> {
        let mut words = vec![command.to_owned()];
        if self.args.is_empty() {
            words.push(otherwise.to_owned());
        }
        words.extend(self.args);
        kubectl_with(context, words).await
    }
}

/// On this machine, so that files and plugins are at hand; in the control plane where the
/// cluster's programs cannot run here.
async fn kubectl_with(context: &Context, args: Vec<String>) -> anyhow::Result<u8> {
    let target = Target::find(&context.settings).await?;
    target.awake()?;
    if let Some(program) = host_program(&context.settings, &target).await? {
        let mut command = Command::new(&program);
        command
            .args(args)
            .env("KUBECONFIG", context.settings.kubeconfig());
        // Takes this process's place, so signals and exit codes are kubectl's own.
        return Err(command.exec()).with_context(|| format!("failed to run {program}"));
    }
    let node = target.control_plane()?.name.clone();
    let mut spec = kubectl(args);
    spec.tty = on_terminal();
    let code = target.engine.exec_interactive(&node, spec).await?;
    Ok(exit_code(code))
}
