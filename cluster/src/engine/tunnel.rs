//! A local port that leads to an API server on an engine's machine, by an `ssh` that
//! outlives this process: the kubeconfig must work after `up` has ended.
//!
//! Its process id and port belong into the cluster's state; [`close`] ends it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::EngineError;
use super::endpoint::SshTarget;
use super::ssh;

/// Ports tried: another process may take a free one before `ssh` does.
const TRIES: usize = 3;

/// How long an `ssh` may take to end when asked.
const GRACE: Timespec = Timespec {
    tv_sec: 3,
    tv_nsec: 0,
};

/// A tunnel that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The `ssh` that holds it.
    pub pid: i32,
    /// Its port on this machine's loopback.
    pub port: u16,
}

/// Opens a tunnel to `remote_port` on the loopback of `target`. What its `ssh` says goes
/// to the file `log`.
///
/// # Errors
/// When `ssh` cannot be started, connect or forward.
pub async fn open(target: &SshTarget, remote_port: u16, log: &Path) -> Result<Tunnel, EngineError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(target, remote_port, log).await {
            Err(EngineError::Unreachable { reason, .. })
                if tries < TRIES && reason.contains("Address already in use") => {}
            result => return result,
        }
    }
}

async fn attempt(target: &SshTarget, remote_port: u16, log: &Path) -> Result<Tunnel, EngineError> {
    let failed = |reason: std::io::Error| EngineError::Failed {
        operation: format!("open a tunnel to port {remote_port} of {target}"),
        reason: reason.to_string(),
    };
    let port = free_port().map_err(failed)?;
    let errors = fs_err::File::create(log).map_err(failed)?;
    let mut child = Command::new("ssh")
        .args(ssh::arguments(target, &forward(port, remote_port)))
        // Ctrl-C is not for it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors.into_parts().0)
        .spawn()
        .map_err(failed)?;
    let (Some(pid), Some(stdout)) = (child.id(), child.stdout.take()) else {
        return Err(failed(std::io::Error::other("ssh ended at once")));
    };
    if let Err(reason) = ssh::ready(stdout).await {
        let _ = child.start_kill();
        let _ = child.wait().await;
        return Err(ssh::unreachable(target, reason, log));
    }
    let pid = i32::try_from(pid).map_err(|error| failed(std::io::Error::other(error)))?;
    // Dropped, not killed: the runtime reaps it if it ends while this process lives.
    Ok(Tunnel { pid, port })
}

fn forward(port: u16, remote_port: u16) -> String {
    format!("127.0.0.1:{port}:127.0.0.1:{remote_port}")
}

fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Whether the tunnel's `ssh` still runs.
#[must_use]
pub fn is_open(tunnel: Tunnel) -> bool {
    Pid::from_raw(tunnel.pid).is_some() && is_ours(tunnel)
}

/// Ends the tunnel's `ssh`; one that is gone already is no error.
///
/// # Errors
/// When it does not end.
pub async fn close(tunnel: Tunnel) -> Result<(), EngineError> {
    tokio::task::spawn_blocking(move || end(tunnel))
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .map_err(|error| EngineError::Failed {
            operation: format!("end the ssh tunnel on port {}", tunnel.port),
            reason: format!("{error}; its process id is {}", tunnel.pid),
        })
}

fn end(tunnel: Tunnel) -> std::io::Result<()> {
    let Some(pid) = Pid::from_raw(tunnel.pid) else {
        return Ok(());
    };
    // The handle keeps the id from meaning another process while this looks and signals.
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(());
    };
    if !is_ours(tunnel) {
        return Ok(());
    }
    for signal in [Signal::TERM, Signal::KILL] {
        match pidfd_send_signal(&handle, signal) {
            Ok(()) => {}
            Err(rustix::io::Errno::SRCH) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut watched = [PollFd::new(&handle, PollFlags::IN)];
        if poll(&mut watched, Some(&GRACE))? > 0 {
            return Ok(());
        }
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("it survived {:?}", Duration::from_secs(6)),
    ))
}

/// Process ids are used again: ours is an ssh that forwards our port.
fn is_ours(tunnel: Tunnel) -> bool {
    let Ok(line) = fs_err::read(format!("/proc/{}/cmdline", tunnel.pid)) else {
        return false;
    };
    let begins = format!("127.0.0.1:{}:127.0.0.1:", tunnel.port);
    let mut words = line.split(|byte| *byte == 0);
    words
        .next()
        .is_some_and(|program| program.ends_with(b"ssh"))
        && words.any(|word| word.starts_with(begins.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_the_tunnel_is_left_alone() {
        let mut bystander = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let pid = i32::try_from(bystander.id()).unwrap();
        let tunnel = Tunnel { pid, port: 1 };
        assert!(!is_open(tunnel));
        close(tunnel).await.unwrap();
        assert!(bystander.try_wait().unwrap().is_none(), "it was ended");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
        close(tunnel).await.unwrap();
    }
}
