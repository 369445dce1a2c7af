//! Emulators of the other architectures.

use kcluster_cluster::emulation::Emulator;
use kcluster_matrix::Arch;

use super::check::{Check, Finding};
use super::facts::{Emulation, Facts};
use super::fix::Fix;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "emulator amd64",
        probe: |facts| emulator(facts, Arch::Amd64),
    },
    Check {
        id: "emulator arm64",
        probe: |facts| emulator(facts, Arch::Arm64),
    },
    Check {
        id: "emulator ppc64le",
        probe: |facts| emulator(facts, Arch::Ppc64le),
    },
    Check {
        id: "emulator s390x",
        probe: |facts| emulator(facts, Arch::S390x),
    },
];

fn emulator(facts: &Facts, arch: Arch) -> Option<Finding> {
    let remedy = format!("only cells of {arch} need it; `up --arch {arch}` sees to it too");
    match &facts.emulation {
        Emulation::Unknown => None,
        Emulation::Unprepared(native) => (*native != arch)
            .then(|| Finding::warning("not looked at", remedy).fixed_by(Fix::Emulators)),
        Emulation::Refused(reason) => {
            // Said once.
            (arch == Arch::S390x).then(|| {
                Finding::warning(
                    reason,
                    "cells of other architectures do not boot on this engine",
                )
            })
        }
        Emulation::Found(found) => {
            let machine = found
                .machines
                .iter()
                .find(|machine| machine.arch == arch && !machine.native)?;
            Some(if machine.good {
                Finding::fine(describe(machine)).with_details(details(machine))
            } else {
                Finding::warning(machine.why.join("; "), remedy).fixed_by(Fix::Emulators)
            })
        }
    }
}

fn describe(machine: &Emulator) -> String {
    let names: Vec<&str> = machine
        .entries
        .iter()
        .filter(|entry| entry.ours == machine.ours)
        .map(|entry| entry.name.as_str())
        .collect();
    let whose = if machine.ours { "" } else { ", not kcluster's" };
    format!(
        "QEMU {} ({}{whose}) execs, forks, talks and maps; it refuses {} calls that the kernel has (--json names them)",
        machine.version,
        names.join(", "),
        machine.lacks.len()
    )
}

fn details(machine: &Emulator) -> Vec<String> {
    machine
        .lacks
        .iter()
        .map(|lack| {
            format!(
                "{}: {}, the kernel itself says {}",
                lack.what, lack.emulated, lack.native
            )
        })
        .collect()
}
