//! SSH connections to an engine's machine, by the system's own `ssh`: its configuration,
//! keys and agents are the user's business, and stay so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{ChildStdin, Command};

use super::EngineError;
use super::endpoint::SshTarget;

/// The longest that making a connection may take, key exchange and all.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `ssh` prints when the connection stands. A macro, for `concat!`.
macro_rules! ready_word {
    () => {
        "kcluster-ready"
    };
}

/// Runs a command for as long as standard input is open: should the process at its other
/// end be killed, the pipe closes, and the command is ended. It would not end of itself,
/// as `ssh` waits for forwarded connections that the far side keeps open. The folder that
/// is its name goes too.
const KEEPER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
exec >/dev/null 2>&1
cat <&3
kill $!
rm -rf -- "$0"
"#;

/// Options of an `ssh` to `target` that never asks questions, runs nothing over there, and
/// fails if it cannot forward `forward`. It prints a word once the forward stands, for
/// [`ready`] to read.
pub(super) fn arguments(target: &SshTarget, forward: &str) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-N".into(), "-T".into()];
    if let Some(config) = &target.config {
        arguments.extend(["-F".into(), config.into()]);
    }
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=15",
        "ExitOnForwardFailure=yes",
        "ServerAliveInterval=15",
        // A shared connection would forward in another process, and for longer.
        "ControlMaster=no",
        "ControlPath=none",
        // Runs on this side, after the forward was made.
        "PermitLocalCommand=yes",
        concat!("LocalCommand=echo ", ready_word!()),
    ] {
        arguments.extend(["-o".into(), option.into()]);
    }
    if let Some(port) = target.port {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    // After `--` nothing is an option, whatever it looks like.
    arguments.extend([
        "-L".into(),
        forward.into(),
        "--".into(),
        destination(target).into(),
    ]);
    arguments
}

fn destination(target: &SshTarget) -> String {
    match &target.user {
        Some(user) => format!("{user}@{}", target.host),
        None => target.host.clone(),
    }
}

pub(super) fn unreachable(target: &SshTarget, reason: &str, log: &Path) -> EngineError {
    let said = last_lines(log);
    EngineError::Unreachable {
        endpoint: target.to_string(),
        reason: if said.is_empty() {
            reason.to_owned()
        } else {
            format!("{reason}: {said}")
        },
    }
}

/// The last few lines of what `ssh` said.
fn last_lines(log: &Path) -> String {
    let text = fs_err::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

/// Reads until the connection stands.
pub(super) async fn ready(output: impl AsyncRead + Unpin) -> Result<(), &'static str> {
    let mut lines = BufReader::new(output).lines();
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.trim() == ready_word!() {
                return Ok(());
            }
        }
        Err("ssh could not connect or forward")
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .unwrap_or(Err("ssh took too long to connect"))
}

/// A connection that makes the far engine's socket appear as a local one, for as long as
/// this value, or the process that has it, lives.
pub(super) struct Session {
    target: SshTarget,
    socket: PathBuf,
    log: PathBuf,
    _open: ChildStdin,
    _folder: TempDir,
}

impl Session {
    pub(super) async fn open(target: &SshTarget) -> Result<Self, EngineError> {
        let failed = |reason: std::io::Error| EngineError::Failed {
            operation: format!("start ssh for {target}"),
            reason: reason.to_string(),
        };
        let folder = tempfile::Builder::new()
            .prefix("kcluster-ssh-")
            .tempdir()
            .map_err(failed)?;
        let socket = folder.path().join("engine.sock");
        let log = folder.path().join("ssh.log");
        let errors = fs_err::File::create(&log).map_err(failed)?;
        let forward = format!("{}:{}", socket.display(), target.socket.display());
        let mut child = Command::new("sh")
            .args(["-c", KEEPER])
            .arg(folder.path())
            .arg("ssh")
            .args(arguments(target, &forward))
            // Ctrl-C is for this process, which still needs the connection to clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.into_parts().0)
            .spawn()
            .map_err(failed)?;
        let (Some(open), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(std::io::Error::other("it has no pipes")));
        };
        if let Err(reason) = ready(stdout).await {
            let error = unreachable(target, reason, &log);
            drop(open);
            let _ = child.wait().await;
            return Err(error);
        }
        Ok(Self {
            target: target.clone(),
            socket,
            log,
            _open: open,
            _folder: folder,
        })
    }

    /// The engine's socket, on this side.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Why no engine answered through a connection that stands.
    pub(super) fn explain(&self, error: EngineError) -> EngineError {
        let EngineError::Unreachable { reason, .. } = error else {
            return error;
        };
        let socket = self.target.socket.display();
        unreachable(
            &self.target,
            &format!(
                "{reason}, through ssh to {socket}, which the user there must be allowed to use"
            ),
            &self.log,
        )
    }
}
