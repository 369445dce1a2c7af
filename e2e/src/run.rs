//! Runs the listed specs through ginkgo, follows them, and judges.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use kcluster_matrix::event::{EventKind, Sink};
use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::error::E2eError;
use crate::follow::Tally;
use crate::ginkgo::Report;
use crate::health::{Kubectl, Node, Patience, lost_nodes};
use crate::list::SpecList;
use crate::tools::{self, Tools};
use crate::verdict::{self, End, Evidence, Health};

mod legs;
mod supervise;

use supervise::Supervised;

/// Specs that run this long are named while they run, and again after as long.
const SLOW: Duration = Duration::from_secs(60);

/// A good [`RunRequest::grace`].
pub const GRACE: Duration = Duration::from_secs(10);

/// All that a run needs to know.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The programs.
    pub tools: Tools,
    /// The cluster.
    pub kubeconfig: Utf8PathBuf,
    /// What to run; see [`list`](crate::list::list).
    pub list: SpecList,
    /// Ginkgo processes; see [`capacity`](crate::capacity).
    pub processes: usize,
    /// The folder for logs and reports; made if it is not there.
    pub out: Utf8PathBuf,
    /// The time limit for the whole run.
    pub timeout: Duration,
    /// The time limit for each spec. Ginkgo cannot end a spec alone: one that takes longer ends all that run
    /// with it, which then run again without it.
    pub spec_timeout: Option<Duration>,
    /// How long the API server or a node may be away before the run is given up.
    pub patience: Patience,
    /// Time that a spec gets to clean up after an interrupt. Three times that after it, whatever
    /// still runs is killed.
    pub grace: Duration,
    /// Runs of a spec until it passes; 1 for no retry.
    pub attempts: u32,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Further arguments for `e2e.test`.
    pub extra_args: Vec<String>,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// One case for each listed spec, and one for each thing beside specs that went wrong.
    pub cases: Vec<Case>,
    /// How it ended.
    pub end: End,
    /// Ginkgo's own closing count, if it came to that.
    pub tally: Option<Tally>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Specs that should have run.
    pub listed: usize,
}

impl RunResult {
    /// The cases, counted.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::of(&self.cases)
    }

    /// The run as a suite for reports.
    #[must_use]
    pub fn suite(
        &self,
        name: &str,
        phase: &str,
        host: &str,
        properties: Vec<(String, String)>,
    ) -> Suite {
        Suite {
            name: name.to_owned(),
            phase: phase.to_owned(),
            host: host.to_owned(),
            started: self.started,
            properties,
            cases: self.cases.clone(),
        }
    }
}

/// Runs the specs of `request`, tells `sink`, and stops early when `cancel` is cancelled; what was
/// found until then is kept. Whatever happens after the first spec began is in the result's
/// verdicts, not an error.
///
/// Leaves in `out`: `list.txt`, `e2e.log`, `ginkgo/report.json` and `ginkgo/junit_01.xml`, and of specs that failed
/// what was in their namespaces, in `dump/specs`.
///
/// # Errors
/// When the folder cannot be written, ginkgo cannot be started, or the API server does not answer
/// before the first spec.
pub async fn run(
    request: &RunRequest,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<RunResult, E2eError> {
    let request = &absolute(request)?;
    let folder = prepare(request)?;
    let kubectl = Kubectl::new(&request.tools, &request.kubeconfig);
    // Without this, e2e.test itself would wait for half an hour.
    let before = kubectl
        .nodes()
        .await
        .map_err(|refused| E2eError::Unreachable {
            command: refused.command,
            said: refused.said,
        })?;
    sink.emit(EventKind::RunStarted {
        specs: request.list.len(),
        processes: request.processes,
    });
    let (started, clock) = (Timestamp::now(), tokio::time::Instant::now());
    let cluster = Cluster {
        kubectl,
        before: &before,
    };
    let whole = legs::run(request, &folder, cluster, sink, cancel).await?;
    Ok(RunResult {
        cases: whole.cases,
        end: whole.end,
        tally: whole.tally,
        started,
        took: clock.elapsed(),
        listed: request.list.len(),
    })
}

/// What comes of `list` when the run before it, `earlier`, left nothing to run on: no spec goes without
/// a verdict.
#[must_use]
pub fn not_run(list: &SpecList, earlier: &End) -> RunResult {
    let outcome = match earlier {
        End::Completed => Outcome::Skipped {
            reason: verdict::FAIL_FAST.to_owned(),
        },
        end => Outcome::Errored {
            message: format!("not run: {}", end.reason()),
        },
    };
    RunResult {
        cases: legs::blanks(list, &outcome),
        end: earlier.clone(),
        tally: None,
        started: Timestamp::now(),
        took: Duration::ZERO,
        listed: list.len(),
    }
}

/// The cluster, and how its nodes were before the first spec.
#[derive(Debug, Clone, Copy)]
struct Cluster<'a> {
    kubectl: Kubectl<'a>,
    before: &'a [Node],
}

