//! Cores, memory, disks and limits of this machine.

use super::check::{Check, Finding};
use super::facts::Facts;
use super::fix::{Fix, INOTIFY_INSTANCES, INOTIFY_WATCHES};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "processors",
        probe: processors,
    },
    Check {
        id: "memory",
        probe: memory,
    },
    Check {
        id: "swap",
        probe: swap,
    },
    Check {
        id: "disk",
        probe: disk,
    },
    Check {
        id: "inotify",
        probe: inotify,
    },
    Check {
        id: "open files",
        probe: files,
    },
];

const GIB: u64 = 1 << 30;

fn processors(facts: &Facts) -> Option<Finding> {
    Some(match facts.processors {
        0 => return None,
        1 => Finding::warning(
            "1",
            "conformance has timeouts that one processor may not meet",
        ),
        count => Finding::fine(count.to_string()),
    })
}

fn memory(facts: &Facts) -> Option<Finding> {
    let shown = format!("{:.1} GiB", gib(facts.memory));
    Some(match facts.memory / GIB {
        0..2 => Finding::blocking(shown, "a cluster of 1+1 takes 2 GiB at least"),
        2..4 => Finding::warning(shown, "enough to boot; conformance wants 4 GiB"),
        _ => Finding::fine(shown),
    })
}

fn swap(facts: &Facts) -> Option<Finding> {
    Some(if facts.swap == 0 {
        Finding::fine("none")
    } else {
        Finding::fine(format!(
            "{:.1} GiB; kubelets are told to accept it",
            gib(facts.swap)
        ))
    })
}

/// Room for the builds of one version, its image, and a cluster.
const ROOM: u64 = 20 * GIB;
const LEAST: u64 = 6 * GIB;

fn disk(facts: &Facts) -> Option<Finding> {
    let tight = facts.disks.iter().min_by_key(|disk| disk.free)?;
    let shown: Vec<String> = facts
        .disks
        .iter()
        .map(|disk| format!("{} {:.0} GiB free", disk.what, gib(disk.free)))
        .collect();
    let shown = shown.join(", ");
    let remedy = format!(
        "make room below {}; `cargo kcluster images prune` removes what no cluster uses",
        tight.path
    );
    Some(match tight.free {
        free if free < LEAST => Finding::blocking(shown, remedy),
        free if free < ROOM => Finding::warning(shown, remedy),
        _ => Finding::fine(shown),
    })
}

fn inotify(facts: &Facts) -> Option<Finding> {
    let (instances, watches) = facts.inotify?;
    if !facts.engine_is_local {
        return None;
    }
    let shown = format!("{instances} instances, {watches} watches");
    if instances >= INOTIFY_INSTANCES && watches >= INOTIFY_WATCHES {
        return Some(Finding::fine(shown));
    }
    let remedy = format!(
        "several nodes run out of them; set fs.inotify.max_user_instances to {INOTIFY_INSTANCES} and max_user_watches to {INOTIFY_WATCHES}"
    );
    Some(Finding::warning(shown, remedy).fixed_by(Fix::Inotify))
}

fn files(facts: &Facts) -> Option<Finding> {
    let limit = facts.open_files?;
    let shown = limit.to_string();
    Some(if limit < 4096 {
        let remedy = "raise the hard limit of open files (`ulimit -Hn`) to 4096 or more";
        Finding::warning(shown, remedy)
    } else {
        Finding::fine(shown)
    })
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB as f64
}
