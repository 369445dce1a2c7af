//! Commands that are measured: run to their end, timed, ended when we are.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kcluster_reports::text::xml_text;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::config::as_variables;
use crate::context::Context;
use crate::error::Told;

/// How many lines of a failed command are shown.
const LINES: usize = 12;

/// kcluster itself, with all of this process's settings.
pub(super) fn kcluster(context: &Context, args: &[&str]) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("failed to find this program")?;
    let mut command = Command::new(program);
    command.args(args).envs(as_variables(&context.settings));
    Ok(command)
}

/// Runs `command` and returns how long it took. When `cancel` says so it is asked to end, so that it removes what
/// it made; what removes again has a token of its own, which nobody cancels.
pub(super) async fn timed(
    cancel: &CancellationToken,
    mut command: Command,
    input: Option<&str>,
) -> anyhow::Result<Duration> {
    let shown = shown(&command);
    let input_from = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    command
        .stdin(input_from)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Or else it would have the terminal's signal and ours, and leave at once at the second.
        .process_group(0);
    let began = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("failed to start `{shown}`"))?;
    if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(text.as_bytes()).await?;
    }
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let output = tokio::select! {
        output = &mut ended => output?,
        () = cancel.cancelled() => {
            if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
                // One that is gone needs none.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            ended.await?;
            return Err(Told::interrupted().into());
        }
    };
    let took = began.elapsed();
    if output.status.success() {
        return Ok(took);
    }
    let said = xml_text(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    Err(Told::cluster(format!("`{shown}` ended with {}:\n{last}", output.status)).into())
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let name = std::path::Path::new(command.get_program()).file_name();
    let words = name.into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
