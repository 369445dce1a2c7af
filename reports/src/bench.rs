//! Figures of a machine: taken several times, kept as JSON, shown as tables, compared.

mod compare;
mod show;
mod stats;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use compare::compare;
pub use show::{HEADINGS, markdown, remarks, tables};
pub use stats::Stats;

/// All that one run of `bench` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// Version of this document.
    pub format: u32,
    /// When it began.
    pub at: Timestamp,
    /// Kubernetes' version.
    pub kubernetes: String,
    /// Where.
    pub machine: Machine,
    /// One for each figure and maker.
    pub rows: Vec<Row>,
}

/// The version that is written, and read back by `--compare`.
pub const FORMAT: u32 = 1;

/// What the figures depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors.
    pub cpus: u64,
    /// Memory, bytes.
    pub memory: u64,
    /// The engine and its version.
    pub engine: String,
    /// How it stores images.
    pub storage: String,
    /// Version of control groups.
    pub cgroups: u8,
    /// Processes that ran or wanted to when it began, averaged over a minute; none if not known.
    pub load: Option<f64>,
}

impl Machine {
    /// Whether others worked on the machine when the run began: its times are not for a record then.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        // As a processor's worth of work; a run that follows another leaves up to half of one.
        self.load.is_some_and(|load| load > 0.75)
    }
}

/// Which table a figure stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Seconds until something is there.
    Boot,
    /// What is written to disk.
    Disk,
    /// What is taken of the machine's memory.
    Memory,
    /// What an image takes, unpacked.
    Images,
    /// Seconds until clusters of another architecture are there.
    Emulated,
    /// Seconds of processor time that node images take from nothing.
    Builds,
}

impl Topic {
    /// All, in the order they are shown.
    pub const ALL: [Self; 6] = [
        Self::Boot,
        Self::Disk,
        Self::Memory,
        Self::Images,
        Self::Emulated,
        Self::Builds,
    ];

    /// What the table is about.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Boot => "Boot",
            Self::Disk => "Disk",
            Self::Memory => "Memory",
            Self::Images => "Images",
            Self::Emulated => "Emulated",
            Self::Builds => "Builds",
        }
    }
}

/// Whose figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maker {
    /// Ours.
    Kcluster,
    /// The peer's, where it is installed.
    Kind,
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kcluster => "kcluster",
            Self::Kind => "kind",
        })
    }
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// One figure by another.
    Ratio,
}

impl Unit {
    /// `value` in words.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        const MIB: f64 = 1_048_576.0;
        match self {
            Self::Seconds if value.abs() < 1.0 => format!("{value:.2} s"),
            Self::Seconds => format!("{value:.1} s"),
            Self::Bytes if value.abs() < 100.0 * MIB => format!("{:.1} MiB", value / MIB),
            Self::Bytes => format!("{:.0} MiB", value / MIB),
            Self::Ratio => format!("{value:.2}"),
        }
    }
}

/// One figure of one maker, as often as it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its table.
    pub topic: Topic,
    /// What was measured.
    pub what: String,
    /// Of whom.
    pub maker: Maker,
    /// In what.
    pub unit: Unit,
    /// Each time it was taken.
    pub samples: Vec<f64>,
    /// What it must not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Why it was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

impl Row {
    /// A figure that is yet to be taken.
    #[must_use]
    pub fn new(topic: Topic, what: impl Into<String>, maker: Maker, unit: Unit) -> Self {
        Self {
            topic,
            what: what.into(),
            maker,
            unit,
            samples: Vec::new(),
            limit: None,
            skipped: None,
        }
    }

    /// Its median and spread; none if it was not taken.
    #[must_use]
    pub fn stats(&self) -> Option<Stats> {
        Stats::of(&self.samples)
    }

    /// Whether its median exceeds what it must not.
    #[must_use]
    pub fn exceeds(&self) -> bool {
        let median = self.stats().map(|stats| stats.median);
        median.zip(self.limit).is_some_and(|(is, most)| is > most)
    }

    fn is_of(&self, other: &Self) -> bool {
        (self.topic, &self.what, self.maker) == (other.topic, &other.what, other.maker)
    }
}

impl Bench {
    /// Adds a sample to the figure like `row`, which is added first if there is none.
    pub fn take(&mut self, row: Row, sample: f64) {
        match self.rows.iter_mut().find(|known| known.is_of(&row)) {
            Some(known) => known.samples.push(sample),
            None => self.rows.push(Row {
                samples: vec![sample],
                ..row
            }),
        }
    }

    /// Adds a figure that cannot be taken, with the reason.
    pub fn skip(&mut self, row: Row, reason: impl Into<String>) {
        if !self.rows.iter().any(|known| known.is_of(&row)) {
            let skipped = Some(reason.into());
            self.rows.push(Row { skipped, ..row });
        }
    }

    /// Figures that were not taken.
    #[must_use]
    pub fn skipped(&self) -> Vec<&Row> {
        let rows = self.rows.iter();
        rows.filter(|row| row.skipped.is_some()).collect()
    }

    /// Figures above what they must not exceed.
    #[must_use]
    pub fn exceeding(&self) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.exceeds()).collect()
    }
}
