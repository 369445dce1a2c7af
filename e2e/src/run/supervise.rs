//! One run of ginkgo from start to end: its output is logged and followed, and it is stopped when
//! it must be.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::io::Write;
use std::time::Duration;

use camino::Utf8Path;
use kcluster_matrix::event::{EventKind, Sink};
use kcluster_matrix::outcome::Case;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::RunRequest;
use crate::error::E2eError;
use crate::follow::{Follower, Progress, Tally};
use crate::health::Kubectl;
use crate::process::Group;
use crate::verdict::End;

/// After ginkgo ended, its last output is there at once, unless a process it left holds the pipe.
const UNTIL_DRAINED: Duration = Duration::from_secs(3);

/// What one run of ginkgo left.
#[derive(Debug)]
pub(super) struct Supervised {
    /// Why it was stopped, if it was.
    pub(super) stopped: Option<End>,
    /// Its exit status.
    pub(super) status: String,
    /// Its last lines.
    pub(super) last_lines: String,
    /// Specs that ended, as they did.
    pub(super) live: Vec<Case>,
    /// Its closing count.
    pub(super) tally: Option<Tally>,
}

/// Runs `command` to its end.
pub(super) async fn supervise(
    command: Command,
    request: &RunRequest,
    log: &Utf8Path,
    kubectl: Kubectl<'_>,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Supervised, E2eError> {
    let cannot_log = || E2eError::io(format!("cannot write {log}; is the disk full?"));
    let file = fs_err::File::create(log).map_err(cannot_log())?;
    let mut file = std::io::BufWriter::new(file);
    let (mut group, output) = Group::start(command)?;
    let mut output = BufReader::new(output);
    let mut scribe = Scribe::new(request, sink);

    let lost = kubectl.lost();
    tokio::pin!(lost);
    // Ginkgo ends by its own limit first, so that its report says so; we end it if it does not.
    let backstop = Instant::now() + request.timeout + request.grace * 6;
    let mut stopped: Option<End> = None;
    let mut kill_at: Option<Instant> = None;
    let mut status = None;
    let mut line = Vec::new();
    loop {
        let stop = tokio::select! {
            // Partly read lines stay in `line` when another branch wins.
            read = output.read_until(b'\n', &mut line) => {
                let count = read.map_err(E2eError::io("cannot read the output of ginkgo"))?;
                file.write_all(&line).map_err(cannot_log())?;
                scribe.line(&line);
                line.clear();
                if count == 0 {
                    break;
                }
                if output.buffer().is_empty() {
                    // Nothing more for now: let those who watch the file see it.
                    file.flush().map_err(cannot_log())?;
                }
                continue;
            }
            () = cancel.cancelled(), if stopped.is_none() => End::Cancelled,
            detail = &mut lost, if stopped.is_none() => End::ApiServerLost { detail },
            () = sleep_until(backstop), if stopped.is_none() => End::TimedOut,
            ended = group.wait(), if status.is_none() => {
                status = Some(ended.map_err(E2eError::io("cannot wait for ginkgo"))?);
                kill_at = Some(Instant::now() + UNTIL_DRAINED);
                continue;
            }
            () = at(kill_at) => {
                group.kill();
                kill_at = None;
                if status.is_some() {
                    break;
                }
                continue;
            }
        };
        tracing::info!(?stop, "interrupting ginkgo");
        group.interrupt();
        kill_at = Some(Instant::now() + request.grace * 3);
        stopped = Some(stop);
    }
    file.flush().map_err(cannot_log())?;
    let status = match status {
        Some(status) => status,
        None => group
            .wait()
            .await
            .map_err(E2eError::io("cannot wait for ginkgo"))?,
    };
    Ok(scribe.finish(stopped, status.to_string()))
}

/// At that time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// Turns lines into events and keeps what the verdict needs.
struct Scribe<'a> {
    follower: Follower,
    sink: &'a dyn Sink,
    running: HashMap<String, usize>,
    live: Vec<Case>,
    tally: Option<Tally>,
    last_lines: VecDeque<String>,
    listed: usize,
}

impl<'a> Scribe<'a> {
    fn new(request: &RunRequest, sink: &'a dyn Sink) -> Self {
        Self {
            follower: Follower::new(&request.list),
            sink,
            running: HashMap::new(),
            live: Vec::new(),
            tally: None,
            last_lines: VecDeque::new(),
            listed: request.list.len(),
        }
    }

    fn line(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            self.last_lines.push_back(text.trim().to_owned());
            if self.last_lines.len() > 5 {
                self.last_lines.pop_front();
            }
        }
        for progress in self.follower.line(text) {
            self.progress(progress);
        }
    }

    fn progress(&mut self, progress: Progress) {
        match progress {
            Progress::Announced { specs } if specs != self.listed => self.sink.warn(&format_args!(
                "ginkgo is about to run {specs} specs, the list has {}; the difference will be in the verdicts",
                self.listed
            )),
            Progress::Announced { .. } => {}
            Progress::Running { name, process } => {
                if self.running.insert(name.clone(), process).is_none() {
                    self.sink.emit(EventKind::SpecStarted { name, process });
                }
            }
            Progress::Finished(case) => {
                let process = self.running.remove(&case.name).unwrap_or(0);
                self.live.push(case.clone());
                self.sink.emit(EventKind::SpecFinished { case, process });
            }
            // The other processes only repeat what the first one met.
            Progress::SuiteNodeFailed { message, .. } if message.contains("Ginkgo parallel process #1") => {}
            Progress::SuiteNodeFailed { node, message } => {
                let first = message.lines().next().unwrap_or("no reason given");
                self.sink.warn(&format_args!("{node} failed: {first}; see e2e.log"));
            }
            Progress::Summary(tally) => self.tally = Some(tally),
        }
    }

    fn finish(mut self, stopped: Option<End>, status: String) -> Supervised {
        if let Some(progress) = self.follower.end() {
            self.progress(progress);
        }
        Supervised {
            stopped,
            status,
            last_lines: Vec::from(self.last_lines).join(" / "),
            live: self.live,
            tally: self.tally,
        }
    }
}
