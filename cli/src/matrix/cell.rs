//! One cell from its boot to its removal.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_cluster::{StateDir, down};
use kcluster_matrix::fnv::Fnv;
use kcluster_matrix::name::MAX_LEN;
use kcluster_matrix::outcome::Totals;
use kcluster_matrix::plan::{PlannedCell, SuiteSpec};
use kcluster_matrix::{CellId, ClusterName, Shard, Suite, exit};
use kcluster_reports::table;
use tokio_util::sync::CancellationToken;

use super::command::{self, Place, Task};
use super::state::Attempt;
use super::stations::Station;
use crate::commands::{e2e, up};
use crate::config::{Auto, Layer, Settings, layer_of};
use crate::context::Context;
use crate::error::{self, Told};
use crate::output::{Board, Hub, Printer, log};
use crate::{fold, interrupt, report};

/// A cell that is about to run.
pub(crate) struct Job<'a> {
    pub(crate) planned: &'a PlannedCell,
    /// Its suites by name.
    pub(crate) suites: Vec<(String, SuiteSpec)>,
    /// The part of their specs.
    pub(crate) shard: Option<Shard>,
    pub(crate) station: Station,
    /// Its own folder.
    pub(crate) folder: Utf8PathBuf,
    /// Processes for specs.
    pub(crate) processes: usize,
    pub(crate) cancel: CancellationToken,
}

