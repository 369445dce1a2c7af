//! Kernel features that nodes use.

use super::check::{Check, Finding};
use super::facts::Facts;
use super::features::FEATURES;

pub(super) const CHECKS: &[Check] = &[Check {
    id: "kernel",
    probe: features,
}];

fn features(facts: &Facts) -> Option<Finding> {
    if !facts.engine_is_local {
        return None;
    }
    let lacking = |needed: bool| -> Vec<&str> {
        FEATURES
            .iter()
            .filter(|feature| feature.needed == needed && !facts.features.contains(feature.name))
            .map(|feature| feature.name)
            .collect()
    };
    let (needed, wanted) = (lacking(true), lacking(false));
    let release = &facts.kernel;
    Some(if !needed.is_empty() {
        Finding::blocking(
            format!("{release} without {}", needed.join(", ")),
            "load these modules, or use a kernel that has them",
        )
    } else if !wanted.is_empty() {
        Finding::warning(
            format!("{release} without {}", wanted.join(", ")),
            "load these modules where Services of a pod's own node matter",
        )
    } else {
        Finding::fine(release)
    })
}
