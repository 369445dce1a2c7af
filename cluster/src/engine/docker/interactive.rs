//! Commands in nodes joined to this process's own terminal or pipes.

use std::io::Write;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::ResizeExecOptions;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::DockerEngine;
use super::errors::Operation;
use super::exec::{Input, Output, Started};
use super::terminal::{self, RawMode, Stdin};
use crate::engine::{EngineError, ExecSpec};

/// How the conversation came to its end.
enum End {
    /// The command closed its output.
    Output,
    /// This process was told to stop by this signal.
    Signal(i64),
}

/// Signals that end a conversation, with the terminal restored.
const ENDING: [SignalKind; 2] = [SignalKind::terminate(), SignalKind::hangup()];

/// Attempts at the first size, and the time between them.
const SIZINGS: u32 = 20;
const SIZING_PAUSE: Duration = Duration::from_millis(25);

impl DockerEngine {
    pub(super) async fn converse(&self, node: &str, spec: ExecSpec) -> Result<i64, EngineError> {
        let operation = Operation::new("run a command in", "node", node);
        let failed = |error: std::io::Error| operation.failed(error);
        // Without a terminal on this side, one on the other would only garble pipes.
        let tty = spec.tty && terminal::is_terminal();
        let mut signals = Signals {
            window: signal(SignalKind::window_change()).map_err(failed)?,
            terminate: signal(ENDING[0]).map_err(failed)?,
            hangup: signal(ENDING[1]).map_err(failed)?,
        };
        let stdin = match &spec.stdin {
            None => Some(Stdin::open().map_err(failed)?),
            Some(_) => None,
        };
        let Started {
            id,
            output,
            mut input,
        } = self.begin(node, &spec, true, tty).await?;
        let raw = tty.then(RawMode::enter).transpose().map_err(failed)?;
        if let Some(bytes) = &spec.stdin {
            let _ = input.write_all(bytes).await;
            let _ = input.shutdown().await;
        }
        let end = self
            .relay(&id, tty, output, input, stdin, &mut signals)
            .await;
        drop(raw);
        match end.map_err(|error| match error {
            Broken::Engine(error) => self.map(operation)(error),
            Broken::Here(error) => failed(error),
        })? {
            End::Output => self.exit_code(operation, &id).await,
            End::Signal(number) => Ok(128 + number),
        }
    }

    async fn relay(
        &self,
        id: &str,
        tty: bool,
        mut output: Output,
        mut input: Input,
        mut stdin: Option<Stdin>,
        signals: &mut Signals,
    ) -> Result<End, Broken> {
        let mut sizing = std::pin::pin!(self.first_size(id));
        let mut sized = !tty;
        loop {
            tokio::select! {
                piece = output.next() => match piece {
                    Some(piece) => show(piece.map_err(Broken::Engine)?).map_err(Broken::Here)?,
                    None => return Ok(End::Output),
                },
                piece = next(&mut stdin) => {
                    if !pass_on(piece, &mut input).await {
                        stdin = None;
                    }
                },
                () = &mut sizing, if !sized => sized = true,
                Some(()) = signals.window.recv(), if tty => {
                    self.resize(id).await;
                },
                Some(()) = signals.terminate.recv() => {
                    return Ok(End::Signal(ENDING[0].as_raw_value().into()));
                }
                Some(()) = signals.hangup.recv() => {
                    return Ok(End::Signal(ENDING[1].as_raw_value().into()));
                }
            }
        }
    }

    /// The engine answers before the command's terminal is there, and does not say when it
    /// is; the docker command asks again and again too.
    async fn first_size(&self, id: &str) {
        for _ in 0..SIZINGS {
            if self.resize(id).await {
                return;
            }
            tokio::time::sleep(SIZING_PAUSE).await;
        }
    }

    /// Gives the command's terminal the size of this one; a wrong size is no failure.
    async fn resize(&self, id: &str) -> bool {
        let Some((height, width)) = terminal::size() else {
            return true;
        };
        let options = ResizeExecOptions { height, width };
        match self.docker.resize_exec(id, options).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, "could not resize the terminal");
                false
            }
        }
    }
}

/// Hands a piece of input on; false when there is no more to hand on.
async fn pass_on(piece: Option<Bytes>, input: &mut Input) -> bool {
    match piece {
        // A command that no longer reads is about to end: its output tells.
        Some(piece) => input.write_all(&piece).await.is_ok() && input.flush().await.is_ok(),
        None => {
            let _ = input.shutdown().await;
            false
        }
    }
}

struct Signals {
    window: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// Which side broke the conversation off.
enum Broken {
    Engine(bollard::errors::Error),
    Here(std::io::Error),
}

/// The next piece of input; never, once it is closed.
async fn next(stdin: &mut Option<Stdin>) -> Option<Bytes> {
    match stdin {
        Some(stdin) => stdin.pieces.recv().await,
        None => std::future::pending().await,
    }
}

fn show(piece: LogOutput) -> std::io::Result<()> {
    match piece {
        LogOutput::StdErr { message } => {
            let mut to = std::io::stderr().lock();
            to.write_all(&message)?;
            to.flush()
        }
        LogOutput::StdOut { message } | LogOutput::Console { message } => {
            let mut to = std::io::stdout().lock();
            to.write_all(&message)?;
            to.flush()
        }
        LogOutput::StdIn { .. } => Ok(()),
    }
}
