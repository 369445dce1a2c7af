//! From settings to a plan.

use std::collections::BTreeMap;

use kcluster_e2e::{Durations, capacity};
use kcluster_images::known_versions;
use kcluster_matrix::plan::{
    Axes, Costs, Demand, MatrixSpec, Plan, Release, SuiteSpec, World, expand,
};
use kcluster_matrix::suggest::UnknownValue;
use kcluster_matrix::{Arch, Emulation, Platform, Shard};

use super::history::History;
use super::stations::Station;
use super::suites::{self, SMOKE};
use crate::config::{Auto, Origin, Settings};
use crate::context::Context;
use crate::error::Told;
use crate::{image, report};

/// What narrows or changes the plan beside the settings.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Wish {
    /// Only this cell, by its id; may be repeated
    #[arg(long = "cell", value_name = "ID", value_delimiter = ',')]
    pub(crate) cells: Vec<String>,
    /// Only one part of the cells, of several that take about as long, such as 2/4
    #[arg(long, value_name = "M/N")]
    pub(crate) shard: Option<Shard>,
    /// Run this suite in each cell instead of its own; may be repeated
    #[arg(long = "suite", value_name = "NAME", value_delimiter = ',')]
    pub(crate) suites: Vec<String>,
    /// Run this command in each cell instead of suites.
    #[arg(skip)]
    pub(crate) command: Option<Vec<String>>,
}

/// The name of the suite that a command given by hand is.
pub(crate) const COMMAND: &str = "run";

/// The plan for the engines there are; without any, for one like this machine.
pub(crate) fn plan(context: &Context, wish: &Wish, stations: &[Station]) -> anyhow::Result<Plan> {
    let settings = &context.settings;
    let here = kcluster_images::host_arch()?;
    let engine = stations.first().and_then(|station| station.info.arch);
    let engine = engine.unwrap_or(here);
    let mut spec = written(settings, engine);
    let mut known = suites::all(&spec.named);
    if let Some(command) = &wish.command {
        let suite = SuiteSpec {
            run: command.clone(),
            ..SuiteSpec::default()
        };
        known.insert(COMMAND.to_owned(), suite);
        only(&mut spec, &[COMMAND.to_owned()]);
    } else if !wish.suites.is_empty() {
        only(&mut spec, &wish.suites);
    }
    check_suites(&spec, &known)?;
    let history = History::read(&settings.cache_dir);
    let costs = Costs {
        measured: history.measured(),
        ..costs(context, stations, engine, &known)?
    };
    let largest = stations.iter().map(|station| station.carrier().capacity);
    let largest = largest.reduce(|one, other| Demand {
        millicores: one.millicores.max(other.millicores),
        memory: one.memory.max(other.memory),
        disk: one.disk.max(other.disk),
    });
    let plan = expand(
        &spec,
        &World {
            resolve: &resolve,
            emulation: &|arch| emulation(settings, arch, engine),
            costs: &costs,
            largest,
            failed: &history.failed(),
            order: settings.matrix_order,
            suites: &known,
        },
    );
    narrowed(plan, wish)
}

/// The matrix as it is written, each axis that it does not name being the setting. A flag beats an axis.
fn written(settings: &Settings, engine: Arch) -> MatrixSpec {
    let mut spec = settings.matrix.0.as_deref().cloned().unwrap_or_default();
    let flagged = |name: &str| {
        let keys = crate::config::KEYS.iter().zip(&settings.origins);
        let mut named = keys.filter(|(key, _)| key.name() == name);
        named.any(|(_, origin)| matches!(origin, Origin::Flag(_)))
    };
    let base = Axes {
        kubernetes: vec![Release::Request(settings.kubernetes.clone())],
        cni: vec![settings.cni],
        arch: vec![settings.arch.given().copied().unwrap_or(engine)],
        nodes: vec![settings.nodes],
        settings: BTreeMap::new(),
    };
    let axes = &mut spec.axes;
    if flagged("kubernetes") {
        axes.kubernetes.clear();
    }
    if flagged("cni") {
        axes.cni.clear();
    }
    if flagged("arch") {
        axes.arch.clear();
    }
    if flagged("nodes") {
        axes.nodes.clear();
    }
    axes.settings.retain(|name, _| !flagged(name));
    spec.axes = std::mem::take(axes).or(&base);
    if spec.suites.is_empty() {
        spec.suites = vec![SMOKE.to_owned()];
    }
    spec
}

