//! The shape of a check.

use serde::Serialize;

use super::facts::Facts;
use super::fix::Fix;

/// How a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Fine,
    /// Works, with limits worth knowing.
    Warning,
    /// Clusters cannot be made like this.
    Blocking,
}

impl Level {
    /// The sign in the table.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Fine => "✓",
            Self::Warning => "!",
            Self::Blocking => "✗",
        }
    }
}

/// One point to look at.
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) probe: fn(&Facts) -> Option<Finding>,
}

impl Check {
    /// What it finds, if it concerns this machine.
    pub(super) fn run(&self, facts: &Facts) -> Option<Result> {
        let Finding {
            level,
            found,
            remedy,
            fix,
            details,
        } = (self.probe)(facts)?;
        Some(Result {
            check: self.id,
            level,
            found,
            remedy,
            fixable: fix.is_some(),
            details,
            fix,
        })
    }
}

/// What was found there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    pub(crate) found: String,
    pub(crate) remedy: Option<String>,
    pub(crate) fix: Option<Fix>,
    /// What is too long for a table.
    pub(crate) details: Vec<String>,
}

impl Finding {
    pub(super) fn fine(found: impl Into<String>) -> Self {
        Self {
            level: Level::Fine,
            found: found.into(),
            remedy: None,
            fix: None,
            details: Vec::new(),
        }
    }

    pub(super) fn warning(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self {
            level: Level::Warning,
            found: found.into(),
            remedy,
            fix: None,
            details: Vec::new(),
        }
    }

    pub(super) fn blocking(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Blocking,
            ..Self::warning(found, remedy)
        }
    }

    /// The same, with what `--fix` does about it.
    #[must_use]
    pub(super) fn fixed_by(self, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..self
        }
    }

    #[must_use]
    pub(super) fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }
}

/// A check's finding, with the check's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Result {
    pub(crate) check: &'static str,
    pub(crate) level: Level,
    pub(crate) found: String,
    pub(crate) remedy: Option<String>,
    /// Whether `--fix` can do it.
    pub(crate) fixable: bool,
    /// What is too long for the table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) details: Vec<String>,
    #[serde(skip)]
    pub(crate) fix: Option<Fix>,
}
