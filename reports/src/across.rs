//! Suites of a matrix, seen from two sides: each cell with all that ran on it, and each spec with all
//! cells it ran on. Pages and summaries are views of this.

mod alike;
mod axes;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};

pub use alike::{Cluster, alike};
pub use axes::{Axis, Pattern};

use crate::property;

/// The phase that boots a cluster: its cases are steps, not specs.
pub const BOOT: &str = "boot";

/// All cells and all specs of a report.
#[derive(Debug)]
pub struct Across<'a> {
    /// The cells, in the order of their axes' values.
    pub cells: Vec<CellView<'a>>,
    /// What tells the cells apart.
    pub axes: Vec<Axis<'a>>,
    /// Specs and steps of boots, by group and name.
    pub specs: Vec<SpecView<'a>>,
}

/// A cell and what ran on it.
#[derive(Debug)]
pub struct CellView<'a> {
    /// Its id.
    pub name: &'a str,
    /// Its suites, in the order they began.
    pub suites: Vec<&'a Suite>,
    /// Its place on each of [`Across::axes`]; absent where no suite says.
    pub place: Vec<Option<usize>>,
    /// Its specs in sum, or its boot's steps where it got no further.
    pub totals: Totals,
    /// The verdict on it.
    pub verdict: Verdict,
}

/// The verdict on a cell, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing was run.
    Nothing,
    /// All was skipped.
    Skipped,
    /// What ran passed.
    Passed,
    /// A spec failed.
    Failed,
    /// Something could not be judged.
    Errored,
}

impl Verdict {
    /// The verdict as a word, which is also its class in pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
        }
    }

    fn of(suites: &[&Suite]) -> Self {
        let cases = suites.iter().flat_map(|suite| &suite.cases);
        let each = cases.map(|case| match case.outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Skipped { .. } => Self::Skipped,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Errored { .. } => Self::Errored,
        });
        each.max().unwrap_or(Self::Nothing)
    }
}

impl CellView<'_> {
    /// How long it took by the clock: its boot's steps overlap, so only phases that say so count.
    #[must_use]
    pub fn took(&self) -> Duration {
        let seconds = self
            .suites
            .iter()
            .filter_map(|suite| suite.property(property::SECONDS)?.parse().ok());
        Duration::from_secs(seconds.fold(0, u64::saturating_add))
    }

    /// The value of a property of any of its suites.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        self.suites.iter().find_map(|suite| suite.property(name))
    }
}

/// A spec, or a step of a boot, and the cells it ran on.
#[derive(Debug)]
pub struct SpecView<'a> {
    /// Its index in [`Across::specs`].
    pub index: usize,
    /// Its full name.
    pub name: &'a str,
    /// Its SIG, or "boot".
    pub class: &'a str,
    /// The phase it belongs to.
    pub phase: &'a str,
    /// Where it ran.
    pub runs: Vec<Run<'a>>,
}

/// A spec on a cell.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Index of the cell in [`Across::cells`].
    pub cell: usize,
    /// The suite it belongs to.
    pub suite: &'a Suite,
    /// What happened.
    pub case: &'a Case,
}

impl<'a> Run<'a> {
    /// Whether it failed or errored.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.case.outcome.severity() >= 2
    }

    /// What it says of why it did not pass, or was skipped.
    #[must_use]
    pub fn message(&self) -> &'a str {
        match &self.case.outcome {
            Outcome::Passed => "",
            Outcome::Failed { message } | Outcome::Errored { message } => message,
            Outcome::Skipped { reason } => reason,
        }
    }
}

impl SpecView<'_> {
    /// The worst that happened to it.
    #[must_use]
    pub fn severity(&self) -> u8 {
        let each = self.runs.iter().map(|run| run.case.outcome.severity());
        each.max().unwrap_or(0)
    }

    /// Whether it passed on some cell only when tried again, and failed on none.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.severity() < 2 && self.runs.iter().any(|run| run.case.is_flaky())
    }

    /// The longest it took.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let each = self.runs.iter().map(|run| run.case.took);
        each.max().unwrap_or_default()
    }
}

impl<'a> Across<'a> {
    /// Both views of `suites`.
    #[must_use]
    pub fn new(suites: &'a [Suite]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&Suite>> = BTreeMap::new();
        for suite in suites {
            by_name.entry(&suite.name).or_default().push(suite);
        }
        for suites in by_name.values_mut() {
            suites.sort_by_key(|suite| suite.started);
        }
        let axes = axes::differing(&by_name);
        let mut cells: Vec<CellView<'a>> = by_name
            .into_iter()
            .map(|(name, suites)| cell(name, suites, &axes))
            .collect();
        cells.sort_by(|a, b| (&a.place, a.name).cmp(&(&b.place, b.name)));
        let specs = specs(&cells);
        Self { cells, axes, specs }
    }

    /// Whether there is more than one cell to compare.
    #[must_use]
    pub fn is_matrix(&self) -> bool {
        self.cells.len() > 1
    }

    /// Specs in sum; of boots only where nothing else was run.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for cell in &self.cells {
            sum.passed += cell.totals.passed;
            sum.failed += cell.totals.failed;
            sum.errored += cell.totals.errored;
            sum.skipped += cell.totals.skipped;
            sum.flaky += cell.totals.flaky;
        }
        sum
    }

    /// Specs and steps that failed or errored somewhere: boots first, then the most widespread.
    #[must_use]
    pub fn bad(&self) -> Vec<&SpecView<'a>> {
        let mut bad: Vec<&SpecView<'a>> = self
            .specs
            .iter()
            .filter(|spec| spec.severity() >= 2)
            .collect();
        bad.sort_by_key(|spec| {
            let count = spec.runs.iter().filter(|run| run.is_bad()).count();
            (spec.phase != BOOT, Reverse(count))
        });
        bad
    }

    /// Where a spec fails, told by the axes.
    #[must_use]
    pub fn pattern(&self, spec: &SpecView<'_>) -> Pattern {
        axes::pattern(self, spec)
    }

    /// Failures of different specs that say the same, the largest cluster first.
    #[must_use]
    pub fn clusters(&self) -> Vec<Cluster<'_, 'a>> {
        alike::clusters(self)
    }
}

fn cell<'a>(name: &'a str, suites: Vec<&'a Suite>, axes: &[Axis<'a>]) -> CellView<'a> {
    let place = axes
        .iter()
        .map(|axis| {
            let value = suites.iter().find_map(|suite| suite.property(axis.name))?;
            axis.values.iter().position(|known| *known == value)
        })
        .collect();
    let specs = || suites.iter().filter(|suite| suite.phase != BOOT);
    let totals = if specs().any(|suite| !suite.cases.is_empty()) {
        Totals::of(specs().flat_map(|suite| &suite.cases))
    } else {
        Totals::of(suites.iter().flat_map(|suite| &suite.cases))
    };
    CellView {
        name,
        place,
        totals,
        verdict: Verdict::of(&suites),
        suites,
    }
}

fn specs<'a>(cells: &[CellView<'a>]) -> Vec<SpecView<'a>> {
    let mut specs: BTreeMap<(&str, &str, &str), Vec<Run<'a>>> = BTreeMap::new();
    for (cell, view) in cells.iter().enumerate() {
        for suite in &view.suites {
            for case in &suite.cases {
                let key = (case.class.as_str(), case.name.as_str(), &*suite.phase);
                specs
                    .entry(key)
                    .or_default()
                    .push(Run { cell, suite, case });
            }
        }
    }
    specs
        .into_iter()
        .enumerate()
        .map(|(index, ((class, name, phase), runs))| SpecView {
            index,
            name,
            class,
            phase,
            runs,
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
