//! Suites of several reports as those of one: shards become the suite they were cut from, and a rerun replaces
//! what it ran again.

use std::collections::{BTreeMap, BTreeSet};

use kcluster_matrix::outcome::{Case, Suite};
use thiserror::Error;

use crate::property;

/// Why reports cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeError {
    /// The same part twice.
    #[error("shard {shard} of {suite} is there twice; give each shard's folder once")]
    Twice {
        /// Cell and phase.
        suite: String,
        /// Which part.
        shard: String,
    },
    /// Parts of different divisions.
    #[error(
        "the shards of {suite} were not cut alike ({one} and {other}), so specs may be missing or double; run them again from the same durations"
    )]
    Cut {
        /// Cell and phase.
        suite: String,
        /// How one was.
        one: String,
        /// How another was.
        other: String,
    },
}

/// One list of suites from those of several reports, in the order they began.
///
/// # Errors
/// When shards do not belong together.
pub fn merge(reports: Vec<Vec<Suite>>) -> Result<Vec<Suite>, MergeError> {
    let mut whole: Vec<Suite> = Vec::new();
    let mut shards: BTreeMap<(String, String), Vec<Suite>> = BTreeMap::new();
    let mut reruns: Vec<Suite> = Vec::new();
    for suite in reports.into_iter().flatten() {
        if suite.property(property::SHARD).is_some() {
            let key = (suite.name.clone(), suite.phase.clone());
            shards.entry(key).or_default().push(suite);
        } else if suite.property(property::RERUN).is_some() {
            reruns.push(suite);
        } else {
            whole.push(suite);
        }
    }
    for parts in shards.into_values() {
        whole.push(joined(parts)?);
    }
    whole.sort_by_key(|suite| suite.started);
    reruns.sort_by_key(|suite| suite.started);
    for rerun in reruns {
        put_back(&mut whole, rerun);
    }
    Ok(whole)
}

fn joined(mut parts: Vec<Suite>) -> Result<Suite, MergeError> {
    parts.sort_by_key(|suite| suite.started);
    let title = |suite: &Suite| format!("{} {}", suite.name, suite.phase);
    let value = |suite: &Suite, name: &str| suite.property(name).unwrap_or_default().to_owned();
    let cut = |suite: &Suite| {
        let shard = value(suite, property::SHARD);
        let (_, count) = shard.split_once('/').unwrap_or(("", &shard));
        format!(
            "{count} parts, durations {}",
            value(suite, property::DURATIONS)
        )
    };
    let mut seen = BTreeSet::new();
    let mut parts = parts.into_iter();
    let Some(mut whole) = parts.next() else {
        return Ok(nothing());
    };
    seen.insert(value(&whole, property::SHARD));
    let number = |suite: &Suite| value(suite, property::LISTED).parse().unwrap_or(0_usize);
    let mut listed = number(&whole);
    for part in parts {
        let shard = value(&part, property::SHARD);
        if cut(&part) != cut(&whole) {
            return Err(MergeError::Cut {
                suite: title(&whole),
                one: cut(&whole),
                other: cut(&part),
            });
        }
        if !seen.insert(shard.clone()) {
            return Err(MergeError::Twice {
                suite: title(&whole),
                shard,
            });
        }
        listed += number(&part);
        whole.cases.extend(part.cases);
    }
    set(&mut whole, property::LISTED, listed.to_string());
    let count = value(&whole, property::SHARD);
    let count: usize = count
        .split_once('/')
        .and_then(|(_, count)| count.parse().ok())
        .unwrap_or(0);
    if seen.len() == count {
        whole.properties.retain(|(name, _)| name != property::SHARD);
    } else {
        let missing: Vec<String> = (1..=count)
            .map(|index| format!("{index}/{count}"))
            .filter(|shard| !seen.contains(shard))
            .collect();
        let missing = format!("missing {}", missing.join(", "));
        set(&mut whole, property::SHARD, missing);
    }
    Ok(whole)
}

/// Never reached: every group has a member.
fn nothing() -> Suite {
    Suite {
        name: String::new(),
        phase: String::new(),
        host: String::new(),
        started: jiff::Timestamp::UNIX_EPOCH,
        properties: Vec::new(),
        cases: Vec::new(),
    }
}

fn set(suite: &mut Suite, name: &str, value: String) {
    suite.properties.retain(|(known, _)| known != name);
    suite.properties.push((name.to_owned(), value));
}

