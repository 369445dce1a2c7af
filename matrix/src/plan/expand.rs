//! From what is written down to the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::axes::{Axes, Point, Release};
use super::estimate::{Costs, Demand};
use super::plan_value::{Plan, PlannedCell, SkippedCell};
use super::spec::{MatrixSpec, Order, SuiteSpec};
use crate::arch::Arch;
use crate::cell::{Cell, CellId};
use crate::fnv::Fnv;
use crate::platform::Emulation;
use crate::version::KubeVersion;

/// What a plan depends on beside what is written down.
pub struct World<'a> {
    /// The exact version that is meant, or why there is none.
    pub resolve: &'a dyn Fn(&Release) -> Result<KubeVersion, String>,
    /// How cells of an architecture run here, or why they do not.
    pub emulation: &'a dyn Fn(Arch) -> Result<Emulation, String>,
    /// What things cost.
    pub costs: &'a Costs,
    /// What the largest machine has, if it is known.
    pub largest: Option<Demand>,
    /// Cells that did not pass last time.
    pub failed: &'a BTreeSet<CellId>,
    /// The order.
    pub order: Order,
    /// Suites by name, those that kcluster knows among them.
    pub suites: &'a BTreeMap<String, SuiteSpec>,
}

/// The longest id; more would not fit where names go.
const LONGEST_ID: usize = 80;

/// Plans each combination once, or says why not.
#[must_use]
pub fn expand(spec: &MatrixSpec, world: &World<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut taken: BTreeMap<CellId, Point> = BTreeMap::new();
    let first = spec.axes.first();
    let more = spec.include.iter().map(|include| {
        let mut axes = include.clone().or(&first);
        for (name, values) in &first.settings {
            axes.settings
                .entry(name.clone())
                .or_insert_with(|| values.clone());
        }
        axes
    });
    let points = spec.axes.points().into_iter().map(|point| (point, true));
    let included = more
        .flat_map(|axes: Axes| axes.points())
        .map(|point| (point, false));
    for (point, excludable) in points.chain(included) {
        match place(spec, world, &point, excludable, &taken) {
            Ok(cell) => {
                taken.insert(cell.id.clone(), point);
                plan.cells.push(cell);
            }
            Err(reason) => plan.skipped.push(SkippedCell {
                what: point.to_string(),
                reason,
            }),
        }
    }
    plan.cells.sort_by_key(|cell| {
        let passed = match world.order {
            Order::CheapestFirst => false,
            Order::FailuresFirst => !world.failed.contains(&cell.id),
        };
        (passed, cell.estimate.seconds, cell.id.clone())
    });
    let used: BTreeSet<&String> = plan.cells.iter().flat_map(|cell| &cell.suites).collect();
    let known = |name: &&String| Some(((*name).clone(), world.suites.get(*name)?.clone()));
    plan.suites = used.iter().filter_map(known).collect();
    plan
}

fn place(
    spec: &MatrixSpec,
    world: &World<'_>,
    point: &Point,
    excludable: bool,
    taken: &BTreeMap<CellId, Point>,
) -> Result<PlannedCell, String> {
    let version = (world.resolve)(&point.kubernetes);
    let known = version.as_ref().ok();
    let selects = |axes: &Axes| axes.selects(point, known, world.resolve);
    if excludable && let Some(exclude) = spec.exclude.iter().find(|exclude| selects(&exclude.which))
    {
        let reason = exclude.reason.as_ref();
        return Err(reason.map_or_else(
            || "excluded".to_owned(),
            |reason| format!("excluded: {reason}"),
        ));
    }
    let found = version.clone()?;
    if let Some(reason) = point.cni.lacks(point.arch) {
        return Err(reason);
    }
    let emulation = (world.emulation)(point.arch)?;
    let mut settings = point.settings.clone();
    let mut suites = spec.suites.clone();
    for extra in spec.overrides.iter().filter(|extra| selects(&extra.when)) {
        settings.extend(extra.settings.clone());
        if let Some(other) = &extra.suites {
            suites.clone_from(other);
        }
    }
    let family = settings.get("ip-family").and_then(|text| text.parse().ok());
    if let Some(reason) = family.and_then(|family| point.cni.lacks_family(family)) {
        return Err(reason);
    }
    let mut cell = Cell {
        kubernetes: found,
        cni: point.cni,
        arch: point.arch,
        emulation,
        variant: variant(point),
    };
    let long = cell.id().as_str().len() > LONGEST_ID;
    if long
        || taken
            .get(&cell.id())
            .is_some_and(|other| !same(other, point))
    {
        cell.variant = hashed(point);
    }
    let id = cell.id();
    if let Some(other) = taken.get(&id) {
        return Err(if other.kubernetes == point.kubernetes {
            "planned already".to_owned()
        } else {
            format!(
                "{} is the same version as {}",
                point.kubernetes, other.kubernetes
            )
        });
    }
    let estimate = world.costs.of(&id, emulation, point.nodes, &suites);
    if let Some(largest) = world.largest {
        fits(estimate.demand, largest)?;
    }
    Ok(PlannedCell {
        id,
        cell,
        workers: point.nodes,
        settings,
        suites,
        estimate,
    })
}

/// Whether two points are one cell: all but the spelling of the version.
fn same(one: &Point, other: &Point) -> bool {
    (one.nodes, &one.settings) == (other.nodes, &other.settings)
}

/// What tells the point from others of the same version, plugin and architecture.
fn variant(point: &Point) -> String {
    let mut words: Vec<String> = Vec::new();
    if point.nodes != 1 {
        words.push(format!("n{}", point.nodes));
    }
    for value in point.settings.values() {
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        };
        words.push(value.chars().map(safe).collect());
    }
    words.join("-")
}

/// The same, where words would be too long or not tell them apart.
fn hashed(point: &Point) -> String {
    let mut hash = Fnv::default();
    hash.add(&[point.nodes]);
    for (name, value) in &point.settings {
        for text in [name, value] {
            hash.add(text.as_bytes());
            hash.add(&[0]);
        }
    }
    format!("x{hash}")
}

/// Memory and disk must be there; too few processors only make it slow.
fn fits(demand: Demand, largest: Demand) -> Result<(), String> {
    let gib = |bytes: u64| {
        let tenths = bytes / ((1 << 30) / 10);
        format!("{}.{} GiB", tenths / 10, tenths % 10)
    };
    let kinds = [
        ("memory", demand.memory, largest.memory),
        ("disk", demand.disk, largest.disk),
    ];
    for (kind, wanted, there) in kinds {
        if wanted > there {
            return Err(format!(
                "needs {} of {kind}, and the largest machine has {} free",
                gib(wanted),
                gib(there)
            ));
        }
    }
    Ok(())
}