/// The name of a cell's cluster: the same whenever the cell runs for the report in `folder`, and no other's.
pub(crate) fn name(folder: &Utf8Path, id: &CellId) -> anyhow::Result<ClusterName> {
    let mut hash = Fnv::default();
    for text in [folder.as_str(), id.as_str()] {
        hash.add(text.as_bytes());
        hash.add(&[0]);
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let readable: String = id
        .as_str()
        .to_lowercase()
        .chars()
        .filter(|c| plain(*c))
        .collect();
    let name = format!("m{hash}-{readable}");
    let name: String = name.chars().take(MAX_LEN).collect();
    Ok(name.trim_end_matches('-').parse()?)
}

/// The settings of a cell's cluster.
fn settings(context: &Context, job: &Job<'_>, name: ClusterName) -> anyhow::Result<Settings> {
    let planned = job.planned;
    let own = layer_of(&planned.settings).map_err(Told::input)?;
    let fixed = Layer {
        name: Some(name),
        kubernetes: Some(kcluster_matrix::VersionRequest::Exact(
            planned.cell.kubernetes.clone(),
        )),
        arch: Some(Auto::Is(planned.cell.arch)),
        emulation: Some(Auto::Is(planned.cell.emulation)),
        cni: Some(planned.cell.cni),
        nodes: Some(planned.workers),
        variant: Some(Auto::Is(planned.cell.variant.clone())),
        engine: Some(Auto::Is(job.station.endpoint.clone())),
        ..Layer::default()
    };
    let mut settings = context.settings.clone().with(own).with(fixed);
    if settings.processes.given().is_none() {
        settings.processes =
            std::num::NonZeroUsize::new(job.processes).map_or(Auto::Auto, Auto::Is);
    }
    Ok(settings)
}

/// Runs it; the answer is how it ended, and its report lies in its folder.
pub(crate) async fn run(context: &Context, board: &Board, job: &Job<'_>) -> Attempt {
    let clock = Instant::now();
    let mut suites = Vec::new();
    let mut ended = attempt(context, board, job, &mut suites).await;
    if let Err(error) = &ended
        && interrupted(error).is_none()
    {
        // What broke outside of boot and suites must be in the report too.
        suites.push(errored(job, "cell", error));
        ended = Ok(());
    }
    for suite in &mut suites {
        let engine = ("engine".to_owned(), job.station.endpoint.clone());
        suite.properties.push(engine);
        suite.properties.extend(job.planned.settings.clone());
    }
    let written = report::write(&job.folder, &suites);
    let ended = ended.and(written);
    let totals = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
    let specs = suites.iter().filter(|suite| suite.phase != "boot");
    let specs = Totals::of(specs.flat_map(|suite| &suite.cases));
    let (code, told) = match ended {
        Err(error) => (error::code(&error), error::render(&error)),
        Ok(()) if totals.exit_code() == exit::PASSED => (
            exit::PASSED,
            format!("passed: {}", table::totals(&specs, clock.elapsed())),
        ),
        Ok(()) => {
            let bad = suites.iter().flat_map(|suite| &suite.cases);
            let first = bad
                .filter(|case| case.outcome.severity() >= 2)
                .map(|case| &case.name);
            let first = first.take(1).cloned().collect::<String>();
            let told = table::totals(&specs, clock.elapsed());
            (totals.exit_code(), format!("not passed: {told}; {first}"))
        }
    };
    Attempt {
        engine: job.station.endpoint.clone(),
        code,
        seconds: clock.elapsed().as_secs_f64(),
        told,
    }
}

/// Boots, runs the suites, removes. What was found so far is in `suites` also when it fails.
async fn attempt(
    context: &Context,
    board: &Board,
    job: &Job<'_>,
    suites: &mut Vec<Suite>,
) -> anyhow::Result<()> {
    fs_err::create_dir_all(&job.folder)?;
    let matrix = job
        .folder
        .parent()
        .and_then(Utf8Path::parent)
        .unwrap_or(&job.folder);
    let name = name(matrix, &job.planned.id)?;
    let base = Context {
        settings: settings(context, job, name)?,
        printer: Printer::to_file(&job.folder.join("log.txt"))?,
        cancel: job.cancel.clone(),
        ..context.clone()
    };
    remove(&base, job).await?;
    let phase = |what: &str| {
        let hub = Hub::default();
        hub.enter(job.planned.id.clone());
        hub.follow(log(&base.printer));
        hub.follow(board.reporter(&job.planned.id, what));
        Context {
            hub,
            ..base.clone()
        }
    };
    let booting = phase("boot");
    let (cluster, events) = up::cluster(&booting).await;
    booting.hub.finish();
    let failure = cluster.as_ref().err().map(error::render);
    let boot = fold::with_failure(fold::boot_suite(&events, &report::host()), failure);
    suites.push(Suite {
        name: job.planned.id.to_string(),
        ..boot
    });
    if let Err(error) = cluster {
        // The report tells what failed; only an interruption has no verdict.
        return interrupted(&error).map_or(Ok(()), |told| Err(told.into()));
    }
    let tested = test(job, phase, suites).await;
    board.phase(&job.planned.id, "removal");
    let kept = base.settings.retain && (tested.is_err() || !passed(suites));
    let removed = if kept {
        Ok(())
    } else {
        remove(&base, job).await
    };
    tested.and(removed)
}

fn interrupted(error: &anyhow::Error) -> Option<Told> {
    (error::code(error) == exit::INTERRUPTED).then(Told::interrupted)
}

fn passed(suites: &[Suite]) -> bool {
    Totals::of(suites.iter().flat_map(|suite| &suite.cases)).exit_code() == exit::PASSED
}

/// Each suite, one after the other, in a folder of its own.
async fn test(
    job: &Job<'_>,
    phase: impl Fn(&str) -> Context,
    suites: &mut Vec<Suite>,
) -> anyhow::Result<()> {
    for (name, suite) in &job.suites {
        if job.cancel.is_cancelled() {
            return Err(Told::interrupted().into());
        }
        let mut context = phase(name);
        let out = job.folder.join(name);
        if suite.run.is_empty() {
            context.settings.report_dir = Auto::Is(out.clone());
            let (args, which) = e2e::Args::of_suite(suite, job.shard);
            let cancel = context.cancel.clone();
            let ran = interrupt::or_interrupted(args.specs(context, which).await, &cancel);
            match ran {
                Err(error) => suites.push(broken(job, name, &error)?),
                Ok(_) => suites.extend(of_suite(&out, name)?),
            }
            continue;
        }
        fs_err::create_dir_all(&out)?;
        let place = Place {
            cell: job.planned.id.as_str(),
            settings: &context.settings,
            endpoint: &job.station.endpoint,
            folder: &context.host.folder,
        };
        let task = Task {
            suite: name,
            argv: &suite.run,
            kubernetes: job.planned.cell.kubernetes.to_string(),
            arch: job.planned.cell.arch.to_string(),
            log: Some(&out.join("output.log")),
        };
        match command::run(&place, &task, &job.cancel).await {
            Err(error) => suites.push(broken(job, name, &error)?),
            Ok(ran) => suites.push(ran),
        }
        context.hub.finish();
    }
    Ok(())
}

/// The report of a suite of specs, under the suite's own name.
fn of_suite(out: &Utf8Path, name: &str) -> anyhow::Result<Vec<Suite>> {
    let read = report::read(out)?.suites;
    let specs = read.into_iter().filter(|suite| suite.phase != "boot");
    Ok(specs
        .map(|mut suite| {
            if !name.starts_with("conformance") {
                suite.phase = suite.phase.replacen("conformance", name, 1);
            }
            suite
        })
        .collect())
}

/// A suite that could not be run; an interruption is no verdict.
fn broken(job: &Job<'_>, name: &str, error: &anyhow::Error) -> anyhow::Result<Suite> {
    match interrupted(error) {
        Some(told) => Err(told.into()),
        None => Ok(errored(job, name, error)),
    }
}

/// A suite whose only case is what went wrong.
fn errored(job: &Job<'_>, name: &str, error: &anyhow::Error) -> Suite {
    let suite = fold::boot_suite(&[], &report::host());
    let mut suite = fold::with_failure(suite, Some(error::render(error)));
    suite.name = job.planned.id.to_string();
    name.clone_into(&mut suite.phase);
    for case in &mut suite.cases {
        name.clone_into(&mut case.name);
        name.clone_into(&mut case.class);
    }
    suite
}

/// Removes the cell's cluster, if there is one.
async fn remove(context: &Context, job: &Job<'_>) -> anyhow::Result<()> {
    let state = StateDir::new(&context.settings.state_dir);
    let hub = Hub::default();
    down(
        job.station.engine.as_ref(),
        &context.settings.name,
        &state,
        &hub,
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_short_and_differ_by_folder_and_cell() {
        let id = |text: &str| -> CellId { serde_json::from_str(&format!("\"{text}\"")).unwrap() };
        let one = name("/out".into(), &id("v1.36.3-bridge-amd64")).unwrap();
        assert!(one.as_str().ends_with("-v1363-bridge-amd64"), "{one}");
        assert_eq!(
            one,
            name("/out".into(), &id("v1.36.3-bridge-amd64")).unwrap()
        );
        let long = format!("v1.36.3-bridge-amd64-{}", "x-".repeat(30));
        let others = [
            name("/other".into(), &id("v1.36.3-bridge-amd64")).unwrap(),
            name("/out".into(), &id("v1.36.3-bridge-arm64")).unwrap(),
            name("/out".into(), &id(&long)).unwrap(),
        ];
        assert!(!others.contains(&one));
    }
}
