//! Why a run or a product may not be handed in.

use std::collections::{BTreeMap, BTreeSet};

use kcluster_matrix::outcome::{Case, Outcome, Suite};

use super::{OPTIONAL, REQUIRED};
use crate::property;
use crate::text::{first_line, one_line};

/// The phases that together are all of conformance.
const PHASES: [&str; 2] = ["conformance", "conformance-serial"];

/// More cases than this are only counted.
const MOST_NAMED: usize = 5;

/// Why `suites` may not be handed in.
pub(super) fn of_run(suites: &[Suite]) -> Vec<String> {
    let mut reasons = Vec::new();
    let cells: BTreeSet<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
    if cells.len() > 1 {
        let cells: Vec<&str> = cells.into_iter().collect();
        reasons.push(format!("it is of several cells: {}", cells.join(", ")));
    }
    for phase in PHASES {
        match suites.iter().filter(|suite| suite.phase == phase).count() {
            0 => reasons.push(format!("{phase} was not run; `e2e --all` runs both phases")),
            1 => {}
            runs => reasons.push(format!("{phase} was run {runs} times")),
        }
    }
    for suite in suites {
        let phase = &suite.phase;
        if !PHASES.contains(&phase.as_str()) {
            reasons.push(format!("{phase} is no part of conformance"));
        }
        for (name, what) in [
            (property::NARROWED, "it was narrowed by"),
            (property::SHARD, "it is not all shards:"),
            (property::RERUN, "it only reruns the failures of"),
        ] {
            if let Some(value) = suite.property(name) {
                reasons.push(format!("{phase}: {what} {}", one_line(value)));
            }
        }
        if suite.property(property::KUBERNETES).is_none() {
            reasons.push(format!(
                "{phase}: the report does not say which Kubernetes it is of"
            ));
        }
        let specs = suite.cases.len();
        match suite.property(property::LISTED).map(str::parse::<usize>) {
            Some(Ok(listed)) if listed == specs => {}
            Some(Ok(listed)) => {
                reasons.push(format!("{phase}: {specs} of {listed} specs are there"));
            }
            _ => reasons.push(format!(
                "{phase}: the report does not say how many specs it should have"
            )),
        }
        reasons.extend(not_passed(suite));
    }
    let mut seen = BTreeSet::new();
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let twice: Vec<&str> = cases
        .map(|case| case.name.as_str())
        .filter(|name| !seen.insert(*name))
        .collect();
    if let Some(first) = twice.first() {
        reasons.push(format!(
            "{} specs are there twice, such as {first}",
            twice.len()
        ));
    }
    reasons
}

fn not_passed(suite: &Suite) -> Vec<String> {
    let bad: Vec<&Case> = suite
        .cases
        .iter()
        .filter(|case| !case.outcome.is_passed())
        .collect();
    let mut reasons: Vec<String> = bad
        .iter()
        .take(MOST_NAMED)
        .map(|case| {
            let (what, why) = match &case.outcome {
                Outcome::Passed => ("passed", ""),
                Outcome::Failed { message } => ("failed", message.as_str()),
                Outcome::Errored { message } => ("could not be judged", message.as_str()),
                Outcome::Skipped { reason } => ("was skipped", reason.as_str()),
            };
            format!("{}: {what}: {}", one_line(&case.name), first_line(why))
        })
        .collect();
    if bad.len() > MOST_NAMED {
        let more = bad.len() - MOST_NAMED;
        reasons.push(format!("{}: {more} more did not pass", suite.phase));
    }
    reasons
}

pub(super) fn of_product(product: &BTreeMap<String, String>) -> Vec<String> {
    let empty = |name: &&&str| {
        product
            .get(**name)
            .is_none_or(|value| value.trim().is_empty())
    };
    let missing: Vec<&str> = REQUIRED.iter().filter(empty).copied().collect();
    let mut reasons = Vec::new();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        reasons.push(format!(
            "the product has no {missing}; set them in [product] of kcluster.toml"
        ));
    }
    for name in product.keys() {
        if !REQUIRED.contains(&name.as_str()) && !OPTIONAL.contains(&name.as_str()) {
            let known = [REQUIRED.as_slice(), OPTIONAL.as_slice()]
                .concat()
                .join(", ");
            reasons.push(format!("PRODUCT.yaml has no field {name}; it has {known}"));
        }
    }
    reasons
}
