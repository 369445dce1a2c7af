//! The plan itself: a value that is listed, stored, cut and run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::estimate::{Demand, Estimate};
use super::spec::SuiteSpec;
use crate::cell::{Cell, CellId};
use crate::shard::{Load, Shard, assign};

/// A cell that will run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCell {
    /// Its id, different from all others.
    pub id: CellId,
    /// Version, network plugin, architecture.
    pub cell: Cell,
    /// Workers beside the control plane.
    pub workers: u8,
    /// Settings of its own by their key, as a flag would give them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// What runs in it, one after the other.
    pub suites: Vec<String>,
    /// What it will take.
    pub estimate: Estimate,
}

/// A combination that will not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedCell {
    /// The combination in words.
    pub what: String,
    /// Why not.
    pub reason: String,
}

/// Every combination of the axes, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Those that will run, in the order they start.
    pub cells: Vec<PlannedCell>,
    /// Those that will not.
    pub skipped: Vec<SkippedCell>,
    /// What the suites of the cells are.
    pub suites: BTreeMap<String, SuiteSpec>,
}

impl Plan {
    /// The cells that belong to `shard`: with those of all other shards, each cell is there once.
    #[must_use]
    pub fn shard(&self, shard: Shard) -> Self {
        let parts = self.parts(shard.count());
        let mine =
            |(cell, part): (&PlannedCell, &usize)| (*part == shard.index()).then(|| cell.clone());
        Self {
            cells: self.cells.iter().zip(&parts).filter_map(mine).collect(),
            ..self.clone()
        }
    }

    /// For each cell, which of `count` parts (from 1) it belongs to, so that all take about as long.
    pub(super) fn parts(&self, count: usize) -> Vec<usize> {
        let loads: Vec<Load<'_>> = self
            .cells
            .iter()
            .map(|cell| Load {
                name: cell.id.as_str(),
                took: Some(Duration::from_secs(cell.estimate.seconds)),
                alone: false,
            })
            .collect();
        assign(&loads, count)
    }

    /// The cells one after the other.
    #[must_use]
    pub fn sequential(&self) -> Duration {
        let seconds = self.cells.iter().map(|cell| cell.estimate.seconds).sum();
        Duration::from_secs(seconds)
    }

    /// What each cell occupies, in their order.
    #[must_use]
    pub fn demands(&self) -> Vec<Demand> {
        self.cells.iter().map(|cell| cell.estimate.demand).collect()
    }
}
