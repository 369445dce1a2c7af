//! Cells as they fit, to the last verdict.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use futures_util::future::{BoxFuture, FutureExt, LocalBoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kcluster_cluster::{StateDir, down};
use kcluster_matrix::outcome::Totals;
use kcluster_matrix::plan::{Plan, Schedule};
use kcluster_matrix::{CellId, Shard, Suite, exit};
use kcluster_reports::{merge, text};
use tokio_util::sync::CancellationToken;

use super::cell::{self, Job};
use super::history::History;
use super::planning;
use super::state::{Attempt, Begun, Ended, Folder, SCHEMA};
use super::stations::Station;
use crate::context::Context;
use crate::error::Told;
use crate::output::{Board, Hub};
use crate::{fold, report};

/// What is to be run.
pub(crate) struct Order {
    pub(crate) plan: Plan,
    /// Goes on with what an earlier run of the same plan left.
    pub(crate) resume: bool,
    /// The part of the suites' specs.
    pub(crate) spec_shard: Option<Shard>,
}

/// Runs the cells; the answer is the exit code.
pub(crate) async fn run(
    context: &Context,
    order: Order,
    stations: Vec<Station>,
) -> anyhow::Result<u8> {
    let out = folder(context);
    let folder = Folder::open(&out)?;
    let begun = Begun {
        schema: SCHEMA,
        plan: order.plan,
        spec_shard: order.spec_shard.map(|shard| shard.to_string()),
    };
    let before = prepare(context, &folder, &begun, order.resume, &stations).await?;
    let mut run = Run::new(
        context,
        folder,
        begun.plan,
        order.spec_shard,
        stations,
        before,
    );
    let clock = Instant::now();
    run.all().await;
    run.board.finish();
    run.conclude(clock.elapsed())
}

/// Where reports and state go.
fn folder(context: &Context) -> Utf8PathBuf {
    let settings = &context.settings;
    let given = settings.report_dir.given();
    given.map_or_else(
        || settings.state_dir.join("matrix"),
        |folder| context.host.folder.join(folder),
    )
}

/// Begins anew, or finds what has a verdict already; clusters that a killed run left are removed.
async fn prepare(
    context: &Context,
    folder: &Folder,
    begun: &Begun,
    resume: bool,
    stations: &[Station],
) -> anyhow::Result<BTreeMap<usize, Ended>> {
    let earlier = folder.begun();
    let mut before = BTreeMap::new();
    if resume {
        let Some(earlier) = &earlier else {
            let told = Told::input(format!("there is no run to resume in {}", folder.path));
            return Err(told.help("start one without --resume").into());
        };
        if !same(earlier, begun) {
            let told = Told::input(format!(
                "the run in {} was of another matrix, so it cannot be resumed",
                folder.path
            ));
            return Err(told
                .help("start anew without --resume, or undo the change")
                .into());
        }
        let cells = begun.plan.cells.iter().enumerate();
        before = cells
            .filter_map(|(index, cell)| Some((index, folder.ended(&cell.id)?)))
            .filter(|(_, ended)| ended.last().is_some())
            .collect();
    }
    if let Some(earlier) = earlier {
        for cell in &earlier.plan.cells {
            let begun = folder.cell(&cell.id).exists() && folder.ended(&cell.id).is_none();
            if begun {
                forget(context, folder, &cell.id, stations).await?;
            }
        }
    }
    if !resume {
        folder.begin(begun)?;
    }
    Ok(before)
}

/// Whether the same cells are to run: what they are expected to take may differ.
fn same(one: &Begun, other: &Begun) -> bool {
    let cells = |begun: &Begun| -> BTreeMap<CellId, _> {
        let own = |cell: &kcluster_matrix::plan::PlannedCell| {
            let what = (
                cell.cell.clone(),
                cell.workers,
                cell.settings.clone(),
                cell.suites.clone(),
            );
            (cell.id.clone(), what)
        };
        begun.plan.cells.iter().map(own).collect()
    };
    cells(one) == cells(other)
        && one.plan.suites == other.plan.suites
        && one.spec_shard == other.spec_shard
}

/// Removes what a run that was killed left of a cell, wherever it ran.
async fn forget(
    context: &Context,
    folder: &Folder,
    id: &CellId,
    stations: &[Station],
) -> anyhow::Result<()> {
    let name = cell::name(&folder.path, id)?;
    let state = StateDir::new(&context.settings.state_dir);
    for station in stations {
        down(station.engine.as_ref(), &name, &state, &Hub::default()).await?;
    }
    Ok(())
}

/// A run that goes on.
struct Run<'a> {
    context: &'a Context,
    folder: Folder,
    plan: Plan,
    spec_shard: Option<Shard>,
    stations: Vec<Station>,
    processes: usize,
    schedule: Schedule,
    /// Cells that have a verdict, and those that lost an engine.
    ended: BTreeMap<usize, Ended>,
    /// Cells that had a verdict when this run began.
    resumed: usize,
    stops: BTreeMap<usize, CancellationToken>,
    /// Engines that are lost, with the cells that ran on them and are still ending.
    lost: Vec<usize>,
    board: Board,
}

