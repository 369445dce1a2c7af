//! Commands in nodes, with their output line by line as it comes.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedSender;

use super::DockerEngine;
use super::errors::Operation;
use crate::engine::lines::Lines;
use crate::engine::types::Stream as Which;
use crate::engine::{EngineError, ExecOutput, ExecSpec, OutputLine};

/// Bytes of output taken at a time.
const CHUNK: usize = 64 * 1024;

pub(super) type Output =
    Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;
pub(super) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A started command: its id, what it prints, what it reads.
pub(super) struct Started {
    pub(super) id: String,
    pub(super) output: Output,
    pub(super) input: Input,
}

impl DockerEngine {
    pub(super) async fn run(
        &self,
        node: &str,
        spec: ExecSpec,
        lines: Option<UnboundedSender<OutputLine>>,
    ) -> Result<ExecOutput, EngineError> {
        let operation = Operation::new("run a command in", "node", node);
        let stdin = spec.stdin.clone();
        let started = self.begin(node, &spec, stdin.is_some(), false).await?;
        let Started { id, output, input } = started;
        let feeding = feed(input, stdin);
        let reading = read(output, lines);
        // Both at once: a command may print more than fits before it has read all.
        let ((), read) = tokio::join!(feeding, reading);
        let (stdout, stderr) = read.map_err(self.map(operation))?;
        Ok(ExecOutput {
            code: self.exit_code(operation, &id).await?,
            stdout,
            stderr,
        })
    }

    pub(super) async fn begin(
        &self,
        node: &str,
        spec: &ExecSpec,
        stdin: bool,
        tty: bool,
    ) -> Result<Started, EngineError> {
        let operation = Operation::new("run a command in", "node", node);
        let env = spec.env.iter().map(|(key, value)| format!("{key}={value}"));
        let options = CreateExecOptions {
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(tty),
            env: Some(env.collect()),
            cmd: Some(spec.argv.clone()),
            ..CreateExecOptions::default()
        };
        let made = self
            .docker
            .create_exec(node, options)
            .await
            .map_err(self.map(operation))?;
        let options = StartExecOptions {
            tty,
            output_capacity: Some(CHUNK),
            ..StartExecOptions::default()
        };
        let started = self
            .docker
            .start_exec(&made.id, Some(options))
            .await
            .map_err(self.map(operation))?;
        match started {
            StartExecResults::Attached { output, input } => Ok(Started {
                id: made.id,
                output,
                input,
            }),
            StartExecResults::Detached => Err(operation.failed("the engine did not attach to it")),
        }
    }

    /// The exit code of a command whose output has ended.
    pub(super) async fn exit_code(
        &self,
        operation: Operation<'_>,
        id: &str,
    ) -> Result<i64, EngineError> {
        // The engine closes the output before it notes the exit; it has no call that waits
        // for an exec, and its event may have passed before one could listen.
        let mut pause = Duration::from_millis(1);
        loop {
            let state = self
                .docker
                .inspect_exec(id)
                .await
                .map_err(self.map(operation))?;
            match (state.running, state.exit_code) {
                (Some(false) | None, Some(code)) => return Ok(code),
                (Some(false), None) => {
                    return Err(operation.failed("the engine does not know how it ended"));
                }
                _ => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

/// Writes all of `stdin` and closes it. A command that ends early does not read it all,
/// which is its own affair.
async fn feed(mut input: Input, stdin: Option<Vec<u8>>) {
    if let Some(bytes) = stdin {
        let _ = input.write_all(&bytes).await;
        let _ = input.shutdown().await;
    }
    // Without input there is nothing to close: the engine gave the command /dev/null.
}

async fn read(
    mut output: Output,
    lines: Option<UnboundedSender<OutputLine>>,
) -> Result<(String, String), bollard::errors::Error> {
    let mut out = Lines::new(Which::Out, lines.clone());
    let mut err = Lines::new(Which::Err, lines);
    while let Some(piece) = output.next().await {
        match piece? {
            LogOutput::StdErr { message } => err.push(&message),
            LogOutput::StdOut { message } | LogOutput::Console { message } => out.push(&message),
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok((out.finish(), err.finish()))
}