/// Puts the cases of a rerun in the place of those it ran again; what passed only now is flaky.
fn put_back(whole: &mut Vec<Suite>, rerun: Suite) {
    let mut left: BTreeMap<String, Case> = rerun
        .cases
        .iter()
        .map(|case| (case.name.clone(), case.clone()))
        .collect();
    for suite in whole
        .iter_mut()
        .filter(|suite| suite.name == rerun.name && suite.phase == rerun.phase)
    {
        for old in &mut suite.cases {
            if let Some(new) = left.remove(&old.name) {
                let attempts = old.attempts.max(1) + new.attempts;
                *old = Case { attempts, ..new };
            }
        }
    }
    if !left.is_empty() {
        let cases = rerun.cases.into_iter();
        let cases = cases.filter(|case| left.contains_key(&case.name)).collect();
        whole.push(Suite { cases, ..rerun });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::outcome::{Outcome, Totals};
    use std::time::Duration;

    fn case(name: &str, outcome: Outcome) -> Case {
        Case {
            name: name.into(),
            class: "sig-x".into(),
            took: Duration::from_secs(1),
            outcome,
            attempts: 1,
            output: String::new(),
        }
    }

    fn no() -> Outcome {
        Outcome::Failed {
            message: "no".into(),
        }
    }

    fn suite(second: i64, properties: &[(&str, &str)], cases: Vec<Case>) -> Suite {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Suite {
            name: "v1.36.3-bridge-amd64".into(),
            phase: "conformance".into(),
            host: "here".into(),
            started: jiff::Timestamp::from_second(second).unwrap(),
            properties: properties.iter().map(own).collect(),
            cases,
        }
    }

    fn shard(second: i64, which: &str, table: &str, name: &str) -> Vec<Suite> {
        let properties = [
            (property::SHARD, which),
            (property::DURATIONS, table),
            (property::LISTED, "1"),
        ];
        vec![suite(
            second,
            &properties,
            vec![case(name, Outcome::Passed)],
        )]
    }

    #[test]
    fn shards_become_one_suite_and_missing_ones_are_named() {
        let all = vec![shard(2, "2/2", "x", "b"), shard(1, "1/2", "x", "a")];
        let [whole] = &merge(all).unwrap()[..] else {
            panic!()
        };
        let names: Vec<&str> = whole.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(
            (names, whole.property(property::SHARD)),
            (vec!["a", "b"], None)
        );
        assert_eq!(whole.property(property::LISTED), Some("2"));
        let some = merge(vec![shard(1, "1/3", "x", "a")]).unwrap();
        assert_eq!(some[0].property(property::SHARD), Some("missing 2/3, 3/3"));
    }

    #[test]
    fn shards_that_do_not_belong_together_are_refused() {
        let twice = merge(vec![shard(1, "1/2", "x", "a"), shard(2, "1/2", "x", "b")]);
        assert!(matches!(twice, Err(MergeError::Twice { .. })), "{twice:?}");
        for other in [shard(2, "2/2", "y", "b"), shard(2, "2/3", "x", "b")] {
            let cut = merge(vec![shard(1, "1/2", "x", "a"), other]);
            assert!(matches!(cut, Err(MergeError::Cut { .. })), "{cut:?}");
        }
    }

    #[test]
    fn a_rerun_replaces_what_it_ran_again() {
        let first = suite(
            1,
            &[],
            vec![case("a", Outcome::Passed), case("b", no()), case("c", no())],
        );
        let rerun = [(property::RERUN, "out")];
        let rerun = suite(2, &rerun, vec![case("b", Outcome::Passed), case("c", no())]);
        let [whole] = &merge(vec![vec![rerun], vec![first]]).unwrap()[..] else {
            panic!()
        };
        let totals = Totals::of(&whole.cases);
        assert_eq!((totals.passed, totals.flaky, totals.failed), (2, 1, 1));
        assert_eq!(whole.cases[2].attempts, 2);
    }

    #[test]
    fn different_cells_stay_apart() {
        let other = Suite {
            name: "v1.37.0-bridge-amd64".into(),
            ..suite(2, &[], vec![case("a", no())])
        };
        let own = suite(1, &[], vec![case("a", Outcome::Passed)]);
        assert_eq!(merge(vec![vec![other], vec![own]]).unwrap().len(), 2);
    }
}
