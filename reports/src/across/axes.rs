//! What cells that fail have in common, and the others have not.

use std::collections::{BTreeMap, BTreeSet};

use kcluster_matrix::outcome::{Outcome, Suite};

use super::{Across, SpecView};
use crate::property::AXES;

/// A property by which cells differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis<'a> {
    /// The property.
    pub name: &'static str,
    /// Its values, in order.
    pub values: Vec<&'a str>,
}

/// Where a spec fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// There is only one cell, so nothing can be told.
    One,
    /// On each cell that judged it.
    Everywhere(usize),
    /// On exactly the cells with these values.
    OnlyOn(Vec<String>),
    /// On all cells but those with these values.
    AllBut(Vec<String>),
    /// On some, without a rule.
    Some {
        /// Cells it fails on.
        bad: usize,
        /// Cells that judged it.
        of: usize,
    },
}

impl Pattern {
    /// The pattern in words that follow the spec's name; none where there is nothing to tell.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        match self {
            Self::One => None,
            Self::Everywhere(cells) => Some(format!("fails on all {cells} cells")),
            Self::OnlyOn(values) => Some(format!("fails only on {}", values.join(" × "))),
            Self::AllBut(values) => Some(format!("fails on all but {}", values.join(" × "))),
            Self::Some { bad, of } => Some(format!("fails on {bad} of {of} cells")),
        }
    }
}

/// The axes on which cells have more than one value.
pub(super) fn differing<'a>(cells: &BTreeMap<&str, Vec<&'a Suite>>) -> Vec<Axis<'a>> {
    let axes = AXES.iter().map(|name| {
        let values: BTreeSet<&str> = cells
            .values()
            .filter_map(|suites| suites.iter().find_map(|suite| suite.property(name)))
            .collect();
        let mut values: Vec<&str> = values.into_iter().collect();
        values.sort_by_key(|value| numbers(value));
        Axis { name, values }
    });
    axes.filter(|axis| axis.values.len() > 1).collect()
}

/// Such that v1.9 comes before v1.10.
fn numbers(value: &str) -> Vec<(u64, &str)> {
    let parts = value.split(['.', '-']);
    parts
        .map(|part| {
            let digits = part.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(digits.len());
            (digits[..end].parse().unwrap_or(0), part)
        })
        .collect()
}

/// Values on axes; a cell is in the group when it has all of them.
type Group = Vec<(usize, usize)>;

pub(super) fn pattern(across: &Across<'_>, spec: &SpecView<'_>) -> Pattern {
    let mut bad = BTreeSet::new();
    let mut judged = BTreeSet::new();
    for run in &spec.runs {
        if matches!(run.case.outcome, Outcome::Skipped { .. }) {
            continue;
        }
        judged.insert(run.cell);
        if run.is_bad() {
            bad.insert(run.cell);
        }
    }
    if judged.len() < 2 || bad.is_empty() {
        return Pattern::One;
    }
    if bad == judged {
        return Pattern::Everywhere(judged.len());
    }
    let good: BTreeSet<usize> = judged.difference(&bad).copied().collect();
    for size in 1..=across.axes.len().min(3) {
        if let Some(group) = common(across, &bad, &judged, size) {
            return Pattern::OnlyOn(words(across, &group));
        }
        if let Some(group) = common(across, &good, &judged, size) {
            return Pattern::AllBut(words(across, &group));
        }
    }
    Pattern::Some {
        bad: bad.len(),
        of: judged.len(),
    }
}

/// `size` values that all of `wanted` have, and of `judged` no others.
fn common(
    across: &Across<'_>,
    wanted: &BTreeSet<usize>,
    judged: &BTreeSet<usize>,
    size: usize,
) -> Option<Group> {
    let place = |cell: usize, axis: usize| across.cells.get(cell)?.place.get(axis).copied()?;
    // Only what all wanted ones share can be part of it.
    let first = *wanted.first()?;
    let shared: Group = (0..across.axes.len())
        .filter_map(|axis| {
            let value = place(first, axis)?;
            let all = wanted.iter().all(|cell| place(*cell, axis) == Some(value));
            all.then_some((axis, value))
        })
        .collect();
    choices(&shared, size).into_iter().find(|group| {
        let inside = judged.iter().filter(|cell| {
            group
                .iter()
                .all(|(axis, value)| place(**cell, *axis) == Some(*value))
        });
        inside.count() == wanted.len()
    })
}

/// Every choice of `size` of `items`, in order.
fn choices(items: &[(usize, usize)], size: usize) -> Vec<Group> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        for mut rest in choices(items.get(index + 1..).unwrap_or_default(), size - 1) {
            rest.insert(0, *item);
            all.push(rest);
        }
    }
    all
}

fn words(across: &Across<'_>, group: &Group) -> Vec<String> {
    let word = |(axis, value): &(usize, usize)| {
        let axis = across.axes.get(*axis)?;
        let value = axis.values.get(*value)?;
        // A number says nothing without its name.
        let number = value.parse::<u64>().is_ok();
        Some(if number {
            format!("{} {value}", axis.name)
        } else {
            (*value).to_owned()
        })
    };
    group.iter().filter_map(word).collect()
}