/// What one run of ginkgo came to.
struct Leg {
    cases: Vec<Case>,
    end: End,
    tally: Option<Tally>,
}

/// Runs ginkgo once over the list of `request`. `first` is whether its log begins anew.
async fn leg(
    request: &RunRequest,
    folder: &Utf8Path,
    cluster: Cluster<'_>,
    first: bool,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Leg, E2eError> {
    let Cluster { kubectl, before } = cluster;
    let command = command(request, folder, before);
    let log = folder.join("e2e.log");
    tracing::info!(command = tools::pretty(&command), %log, "running specs");
    let scene = supervise::Scene {
        request,
        folder,
        log: &log,
        first,
        cluster,
    };
    let supervised = supervise::supervise(command, &scene, sink, cancel).await?;
    let report = read_report(folder, sink)?;
    let end = conclude(&supervised, report.as_ref());
    let health = health(kubectl, before, &end).await;
    let mut cases = verdict::judge(&Evidence {
        list: &request.list,
        report: report.as_ref(),
        live: &supervised.live,
        tally: supervised.tally,
        end: &end,
        health: &health,
        fail_fast: request.fail_fast,
    });
    for case in &mut cases {
        if let Some(excerpt) = supervised.excerpts.get(&case.name) {
            case.output.push_str(excerpt);
        }
    }
    if !matches!(end, End::SpecsTimedOut { .. }) {
        tell_the_rest(&cases, &supervised.live, report.as_ref(), sink);
    }
    Ok(Leg {
        cases,
        end,
        tally: supervised.tally,
    })
}

/// The request with absolute paths, since ginkgo changes its directory.
fn absolute(request: &RunRequest) -> Result<RunRequest, E2eError> {
    let mut request = request.clone();
    for path in [
        &mut request.tools.ginkgo,
        &mut request.tools.e2e_test,
        &mut request.tools.kubectl,
        &mut request.kubeconfig,
    ] {
        *path = camino::absolute_utf8(&*path)
            .map_err(E2eError::io(format!("cannot find the full path of {path}")))?;
    }
    Ok(request)
}

/// Makes the folders and the list; returns the folder by its full path.
fn prepare(request: &RunRequest) -> Result<Utf8PathBuf, E2eError> {
    let out = &request.out;
    let within = |what: &str| E2eError::io(format!("cannot write {what} in {out}"));
    fs_err::create_dir_all(out.join("ginkgo")).map_err(within("the report folder"))?;
    let folder = out
        .canonicalize_utf8()
        .map_err(within("the report folder"))?;
    // An older run's report must not be taken for this one's.
    for stale in ["ginkgo/report.json", "ginkgo/junit_01.xml"] {
        match fs_err::remove_file(folder.join(stale)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(within(stale)(error));
            }
            _ => {}
        }
    }
    fs_err::write(folder.join("list.txt"), request.list.to_text()).map_err(within("list.txt"))?;
    Ok(folder)
}

/// Ginkgo's command line.
fn command(request: &RunRequest, folder: &Utf8Path, nodes: &[Node]) -> Command {
    let seconds = |time: Duration| format!("{}s", time.as_secs().max(1));
    let reports = folder.join("ginkgo");
    let schedulable = nodes.iter().filter(|node| node.schedulable).count();
    let mut command = tools::command(&request.tools.ginkgo);
    command
        .args(["run", "-v", "--no-color", "--silence-skips", "--keep-going"])
        .arg(format!("--nodes={}", request.processes.max(1)))
        .arg(format!("--timeout={}", seconds(request.timeout)))
        .arg(format!("--grace-period={}", seconds(request.grace)))
        .arg(format!(
            "--poll-progress-after={}",
            seconds(told_after(request))
        ))
        .arg(format!("--poll-progress-interval={}", seconds(SLOW * 4)))
        .arg(format!("--output-dir={reports}"))
        .arg("--json-report=report.json")
        .args((request.attempts > 1).then(|| format!("--flake-attempts={}", request.attempts)))
        .args(request.fail_fast.then_some("--fail-fast"))
        .args(request.list.ginkgo_flags())
        .arg(&request.tools.e2e_test)
        .arg("--")
        .arg(format!("--kubeconfig={}", request.kubeconfig))
        .arg("--provider=skeleton")
        .arg(format!("--num-nodes={schedulable}"))
        .arg(non_blocking_taints(nodes))
        .arg(format!("--report-dir={reports}"))
        .arg(format!("--kubectl-path={}", request.tools.kubectl))
        .arg("--disable-log-dump")
        // What a failed spec leaves is read first, and then deleted by us: see `collect`.
        .arg("--delete-namespace-on-failure=false")
        .args(&request.extra_args)
        .current_dir(folder);
    command
}

