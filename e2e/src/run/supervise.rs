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
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Cluster, RunRequest, told_after};
use crate::collect::{Failed, collect};
use crate::error::E2eError;
use crate::follow::{Follower, Progress, Tally};
use crate::health::Lost;
use crate::process::Group;
use crate::verdict::End;

/// After ginkgo ended, its last output is there at once, unless a process it left holds the pipe.
const UNTIL_DRAINED: Duration = Duration::from_secs(3);

/// After ginkgo ended, what failed last is still read for so long; after an interrupt only deleted.
const UNTIL_COLLECTED: Duration = Duration::from_secs(60);

/// What one run of ginkgo has to do with.
pub(super) struct Scene<'a> {
    /// What is asked for.
    pub(super) request: &'a RunRequest,
    /// Where reports go.
    pub(super) folder: &'a Utf8Path,
    /// Where output goes.
    pub(super) log: &'a Utf8Path,
    /// Whether the log begins anew.
    pub(super) first: bool,
    /// The cluster.
    pub(super) cluster: Cluster<'a>,
}

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
    /// What was in the namespaces of specs that failed, in short, by the specs' names.
    pub(super) excerpts: HashMap<String, String>,
}

/// Runs `command` to its end.
pub(super) async fn supervise(
    command: Command,
    scene: &Scene<'_>,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Supervised, E2eError> {
    let (request, log, cluster) = (scene.request, scene.log, scene.cluster);
    let cannot_log = || E2eError::io(format!("cannot write {log}; is the disk full?"));
    let mut options = fs_err::OpenOptions::new();
    let options = options.create(true).write(true);
    let file = options.truncate(scene.first).append(!scene.first);
    let file = file.open(log).map_err(cannot_log())?;
    let mut file = std::io::BufWriter::new(file);
    let (mut group, output) = Group::start(command)?;
    let mut output = BufReader::new(output);
    let (failed, failures) = unbounded_channel();
    let mut scribe = Scribe::new(request, sink, failed);

    let lost = cluster.kubectl.lost(cluster.before, request.patience);
    let collected = collect(cluster.kubectl, scene.folder, failures, cancel);
    tokio::pin!(lost, collected);
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
            lost = &mut lost, if stopped.is_none() => match lost {
                Lost::ApiServer(detail) => End::ApiServerLost { detail },
                Lost::Nodes(nodes) => End::NodesLost { nodes },
            },
            // Ends only when the scribe does; until then it works beside the others.
            _ = &mut collected => continue,
            () = at(scribe.deadline()), if stopped.is_none() => {
                End::SpecsTimedOut { specs: scribe.overdue() }
            }
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
    let mut supervised = scribe.finish(stopped, status.to_string());
    match tokio::time::timeout(UNTIL_COLLECTED, collected).await {
        Ok(excerpts) => supervised.excerpts = excerpts,
        Err(_) => sink.warn(&"what the last failures left could not be read in time"),
    }
    Ok(supervised)
}

/// At that time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// A spec that is known to run.
struct Running {
    process: usize,
    deadline: Option<Instant>,
}

/// Turns lines into events and keeps what the verdict needs.
struct Scribe<'a> {
    follower: Follower,
    sink: &'a dyn Sink,
    running: HashMap<String, Running>,
    failed: UnboundedSender<Failed>,
    /// The longest a spec may take, and how long it has run when it is first heard of.
    limit: Option<(Duration, Duration)>,
    live: Vec<Case>,
    tally: Option<Tally>,
    last_lines: VecDeque<String>,
    listed: usize,
}

impl<'a> Scribe<'a> {
    fn new(request: &RunRequest, sink: &'a dyn Sink, failed: UnboundedSender<Failed>) -> Self {
        // A single process tells of each spec when it begins, several only of those that take long.
        let heard_after = match request.processes {
            0 | 1 => Duration::ZERO,
            _ => told_after(request),
        };
        Self {
            failed,
            limit: request.spec_timeout.map(|limit| (limit, heard_after)),
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
                if !self.running.contains_key(&name) {
                    let deadline = self
                        .limit
                        .map(|(limit, gone)| Instant::now() + limit.saturating_sub(gone));
                    let running = Running { process, deadline };
                    self.running.insert(name.clone(), running);
                    self.sink.emit(EventKind::SpecStarted { name, process });
                }
            }
            Progress::Finished(case) => {
                let running = self.running.remove(&case.name);
                let process = running.map_or(0, |running| running.process);
                if let Some(failed) = Failed::of(&case) {
                    // Fails only when nobody collects any more.
                    let _ = self.failed.send(failed);
                }
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

    /// When the next spec will have taken too long.
    fn deadline(&self) -> Option<Instant> {
        self.running.values().filter_map(|spec| spec.deadline).min()
    }

    /// Specs that have taken too long.
    fn overdue(&self) -> Vec<String> {
        let now = Instant::now();
        let late = |spec: &Running| spec.deadline.is_some_and(|deadline| deadline <= now);
        let running = self.running.iter().filter(|(_, spec)| late(spec));
        running.map(|(name, _)| name.clone()).collect()
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
            excerpts: HashMap::new(),
        }
    }
}
