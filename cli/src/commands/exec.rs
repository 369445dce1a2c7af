//! `exec NODE -- CMD`.

use std::io::IsTerminal;

use kcluster_cluster::engine::ExecSpec;

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// The node, such as control-plane or worker-1
    node: String,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let target = Target::find(&context.settings).await?;
        target.awake()?;
        let node = target.node(&self.node)?.name.clone();
        let spec = ExecSpec {
            tty: on_terminal(),
            ..ExecSpec::new(self.command)
        };
        let code = target.engine.exec_interactive(&node, spec).await?;
        Ok(exit_code(code))
    }
}

/// Whether the command gets a terminal: only when both ends of it are here.
pub(super) fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// The command's own exit code, as far as a process can have it.
pub(super) fn exit_code(code: i64) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}
