//! Two reports, one after the other: what is new, fixed, still failing, flaky, slower.

mod pairs;
mod words;

use std::collections::BTreeMap;
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome, Suite};
use serde::Serialize;

use pairs::pairs;

/// A spec is slower when it took at least this much longer …
const SLOWER_BY: Duration = Duration::from_secs(5);

/// … and this many times as long: what a busy machine does to it is less.
const SLOWER_TIMES: f64 = 1.5;

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Cells of both, as they are called in the old and in the new report.
    pub cells: Vec<(String, String)>,
    /// Cells that only the old report has.
    pub gone_cells: Vec<String>,
    /// Cells that only the new report has.
    pub added_cells: Vec<String>,
    /// Failed or errored now and passed before, or was not there.
    pub new: Vec<Change>,
    /// Failed or errored before, passes now.
    pub fixed: Vec<Change>,
    /// Failed or errored, then and now.
    pub still: Vec<Change>,
    /// Flaky now.
    pub flaky: Vec<Change>,
    /// Passed then and now, but took much longer.
    pub slower: Vec<Change>,
    /// Run before and not any more: skipped, or not there. It may hide a failure.
    pub gone: Vec<Change>,
    /// Run now and not before, and passes.
    pub added: usize,
    /// Passed then and now.
    pub passed: usize,
}

/// A spec on a cell, then and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The cell, as the newer report that has it calls it.
    pub cell: String,
    /// The phase.
    pub phase: String,
    /// The spec.
    pub name: String,
    /// What it says now, or said when it was fixed or went.
    pub message: String,
    /// How long it took before.
    pub before: Option<Duration>,
    /// How long it takes now.
    pub now: Option<Duration>,
    /// Whether it was flaky before.
    pub was_flaky: bool,
}

impl Comparison {
    /// Whether something is worse than before in a way that a run should not pass over.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        !self.new.is_empty()
    }

    /// The comparison in Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        words::markdown(self)
    }
}

type Key<'a> = (&'a str, &'a str, &'a str);

/// Compares `new` with `old`. Cells are compared with those of the same name, and left-over ones with
/// the only cell that differs in nothing but the version of Kubernetes.
#[must_use]
pub fn compare(old: &[Suite], new: &[Suite]) -> Comparison {
    let pairs = pairs(old, new);
    let mut comparison = Comparison {
        cells: pairs.both.clone(),
        gone_cells: pairs.gone.clone(),
        added_cells: pairs.added.clone(),
        ..Comparison::default()
    };
    let renamed: BTreeMap<&str, &str> = pairs
        .both
        .iter()
        .map(|(old, new)| (old.as_str(), new.as_str()))
        .collect();
    // Cells that are only in one report are named; their specs are no change.
    let before = by_key(old, |suite| renamed.get(suite.name.as_str()).copied());
    let after = by_key(new, |suite| {
        let known = pairs.both.iter().any(|(_, new)| *new == suite.name);
        known.then_some(suite.name.as_str())
    });
    for (key, now) in &after {
        sort_in(&mut comparison, *key, before.get(key).copied(), now);
    }
    for (key, case) in &before {
        if !after.contains_key(key) && ran(case) {
            let change = change(*key, Some(case), None, "it is not in the new report");
            comparison.gone.push(change);
        }
    }
    comparison.slower.sort_by_key(|change| {
        let more = change
            .now
            .unwrap_or_default()
            .saturating_sub(change.before.unwrap_or_default());
        std::cmp::Reverse(more)
    });
    comparison
}

fn by_key<'a>(
    suites: &'a [Suite],
    cell: impl Fn(&'a Suite) -> Option<&'a str>,
) -> BTreeMap<Key<'a>, &'a Case> {
    let mut cases = BTreeMap::new();
    for suite in suites {
        if let Some(cell) = cell(suite) {
            for case in &suite.cases {
                cases.insert((cell, suite.phase.as_str(), case.name.as_str()), case);
            }
        }
    }
    cases
}

fn sort_in(comparison: &mut Comparison, key: Key<'_>, before: Option<&Case>, now: &Case) {
    let was = before.filter(|case| ran(case));
    let was_bad = was.is_some_and(is_bad);
    match &now.outcome {
        Outcome::Failed { message } | Outcome::Errored { message } => {
            let change = change(key, was, Some(now), message);
            if was_bad {
                comparison.still.push(change);
            } else {
                comparison.new.push(change);
            }
        }
        Outcome::Skipped { reason } => {
            if was.is_some() {
                let change = change(key, was, None, &format!("skipped now: {reason}"));
                comparison.gone.push(change);
            }
        }
        Outcome::Passed => {
            if now.is_flaky() {
                comparison.flaky.push(change(key, was, Some(now), ""));
            }
            match was {
                None => comparison.added += 1,
                Some(was) if was_bad => {
                    let change = change(key, Some(was), Some(now), message(was));
                    comparison.fixed.push(change);
                }
                Some(was) => {
                    comparison.passed += 1;
                    if is_slower(was.took, now.took) {
                        comparison
                            .slower
                            .push(change(key, Some(was), Some(now), ""));
                    }
                }
            }
        }
    }
}

fn is_slower(before: Duration, now: Duration) -> bool {
    now.saturating_sub(before) >= SLOWER_BY
        && now.as_secs_f64() >= before.as_secs_f64() * SLOWER_TIMES
}

fn ran(case: &Case) -> bool {
    !matches!(case.outcome, Outcome::Skipped { .. })
}

fn is_bad(case: &Case) -> bool {
    case.outcome.severity() >= 2
}

fn message(case: &Case) -> &str {
    match &case.outcome {
        Outcome::Failed { message } | Outcome::Errored { message } => message,
        Outcome::Passed | Outcome::Skipped { .. } => "",
    }
}

fn change(key: Key<'_>, before: Option<&Case>, now: Option<&Case>, message: &str) -> Change {
    let (cell, phase, name) = key;
    Change {
        cell: cell.to_owned(),
        phase: phase.to_owned(),
        name: name.to_owned(),
        message: message.to_owned(),
        before: before.map(|case| case.took),
        now: now.map(|case| case.took),
        was_flaky: before.is_some_and(Case::is_flaky),
    }
}

#[cfg(test)]
mod tests;