/// These suites in every cell.
fn only(spec: &mut MatrixSpec, suites: &[String]) {
    spec.suites = suites.to_vec();
    for one in &mut spec.overrides {
        one.suites = None;
    }
}

fn check_suites(
    spec: &MatrixSpec,
    known: &BTreeMap<String, SuiteSpec>,
) -> Result<(), UnknownValue> {
    let others = spec.overrides.iter().filter_map(|one| one.suites.as_ref());
    let used = spec.suites.iter().chain(others.flatten());
    let mut unknown = used.filter(|name| !known.contains_key(*name));
    match unknown.next() {
        Some(name) => Err(UnknownValue::new(
            "suite",
            name,
            known.keys().map(String::as_str),
        )),
        None => Ok(()),
    }
}

fn resolve(release: &Release) -> Result<kcluster_matrix::KubeVersion, String> {
    match release {
        Release::Request(request) => {
            let found = request.resolve(&known_versions());
            found.map_err(|error| error.to_string())
        }
        Release::Master => Err(
            "master is no released version: boot a revision of it with `up --source`, or find \
            where it broke with `bisect`"
                .to_owned(),
        ),
    }
}

/// How cells of `arch` run on engines of `engine`.
fn emulation(settings: &Settings, arch: Arch, engine: Arch) -> Result<Emulation, String> {
    let settings = Settings {
        arch: Auto::Is(arch),
        ..settings.clone()
    };
    let platform = settings.platform_on(Some(engine));
    platform
        .map(Platform::emulation)
        .map_err(|error| error.to_string())
}

/// What suites cost, by how long their specs took.
fn costs(
    context: &Context,
    stations: &[Station],
    engine: Arch,
    known: &BTreeMap<String, SuiteSpec>,
) -> anyhow::Result<Costs> {
    let settings = &context.settings;
    let cell = settings.cell(image::version(settings)?, Platform::native(engine));
    let durations = Durations::with_history(&report::history(context, &cell));
    let suites = known.iter().filter(|(_, suite)| suite.run.is_empty());
    let suites = suites.map(|(name, suite)| {
        let cost = durations.cost(&suite.focus, &suite.skip, suite.all);
        (name.clone(), cost)
    });
    Ok(Costs {
        suites: suites.collect(),
        processes: processes(settings, stations),
        measured: BTreeMap::new(),
    })
}

/// How many processes run specs in each cell, while others run beside it.
pub(crate) fn processes(settings: &Settings, stations: &[Station]) -> usize {
    if let Some(given) = settings.processes.given() {
        return given.get();
    }
    let machines = stations.iter().map(Station::machine);
    let (cores, memory) = machines.min().unwrap_or_else(capacity::here);
    let beside = settings
        .cells_at_once
        .given()
        .map_or(cores, |given| given.get());
    let all = capacity::processes(cores, memory, usize::MAX, Emulation::Native);
    (all / beside.max(1)).max(1)
}

/// What of the plan is wanted; a cell that is asked for must be in it.
fn narrowed(mut plan: Plan, wish: &Wish) -> anyhow::Result<Plan> {
    if !wish.cells.is_empty() {
        let ids: Vec<&str> = plan.cells.iter().map(|cell| cell.id.as_str()).collect();
        if let Some(unknown) = wish.cells.iter().find(|id| !ids.contains(&id.as_str())) {
            return Err(UnknownValue::new("cell", unknown, ids).into());
        }
        plan.cells
            .retain(|cell| wish.cells.iter().any(|id| id == cell.id.as_str()));
    }
    if let Some(shard) = wish.shard {
        plan = plan.shard(shard);
    }
    Ok(plan)
}

/// Refuses a plan that has nothing to run.
pub(crate) fn some(plan: &Plan) -> Result<(), Told> {
    if !plan.cells.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = plan
        .skipped
        .iter()
        .map(|skipped| format!("{}: {}", skipped.what, skipped.reason))
        .collect();
    let told = Told::input("no cell is left to run");
    Err(if reasons.is_empty() {
        told
    } else {
        told.help(format!("these are skipped: {}", reasons.join("; ")))
    })
}