/// e2e.test waits for half an hour until every node takes pods, but for nodes that these taints keep free.
fn non_blocking_taints(nodes: &[Node]) -> String {
    let by_kubeadm = std::iter::once("node-role.kubernetes.io/control-plane");
    let by_others = nodes.iter().flat_map(|node| &node.kept_free_by);
    let keys: BTreeSet<&str> = by_kubeadm.chain(by_others.map(String::as_str)).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    format!("--non-blocking-taints={}", keys.join(","))
}

/// When ginkgo says of a spec that it still runs: before that, nobody knows which spec runs.
fn told_after(request: &RunRequest) -> Duration {
    request.spec_timeout.map_or(SLOW, |limit| limit.min(SLOW))
}

fn read_report(folder: &Utf8Path, sink: &dyn Sink) -> Result<Option<Report>, E2eError> {
    let path = folder.join("ginkgo/report.json");
    let file = match fs_err::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(E2eError::io(format!("cannot read {path}"))(error)),
    };
    match Report::read(std::io::BufReader::new(file)) {
        Ok(report) => Ok(Some(report)),
        // Cut off: ginkgo was killed while it wrote. What was followed live is still good.
        Err(error) => {
            sink.warn(&format_args!(
                "cannot read {path}: {error}; going by e2e.log"
            ));
            Ok(None)
        }
    }
}

/// What ended the run: we ourselves, ginkgo's limit, or something else.
fn conclude(supervised: &Supervised, report: Option<&Report>) -> End {
    if let Some(end) = &supervised.stopped {
        return end.clone();
    }
    let Some(report) = report else {
        let detail = format!("{}: {}", supervised.status, supervised.last_lines);
        return End::Crashed { detail };
    };
    if report.timed_out() {
        return End::TimedOut;
    }
    match report.special_suite_failure_reasons.as_deref() {
        // Nobody here interrupted it.
        Some([reason, ..]) if reason.contains("Interrupted") => End::Crashed {
            detail: reason.clone(),
        },
        _ => End::Completed,
    }
}

async fn health(kubectl: Kubectl<'_>, before: &[Node], end: &End) -> Health {
    // An answer now says nothing about a server that was away for minutes.
    if let End::ApiServerLost { detail } = end {
        return Health {
            api_server: Some(detail.clone()),
            lost_nodes: Vec::new(),
        };
    }
    // Nor does a node that came back just now.
    if let End::NodesLost { nodes } = end {
        return Health {
            api_server: None,
            lost_nodes: nodes.clone(),
        };
    }
    match kubectl.nodes().await {
        Ok(after) => Health {
            api_server: None,
            lost_nodes: lost_nodes(before, &after),
        },
        Err(refused) => Health {
            api_server: Some(refused.said),
            lost_nodes: Vec::new(),
        },
    }
}

/// Emits what was not seen live, so that a reporter that folds events ends with the right counts.
fn tell_the_rest(cases: &[Case], live: &[Case], report: Option<&Report>, sink: &dyn Sink) {
    let told: HashSet<&str> = live.iter().map(|case| case.name.as_str()).collect();
    let processes: HashMap<String, usize> = report
        .map(|report| {
            report
                .specs()
                .map(|spec| (spec.name(), spec.parallel_process))
                .collect()
        })
        .unwrap_or_default();
    for case in cases
        .iter()
        .filter(|case| !told.contains(case.name.as_str()))
    {
        sink.emit(EventKind::SpecFinished {
            process: processes.get(&case.name).copied().unwrap_or(0),
            case: case.clone(),
        });
    }
}

#[cfg(test)]
mod tests;
