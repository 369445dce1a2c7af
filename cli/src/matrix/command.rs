//! A suite that is a command: it runs beside the cluster, which its environment describes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use camino::Utf8Path;
use jiff::Timestamp;
use kcluster_matrix::{Case, Outcome, Suite};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::error::Told;
use crate::report;

/// How much of its output a failure shows.
const LINES: usize = 20;

/// How long an interrupted command may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Where it runs.
pub(crate) struct Place<'a> {
    /// The cell's name in reports.
    pub(crate) cell: &'a str,
    /// Settings whose cluster it is for.
    pub(crate) settings: &'a Settings,
    /// The engine the cluster is on.
    pub(crate) endpoint: &'a str,
    /// The folder it is called in.
    pub(crate) folder: &'a Utf8Path,
}

impl Place<'_> {
    /// What the command finds in its environment: the same variables that kcluster reads, so that `cargo kcluster`
    /// in it means this cluster.
    fn environment(&self, kubernetes: &str, arch: &str) -> Vec<(&'static str, String)> {
        let settings = self.settings;
        vec![
            ("KUBECONFIG", settings.kubeconfig().into_string()),
            ("KCLUSTER_NAME", settings.name.to_string()),
            ("KCLUSTER_STATE_DIR", settings.state_dir.to_string()),
            ("KCLUSTER_ENGINE", self.endpoint.to_owned()),
            ("KCLUSTER_CELL", self.cell.to_owned()),
            ("KCLUSTER_KUBERNETES", kubernetes.to_owned()),
            ("KCLUSTER_CNI", settings.cni.to_string()),
            ("KCLUSTER_ARCH", arch.to_owned()),
            ("KCLUSTER_NODES", settings.nodes.to_string()),
        ]
    }
}

/// What to run: the suite's name, the command, and the cell it describes.
pub(crate) struct Task<'a> {
    pub(crate) suite: &'a str,
    pub(crate) argv: &'a [String],
    pub(crate) kubernetes: String,
    pub(crate) arch: String,
    /// Where its output goes; without, it is shown.
    pub(crate) log: Option<&'a Utf8Path>,
}

/// Runs the command to its end and judges it.
pub(crate) async fn run(
    place: &Place<'_>,
    task: &Task<'_>,
    cancel: &CancellationToken,
) -> anyhow::Result<Suite> {
    let (program, args) = task
        .argv
        .split_first()
        .ok_or_else(|| Told::input(format!("suite `{}` has no command", task.suite)))?;
    let (started, clock) = (Timestamp::now(), Instant::now());
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(place.environment(&task.kubernetes, &task.arch))
        .current_dir(place.folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(log) = task.log {
        let log = fs_err::File::create(log)?.into_parts().0;
        command.stdout(log.try_clone()?).stderr(log);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("failed to start `{program}`"))
        .map_err(|error| Told::input(format!("{error:#}")))?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = cancel.cancelled() => {
            end(&mut child).await;
            return Err(Told::interrupted().into());
        }
    };
    // It may print anything.
    let output = match task.log {
        Some(log) => String::from_utf8_lossy(&fs_err::read(log)?).into_owned(),
        None => String::new(),
    };
    let outcome = if status.success() {
        Outcome::Passed
    } else {
        let tail = last_lines(&output, LINES);
        Outcome::Failed {
            message: format!("{status}: {}\n{tail}", task.argv.join(" ")),
        }
    };
    Ok(Suite {
        name: place.cell.to_owned(),
        phase: task.suite.to_owned(),
        host: report::host(),
        started,
        properties: Vec::new(),
        cases: vec![Case {
            name: task.argv.join(" "),
            class: task.suite.to_owned(),
            took: clock.elapsed(),
            outcome,
            attempts: 1,
            output,
        }],
    })
}

/// The last of what it printed.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Asks the child to end, and ends it if it does not.
async fn end(child: &mut tokio::process::Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
