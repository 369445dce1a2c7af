//! What a cell will take: measured where it ran before, else worked out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cell::CellId;
use crate::platform::Emulation;

/// What a cell occupies while it runs, or what a machine has of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// Thousandths of a processor.
    pub millicores: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of disk.
    pub disk: u64,
}

impl Demand {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            millicores: self.millicores.saturating_add(other.millicores),
            memory: self.memory.saturating_add(other.memory),
            disk: self.disk.saturating_add(other.disk),
        }
    }

    /// Whether this is no more than `room`.
    #[must_use]
    pub fn within(self, room: Self) -> bool {
        self.millicores <= room.millicores && self.memory <= room.memory && self.disk <= room.disk
    }
}

/// What a cell is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Seconds from its first container to its removal.
    pub seconds: u64,
    /// What it occupies meanwhile.
    #[serde(flatten)]
    pub demand: Demand,
    /// Whether the time was measured in an earlier run on this machine.
    pub measured: bool,
}

/// What a suite costs, whatever the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuiteCost {
    /// Its specs one after the other.
    pub work: Duration,
    /// Its longest spec.
    pub longest: Duration,
    /// Specs it has.
    pub specs: usize,
}

/// What is known about costs before anything runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs {
    /// How long each cell took when it last ran here with the same suites.
    pub measured: BTreeMap<(CellId, Vec<String>), Duration>,
    /// Suites by name; commands cost what they cost and are not in it.
    pub suites: BTreeMap<String, SuiteCost>,
    /// Processes that will run specs in each cell.
    pub processes: usize,
}

const MIB: u64 = 1 << 20;

/// Starting with images present: 9.4 s for 1+1 and 10.3 s for 1+3 on two processors.
fn boot(emulation: Emulation, workers: u8) -> u64 {
    let workers = u64::from(workers);
    match emulation {
        Emulation::Native | Emulation::Workload => 9 + workers / 2,
        Emulation::Hybrid => 60 + 8 * workers,
    }
}

/// An emulated program needs about this many times the processor time.
fn slower(emulation: Emulation) -> u64 {
    match emulation {
        Emulation::Native => 1,
        Emulation::Workload => 3,
        Emulation::Hybrid => 6,
    }
}

/// Removing it, and writing its reports.
const END: u64 = 3;

impl Costs {
    /// What a cell with these suites is expected to take.
    #[must_use]
    pub fn of(
        &self,
        id: &CellId,
        emulation: Emulation,
        workers: u8,
        suites: &[String],
    ) -> Estimate {
        let slower = slower(emulation);
        let processes = u64::try_from(self.processes.max(1)).unwrap_or(1);
        let known = suites.iter().filter_map(|suite| self.suites.get(suite));
        let specs: u64 = known
            .clone()
            .map(|cost| {
                let even = cost.work.as_secs() / processes;
                // Listing and loading the programs takes a few seconds of its own.
                5 + even.max(cost.longest.as_secs()) * slower
            })
            .sum();
        let most = known.map(|cost| cost.specs).max().unwrap_or(0);
        let busy = processes.min(u64::try_from(most).unwrap_or(0));
        let computed = boot(emulation, workers) + specs + END;
        let measured = self.measured.get(&(id.clone(), suites.to_vec()));
        let emulated = if slower > 1 { 2 } else { 1 };
        Estimate {
            seconds: measured.map_or(computed, |took| took.as_secs().max(1)),
            demand: Demand {
                // Native cells mostly wait; emulated ones take all there is.
                millicores: 1000 * emulated,
                memory: (600 + 100 * u64::from(workers)) * MIB * emulated + busy * 200 * MIB,
                disk: (250 + 50 * u64::from(workers)) * MIB,
            },
            measured: measured.is_some(),
        }
    }
}