/// What the loop waits for.
enum News {
    /// A cell ended on a station.
    Ended(usize, usize, Attempt),
    /// A station does not answer any more.
    Lost(usize),
}

impl<'a> Run<'a> {
    fn new(
        context: &'a Context,
        folder: Folder,
        plan: Plan,
        spec_shard: Option<Shard>,
        stations: Vec<Station>,
        before: BTreeMap<usize, Ended>,
    ) -> Self {
        let carriers = stations.iter().map(Station::carrier).collect();
        let most = context
            .settings
            .cells_at_once
            .given()
            .map(|most| most.get());
        let mut schedule = Schedule::new(plan.demands(), carriers, most);
        before.keys().for_each(|cell| schedule.done(*cell));
        let processes = planning::processes(&context.settings, &stations);
        let board = Board::new(&context.printer, plan.cells.len(), before.len());
        Self {
            context,
            folder,
            plan,
            spec_shard,
            stations,
            processes,
            schedule,
            resumed: before.len(),
            ended: before,
            stops: BTreeMap::new(),
            lost: Vec::new(),
            board,
        }
    }

    /// Until nothing waits and nothing runs.
    async fn all(&mut self) {
        let mut cells: FuturesUnordered<LocalBoxFuture<'static, News>> = FuturesUnordered::new();
        let mut watches: FuturesUnordered<BoxFuture<'static, News>> = FuturesUnordered::new();
        for (index, station) in self.stations.clone().into_iter().enumerate() {
            watches.push(
                async move {
                    station.lost().await;
                    News::Lost(index)
                }
                .boxed(),
            );
        }
        loop {
            while !self.context.cancel.is_cancelled() {
                let Some((cell, station)) = self.schedule.start() else {
                    break;
                };
                cells.push(self.start(cell, station));
            }
            if cells.is_empty() {
                break;
            }
            let news = tokio::select! {
                Some(news) = cells.next() => news,
                Some(news) = watches.next() => news,
            };
            match news {
                News::Lost(station) => self.lose(station),
                News::Ended(cell, station, attempt) => self.end(cell, station, attempt).await,
            }
        }
        if !self.context.cancel.is_cancelled() {
            for cell in self.schedule.waiting().to_vec() {
                self.stranded(cell);
            }
        }
    }

