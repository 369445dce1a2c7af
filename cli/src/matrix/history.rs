//! What this machine remembers of cells: how long they took, and whether they passed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::CellId;
use serde::{Deserialize, Serialize};

/// One cell's last run with these suites.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    cell: CellId,
    suites: Vec<String>,
    seconds: u64,
    passed: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct History(Vec<Entry>);

/// More cells than any matrix has; the oldest go first.
const MOST: usize = 2000;

fn file(cache: &Utf8Path) -> Utf8PathBuf {
    cache.join("matrix/history.json")
}

impl History {
    /// What is remembered. A file that is not there or cannot be read is nothing: it only decides the order.
    pub(super) fn read(cache: &Utf8Path) -> Self {
        let text = fs_err::read_to_string(file(cache)).unwrap_or_default();
        Self(serde_json::from_str(&text).unwrap_or_default())
    }

    /// How long cells took.
    pub(super) fn measured(&self) -> BTreeMap<(CellId, Vec<String>), Duration> {
        let entry = |entry: &Entry| {
            let key = (entry.cell.clone(), entry.suites.clone());
            (key, Duration::from_secs(entry.seconds))
        };
        self.0.iter().map(entry).collect()
    }

    /// Cells that did not pass.
    pub(super) fn failed(&self) -> BTreeSet<CellId> {
        let failed = self.0.iter().filter(|entry| !entry.passed);
        failed.map(|entry| entry.cell.clone()).collect()
    }

    /// Adds how a cell ended; that it cannot spoils nothing, and a cell that did not pass did not take its time.
    pub(super) fn record(
        cache: &Utf8Path,
        cell: &CellId,
        suites: &[String],
        took: Duration,
        passed: bool,
    ) -> std::io::Result<()> {
        let mut history = Self::read(cache);
        let same = |entry: &Entry| entry.cell == *cell && entry.suites == suites;
        let before = history.0.iter().find(|entry| same(entry));
        let seconds = match (passed, before) {
            (false, Some(before)) => before.seconds,
            _ => took.as_secs(),
        };
        history.0.retain(|entry| !same(entry));
        history.0.push(Entry {
            cell: cell.clone(),
            suites: suites.to_vec(),
            seconds,
            passed,
        });
        let surplus = history.0.len().saturating_sub(MOST);
        history.0.drain(..surplus);
        super::state::write_json(&file(cache), &history.0)
    }
}
