//! A process group of its own, that never outlives us.
//!
//! Ginkgo starts `e2e.test` many times, and that starts kubectl. All are in one group, so that a
//! signal reaches them at once and a Ctrl-C at the terminal reaches only us, who then decide.
//! If we are killed ourselves, a guard process notices by the end of its input and kills the group.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};

use crate::error::E2eError;
use crate::tools;

/// A started command with all it starts in turn.
pub(crate) struct Group {
    child: Child,
    id: Pid,
    // When its input is closed, the guard kills what is left of the group.
    guard: Option<(Child, ChildStdin)>,
}

impl Group {
    /// Starts `command`, whose output and errors come by the pipe that is returned.
    pub(crate) fn start(mut command: Command) -> Result<(Self, pipe::Receiver), E2eError> {
        let pretty = tools::pretty(&command);
        let failed = |source| E2eError::Spawn {
            command: pretty.clone(),
            source,
        };
        let (reader, writer) = io::pipe().map_err(failed)?;
        let errors = writer.try_clone().map_err(failed)?;
        command.stdout(writer).stderr(errors).process_group(0);
        let child = command.spawn().map_err(failed)?;
        // The command holds the writing end of the pipe, which would keep it open for ever.
        drop(command);
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
        let group = Self {
            child,
            id,
            guard: guard(id),
        };
        Ok((group, output))
    }

    /// Asks every process of the group to end.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Ends every process of the group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Err(error) = kill_process_group(self.id, signal) {
            tracing::debug!(%error, ?signal, "cannot signal the process group");
        }
    }

    /// Waits for the first process; safe to give up and call again.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Whatever is left; normally nothing.
        self.kill();
        // Before its input is closed, lest it kills a group that has taken the same number since.
        if let Some((guard, _)) = &mut self.guard
            && let Err(error) = guard.start_kill()
        {
            tracing::debug!(%error, "cannot end the guard");
        }
    }
}

/// A shell that waits for the end of its input, which comes when we end in whatever way, and then
/// kills the group. Without a shell there is no guard, and all else works.
fn guard(group: Pid) -> Option<(Child, ChildStdin)> {
    let mut child = Command::new("/bin/sh")
        .args([
            "-c",
            "read -r _; kill -s KILL -- \"-$1\" 2>/dev/null",
            "kcluster-guard",
        ])
        .arg(group.as_raw_nonzero().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .inspect_err(|error| tracing::debug!(%error, "no guard for the process group"))
        .ok()?;
    let stdin = child.stdin.take()?;
    Some((child, stdin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncBufReadExt, AsyncReadExt};

    fn alive(pid: i32) -> bool {
        // A zombie is dead too; only its parent has not looked yet.
        fs_err::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    async fn dies(pid: i32) -> bool {
        for _ in 0..100 {
            if !alive(pid) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    async fn start(script: &str) -> (Group, i32) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let (group, output) = Group::start(command).unwrap();
        let mut pid = String::new();
        let mut output = tokio::io::BufReader::new(output);
        output.read_line(&mut pid).await.unwrap();
        (group, pid.trim().parse().unwrap())
    }

    #[tokio::test]
    async fn output_and_errors_come_by_one_pipe_that_ends() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let (mut group, mut output) = Group::start(command).unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "out\nerr\n");
        assert_eq!(group.wait().await.unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn grandchildren_that_heed_no_signal_end_with_the_group() {
        let (mut group, grandchild) =
            start("sh -c 'trap \"\" INT; echo $$; exec >&- 2>&-; sleep 600; sleep 600' & wait")
                .await;
        group.interrupt();
        group.wait().await.unwrap();
        assert!(alive(grandchild));
        drop(group);
        assert!(dies(grandchild).await);
    }

    #[tokio::test]
    async fn the_guard_kills_the_group_when_its_input_ends() {
        let (mut group, pid) = start("echo $$; exec >&- 2>&-; sleep 600; sleep 600").await;
        // What the kernel does when we are killed: our end of the guard's input is closed.
        drop(group.guard.take().map(|(_child, stdin)| stdin));
        assert!(dies(pid).await);
        let status = group.wait().await.unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(9)
        );
    }
}