    fn start(&mut self, index: usize, station: usize) -> LocalBoxFuture<'static, News> {
        let planned = self.plan.cells[index].clone();
        let named = planned.suites.iter();
        let suites =
            named.filter_map(|name| Some((name.clone(), self.plan.suites.get(name)?.clone())));
        let suites = suites.collect();
        let cancel = self.context.cancel.child_token();
        self.stops.insert(index, cancel.clone());
        let at = self.stations[station].clone();
        self.board
            .begin(&planned.id, &at.endpoint, self.stations.len() > 1);
        let (folder, shard, processes) = (
            self.folder.cell(&planned.id),
            self.spec_shard,
            self.processes,
        );
        let (context, board) = (self.context.clone(), self.board.clone());
        async move {
            let job = Job {
                planned: &planned,
                suites,
                shard,
                station: at,
                folder,
                processes,
                cancel,
            };
            let attempt = cell::run(&context, &board, &job).await;
            News::Ended(index, station, attempt)
        }
        .boxed_local()
    }

    /// Nothing more runs there, and what does is stopped.
    fn lose(&mut self, station: usize) {
        if self.lost.contains(&station) {
            return;
        }
        self.lost.push(station);
        let cells = self.schedule.lose(station);
        let endpoint = &self.stations[station].endpoint;
        self.board.tell(&format!(
            "engine {endpoint} is lost; {} of its cells run elsewhere",
            cells.len()
        ));
        for cell in cells {
            if let Some(stop) = self.stops.get(&cell) {
                stop.cancel();
            }
        }
    }

    async fn end(&mut self, index: usize, station: usize, mut attempt: Attempt) {
        let infrastructure = matches!(attempt.code, exit::CLUSTER_FAILED | exit::UNEXPECTED);
        if infrastructure
            && !self.lost.contains(&station)
            && !self.stations[station].answers().await
        {
            self.lose(station);
        }
        self.stops.remove(&index);
        let id = self.plan.cells[index].id.clone();
        let again = self.lost.contains(&station) && attempt.code != exit::PASSED;
        if again {
            attempt.code = exit::CLUSTER_FAILED;
            attempt.told = format!("errored: engine {} was lost", attempt.engine);
        } else {
            self.schedule.finish(index);
        }
        if attempt.code == exit::INTERRUPTED {
            // No verdict: a resumed run finishes it.
            self.board.end(&id, "interrupted", false);
            return;
        }
        self.board
            .end(&id, &attempt.told, attempt.code == exit::PASSED);
        let ended = self.ended.entry(index).or_insert(Ended {
            attempts: Vec::new(),
        });
        ended.attempts.push(attempt);
        if again {
            self.schedule.again(index);
        } else {
            self.keep(index);
        }
    }

    /// Writes the verdict down.
    fn keep(&self, index: usize) {
        let (Some(cell), Some(ended)) = (self.plan.cells.get(index), self.ended.get(&index)) else {
            return;
        };
        if let Err(error) = self.folder.end(&cell.id, ended) {
            self.board
                .tell(&format!("the verdict on {} is not kept: {error}", cell.id));
        }
        if let Some(last) = ended.last() {
            let (took, passed) = (
                Duration::from_secs_f64(last.seconds),
                last.code == exit::PASSED,
            );
            let cache = &self.context.settings.cache_dir;
            if let Err(error) = History::record(cache, &cell.id, &cell.suites, took, passed) {
                self.board.tell(&format!(
                    "how long {} took is not remembered: {error}",
                    cell.id
                ));
            }
        }
    }

    /// A cell for which there is no engine left.
    fn stranded(&mut self, index: usize) {
        let message = "no engine is left to run it on".to_owned();
        let id = self.plan.cells[index].id.clone();
        let mut suite = fold::with_failure(
            fold::boot_suite(&[], &report::host()),
            Some(message.clone()),
        );
        suite.name = id.to_string();
        if let Err(error) = report::write(&self.folder.cell(&id), &[suite]) {
            self.board
                .tell(&format!("the report of {id} is not written: {error:#}"));
        }
        self.board.end(&id, &message, false);
        let ended = self.ended.entry(index).or_insert(Ended {
            attempts: Vec::new(),
        });
        ended.attempts.push(Attempt {
            engine: String::new(),
            code: exit::CLUSTER_FAILED,
            seconds: 0.0,
            told: message,
        });
        self.keep(index);
    }

    /// The merged report, the last lines, and the exit code.
    fn conclude(&self, took: Duration) -> anyhow::Result<u8> {
        let context = self.context;
        let mut reports: Vec<Vec<Suite>> = Vec::new();
        for (index, ended) in &self.ended {
            let cell = &self.plan.cells[*index];
            let mut suites = report::read(&self.folder.cell(&cell.id))?.suites;
            if ended.attempts.len() > 1 {
                let told: Vec<&str> = ended.attempts.iter().map(|one| one.told.as_str()).collect();
                let attempts = ("attempts".to_owned(), told.join("; then "));
                suites
                    .iter_mut()
                    .for_each(|suite| suite.properties.push(attempts.clone()));
            }
            reports.push(suites);
        }
        let suites = if self.spec_shard.is_some() {
            // Parts are put together by `report merge`, where all of them are.
            reports.into_iter().flatten().collect()
        } else {
            merge::merge(reports).map_err(|error| Told::input(error.to_string()))?
        };
        report::write(&self.folder.path, &suites)?;
        report::remember(context, &self.folder.path);
        let printer = &context.printer;
        let last = |ended: &Ended| ended.last().map_or(0.0, |last| last.seconds);
        let sequential: f64 = self.ended.values().map(last).sum();
        let verdict = |code: u8| {
            let of = |ended: &&Ended| ended.last().is_some_and(|last| last.code == code);
            self.ended.values().filter(of).count()
        };
        let (passed, failed) = (verdict(exit::PASSED), verdict(exit::TESTS_FAILED));
        let errored = self.ended.len() - passed - failed;
        let totals = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
        let sign = if passed == self.plan.cells.len() {
            printer.paint().good("passed:")
        } else {
            printer.paint().bad("not passed:")
        };
        let resumed = match self.resumed {
            0 => String::new(),
            count => format!(", {count} of them in an earlier run"),
        };
        printer.tell(&format!(
            "{sign} {passed} of {} cells passed{resumed}, {failed} failed, {errored} errored, {} skipped; {} cases",
            self.plan.cells.len(),
            self.plan.skipped.len(),
            totals.cases()
        ));
        printer.tell(&format!(
            "took {}; one after the other the cells take {}; reports are in",
            text::duration(took),
            text::duration(Duration::from_secs_f64(sequential))
        ));
        printer.data(self.folder.path.as_str());
        if context.cancel.is_cancelled() {
            let told = Told::interrupted();
            return Err(told.help("`--resume` finishes what is left").into());
        }
        Ok(self.worst())
    }

    /// The exit code of all: what failed in the cluster weighs most.
    fn worst(&self) -> u8 {
        let last = self.ended.values().filter_map(Ended::last);
        let codes: Vec<u8> = last.map(|last| last.code).collect();
        let order = [
            exit::UNEXPECTED,
            exit::CLUSTER_FAILED,
            exit::BAD_INPUT,
            exit::TESTS_FAILED,
        ];
        let found = order.into_iter().find(|code| codes.contains(code));
        found.unwrap_or(exit::PASSED)
    }
}
