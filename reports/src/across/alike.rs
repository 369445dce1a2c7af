//! Failures that say the same in other words: addresses, names and times differ, the fault does not.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Across, Run, SpecView};

/// Lines of a message that are compared.
const LINES: usize = 3;

/// Failures of several specs with the same text.
#[derive(Debug)]
pub struct Cluster<'v, 'a> {
    /// The message of one of them.
    pub example: &'a str,
    /// The specs, each once.
    pub specs: Vec<&'v SpecView<'a>>,
    /// Indexes of the cells, each once, in order.
    pub cells: Vec<usize>,
    /// All failures.
    pub failures: usize,
}

/// What of a message is the same each time the same goes wrong: its first lines, with each word that
/// holds a digit (an address, a generated name, a time) as `#`.
#[must_use]
pub fn alike(message: &str) -> String {
    let lines = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(LINES);
    let mut out = String::new();
    for line in lines {
        for word in line.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            if word.contains(|c: char| c.is_ascii_digit()) {
                // `#` once, however many follow each other.
                if !out.ends_with("# ") {
                    out.push('#');
                } else {
                    out.pop();
                }
            } else {
                out.push_str(word);
            }
        }
    }
    out
}

pub(super) fn clusters<'v, 'a>(across: &'v Across<'a>) -> Vec<Cluster<'v, 'a>> {
    let mut groups: BTreeMap<String, Vec<(&'v SpecView<'a>, Run<'a>)>> = BTreeMap::new();
    for spec in &across.specs {
        for run in spec.runs.iter().filter(|run| run.is_bad()) {
            let key = alike(run.message());
            // What says nothing is alike in nothing.
            if !key.is_empty() && key != "#" {
                groups.entry(key).or_default().push((spec, *run));
            }
        }
    }
    let mut clusters: Vec<Cluster<'v, 'a>> = groups
        .into_values()
        .filter_map(|members| {
            let (_, first) = members.first()?;
            let mut specs: Vec<&SpecView<'a>> = Vec::new();
            for (spec, _) in &members {
                // Runs of a spec follow each other.
                if !specs.last().is_some_and(|last| std::ptr::eq(*last, *spec)) {
                    specs.push(spec);
                }
            }
            let mut cells: Vec<usize> = members.iter().map(|(_, run)| run.cell).collect();
            cells.sort_unstable();
            cells.dedup();
            Some(Cluster {
                example: first.message(),
                specs,
                cells,
                failures: members.len(),
            })
        })
        .filter(|cluster| cluster.specs.len() > 1)
        .collect();
    clusters.sort_by_key(|cluster| Reverse(cluster.failures));
    clusters
}
