//! The container engine.

use super::check::{Check, Finding};
use super::facts::Facts;
use super::fix::Fix;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "engine",
        probe: reachable,
    },
    Check {
        id: "engine version",
        probe: version,
    },
    Check {
        id: "engine storage",
        probe: storage,
    },
    Check {
        id: "cgroups",
        probe: cgroups,
    },
    Check {
        id: "capabilities",
        probe: capabilities,
    },
];

/// The first version known to do all that is asked of an engine.
const OLDEST: (u64, u64) = (20, 10);

fn reachable(facts: &Facts) -> Option<Finding> {
    Some(match &facts.engine {
        Ok(engine) => Finding::fine(format!("answers at {}", engine.endpoint)),
        Err(reason) if !facts.engine_is_usual => Finding::blocking(
            reason,
            "check that it runs and that you may use it, or leave --engine out",
        ),
        Err(_) if facts.dockerd => Finding::blocking(
            "installed, but does not answer",
            "start it: `systemctl start docker`, or `dockerd` where there is no systemd",
        )
        .fixed_by(Fix::StartEngine),
        Err(_) => Finding::blocking(
            "not installed",
            "install Docker: `apt-get install docker.io`",
        )
        .fixed_by(Fix::InstallEngine),
    })
}

fn version(facts: &Facts) -> Option<Finding> {
    let version = &facts.engine.as_ref().ok()?.version;
    let mut parts = version
        .split(['.', '-', '+'])
        .map(|part| part.parse::<u64>().ok());
    let known = parts.next().flatten().zip(parts.next().flatten());
    Some(match known {
        Some(known) if known < OLDEST => {
            Finding::blocking(version, "use version 20.10 of the engine, or a newer one")
        }
        _ => Finding::fine(version),
    })
}

fn storage(facts: &Facts) -> Option<Finding> {
    let storage = &facts.engine.as_ref().ok()?.storage;
    Some(match storage.as_str() {
        "overlay2" | "overlayfs" => Finding::fine(storage),
        "vfs" => Finding::warning(
            storage,
            "every node copies its whole image; let the engine use overlay2",
        ),
        _ => Finding::warning(
            storage,
            "not tried; overlay2 is what kcluster is tested with",
        ),
    })
}

fn cgroups(facts: &Facts) -> Option<Finding> {
    Some(match facts.engine.as_ref().ok()?.cgroup_version {
        2 => Finding::fine("version 2"),
        version => Finding::warning(
            format!("version {version}"),
            "works, but Kubernetes plans to drop it; boot with systemd.unified_cgroup_hierarchy=1 for version 2",
        ),
    })
}

/// The one capability that privileged containers need and some sandboxes withhold.
const SYS_RESOURCE: u32 = 24;
/// What nodes cannot be without: CAP_NET_ADMIN, CAP_SYS_ADMIN.
const NEEDED: [(u32, &str); 2] = [(12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN")];

fn capabilities(facts: &Facts) -> Option<Finding> {
    if !facts.engine_is_local {
        return None;
    }
    let has = |bit: u32| facts.capabilities & (1 << bit) != 0;
    if let Some((_, name)) = NEEDED.iter().find(|(bit, _)| !has(*bit)) {
        return Some(Finding::blocking(
            format!("{name} is withheld from this machine"),
            "run on a machine, or in a container, that has it",
        ));
    }
    Some(if has(SYS_RESOURCE) {
        Finding::fine("all that nodes need")
    } else {
        Finding::fine("without CAP_SYS_RESOURCE: nodes get an explicit list")
    })
}
