//! Other processes that work for a search, and those that an earlier one left.

use std::ffi::OsString;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// In the environment of all that works for a search: its folder. What still has it when a search is taken up again
/// was left by one that was killed.
const MARK: &str = "KCLUSTER_BISECT";

/// What an earlier search's own environment must not change.
const OURS: &str = "KCLUSTER_";

/// How long a process may take to end in order.
const GRACE: Duration = Duration::from_secs(60);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// By itself.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// We stopped it.
    Stopped,
}

/// What to run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) words: Vec<OsString>,
    pub(super) folder: Utf8PathBuf,
    pub(super) environment: Vec<(&'static str, String)>,
    /// What it prints is added to this file.
    pub(super) log: Utf8PathBuf,
    /// The search's folder.
    pub(super) search: Utf8PathBuf,
    /// Whether it gives way to others.
    pub(super) low: bool,
}

/// A process and its children, which are killed when this is dropped.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Job {
    fn start(&self) -> anyhow::Result<Running> {
        let log = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?
            .into_parts()
            .0;
        let mut words = self.words.iter();
        let program = words.next().map(OsString::as_os_str).unwrap_or_default();
        let mut command = match self.low {
            true => {
                let mut nice = Command::new("nice");
                nice.args(["-n", "10"]).arg(program);
                nice
            }
            false => Command::new(program),
        };
        command
            .args(words)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            let ours = name.to_str().is_some_and(|name| name.starts_with(OURS));
            if ours && name != "KCLUSTER_LOG" {
                command.env_remove(name);
            }
        }
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        let child = command.env(MARK, &self.search).spawn().map_err(|error| {
            let shown = program.to_string_lossy();
            std::io::Error::new(error.kind(), format!("failed to start `{shown}`: {error}"))
        })?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Running { child, group })
    }

    /// Runs it to its end, or until `stop`.
    pub(super) async fn run(&self, stop: &CancellationToken) -> anyhow::Result<Ended> {
        self.start()?.wait(stop).await
    }

    /// The last lines of what it printed.
    pub(super) fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines).unwrap_or_default()
    }
}

impl Running {
    async fn wait(mut self, stop: &CancellationToken) -> anyhow::Result<Ended> {
        let status = tokio::select! {
            status = self.child.wait() => status?,
            () = stop.cancelled() => {
                self.end().await;
                return Ok(Ended::Stopped);
            }
        };
        self.group = None;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or_default()),
        })
    }

    /// Asks it to end, and makes it.
    async fn end(&mut self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, self.child.wait())
            .await
            .is_err()
        {
            self.signal(Signal::KILL);
            // It cannot refuse.
            let _ = self.child.wait().await;
        }
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // Gone already is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Kills what an earlier process of this search left running, and says how many there were.
pub(super) fn end_leftovers(search: &Utf8Path) -> anyhow::Result<usize> {
    let mark = format!("{MARK}={search}");
    let mut ended = std::collections::BTreeSet::new();
    loop {
        let mut found = false;
        for entry in fs_err::read_dir("/proc")?.flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.parse::<i32>().ok());
            let Some(pid) = pid.filter(|pid| u32::try_from(*pid) != Ok(std::process::id())) else {
                continue;
            };
            // Others' processes cannot be read; one that is over has no environment any more.
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let marked = environment
                .split(|byte| *byte == 0)
                .any(|one| one == mark.as_bytes());
            if let Some(pid) = Pid::from_raw(pid).filter(|_| marked) {
                found = true;
                ended.insert(pid.as_raw_nonzero());
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        // What was just forked is found in the next round.
        if !found {
            return Ok(ended.len());
        }
    }
}

/// The last lines of a file.
fn tail(path: &Utf8Path, lines: usize) -> anyhow::Result<String> {
    const MOST: u64 = 64 << 10;
    let mut file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    let first = all.len().saturating_sub(lines);
    Ok(all.get(first..).unwrap_or_default().join("\n"))
}
