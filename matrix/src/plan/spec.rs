//! What a team writes down.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::axes::Axes;
use crate::suggest::UnknownValue;

/// The order cells are started in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// What takes least comes first, so that most verdicts are there early.
    #[default]
    CheapestFirst,
    /// What did not pass last time comes first, then the cheapest.
    FailuresFirst,
}

impl Order {
    /// Every order.
    pub const ALL: [Self; 2] = [Self::CheapestFirst, Self::FailuresFirst];

    /// The word in configuration and flags.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CheapestFirst => "cheapest-first",
            Self::FailuresFirst => "failures-first",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Order {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        let found = Self::ALL.into_iter().find(|order| order.as_str() == text);
        found.ok_or_else(|| UnknownValue::new("order", text, Self::ALL.map(Self::as_str)))
    }
}

/// Cells that are not wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclude {
    /// Which.
    pub which: Axes,
    /// Why, in the user's words.
    pub reason: Option<String>,
}

/// Settings for some cells only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// Which cells.
    pub when: Axes,
    /// Settings by their key, as a flag would give them.
    pub settings: BTreeMap<String, String>,
    /// Other suites than the matrix's.
    pub suites: Option<Vec<String>>,
}

/// What is run in a cell, under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SuiteSpec {
    /// Specs whose name matches one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub focus: Vec<String>,
    /// But none whose name matches one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// Specs with these labels instead of Conformance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_filter: Option<String>,
    /// Also those that must run alone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// A command instead of specs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Jobs of GitHub's that its specs are divided over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
}

/// The matrix as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatrixSpec {
    /// The axes, whose cartesian product is the matrix.
    pub axes: Axes,
    /// More cells; an axis that one of these does not name has the matrix's first value.
    pub include: Vec<Axes>,
    /// Fewer cells.
    pub exclude: Vec<Exclude>,
    /// Settings for some cells; later ones count more.
    pub overrides: Vec<Override>,
    /// What runs in each cell, one after the other.
    pub suites: Vec<String>,
    /// What the names mean, beside those that kcluster knows.
    pub named: BTreeMap<String, SuiteSpec>,
}

/// Whether this may name a suite: it becomes part of file names and command lines.
#[must_use]
pub fn suite_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 40 && name.bytes().all(plain) && !name.starts_with('-')
}
