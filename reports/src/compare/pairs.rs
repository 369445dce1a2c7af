//! Which cell of the new report is which of the old.

use std::collections::{BTreeMap, BTreeSet};

use kcluster_matrix::outcome::Suite;

use crate::property::{AXES, KUBERNETES};

/// Cells of two reports.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs {
    /// Old and new name.
    pub(super) both: Vec<(String, String)>,
    pub(super) gone: Vec<String>,
    pub(super) added: Vec<String>,
}

pub(super) fn pairs(old: &[Suite], new: &[Suite]) -> Pairs {
    let names = |suites: &[Suite]| -> BTreeSet<String> {
        suites.iter().map(|suite| suite.name.clone()).collect()
    };
    let (before, after) = (names(old), names(new));
    let mut pairs = Pairs::default();
    for name in before.intersection(&after) {
        pairs.both.push((name.clone(), name.clone()));
    }
    let mut gone: BTreeSet<String> = before.difference(&after).cloned().collect();
    let mut added: BTreeSet<String> = after.difference(&before).cloned().collect();
    // Last night's master and tonight's have different names.
    let old_likes = likes(old, &gone);
    let new_likes = likes(new, &added);
    for (like, olds) in old_likes {
        if let ([old], Some([new])) = (&olds[..], new_likes.get(&like).map(Vec::as_slice)) {
            gone.remove(old);
            added.remove(new);
            pairs.both.push((old.clone(), new.clone()));
        }
    }
    pairs.both.sort();
    pairs.gone = gone.into_iter().collect();
    pairs.added = added.into_iter().collect();
    pairs
}

/// What cells are but for their version of Kubernetes, and the cells that are so.
fn likes(suites: &[Suite], among: &BTreeSet<String>) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut cells: BTreeMap<&str, Vec<&Suite>> = BTreeMap::new();
    for suite in suites.iter().filter(|suite| among.contains(&suite.name)) {
        cells.entry(&suite.name).or_default().push(suite);
    }
    let mut likes: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (name, suites) in cells {
        let value = |axis: &&str| {
            let found = suites.iter().find_map(|suite| suite.property(axis));
            found.unwrap_or_default().to_owned()
        };
        let axes = AXES.iter().filter(|axis| **axis != KUBERNETES);
        let like: Vec<String> = axes.map(value).collect();
        // What says nothing of itself is like nothing.
        if like.iter().any(|value| !value.is_empty()) {
            likes.entry(like).or_default().push(name.to_owned());
        }
    }
    likes
}
