//! Kernel features that nodes use.

use super::check::{Check, Finding};
use super::facts::Facts;

pub(super) const CHECKS: &[Check] = &[Check {
    id: "kernel",
    probe: features,
}];

/// A feature: what it is called as a file system or module, and its configuration symbol.
pub(super) struct Feature {
    pub(super) name: &'static str,
    pub(super) symbol: &'static str,
    needed: bool,
}

pub(super) const FEATURES: &[Feature] = &[
    Feature {
        name: "overlay",
        symbol: "CONFIG_OVERLAY_FS",
        needed: true,
    },
    Feature {
        name: "veth",
        symbol: "CONFIG_VETH",
        needed: true,
    },
    Feature {
        name: "bridge",
        symbol: "CONFIG_BRIDGE",
        needed: true,
    },
    Feature {
        name: "nf_tables",
        symbol: "CONFIG_NF_TABLES",
        needed: true,
    },
    // Only pods that reach a Service's address from the same bridge need it.
    Feature {
        name: "br_netfilter",
        symbol: "CONFIG_BRIDGE_NETFILTER",
        needed: false,
    },
];

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
