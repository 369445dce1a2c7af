//! What happened, in the form every report is folded from.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The verdict on a step, a spec, a suite or a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// A spec ran and found a fault.
    Failed {
        /// What the spec reported.
        message: String,
    },
    /// The infrastructure failed, so nothing can be told.
    Errored {
        /// What failed, where, and what to do next.
        message: String,
    },
    /// It was not run.
    Skipped {
        /// Why not.
        reason: String,
    },
}

impl Outcome {
    /// How bad this is; the verdict on a whole is the worst of its parts.
    #[must_use]
    pub fn severity(&self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Skipped { .. } => 1,
            Self::Failed { .. } => 2,
            Self::Errored { .. } => 3,
        }
    }

    /// Whether it passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        matches!(self, Self::Passed)
    }
}

/// One thing that was run and judged: a spec, or a step of a boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its full name.
    pub name: String,
    /// What it belongs to: the SIG of a spec, or "boot".
    pub class: String,
    /// How long it ran, over all attempts.
    pub took: Duration,
    /// The verdict of the last attempt.
    pub outcome: Outcome,
    /// Runs of it; more than one means it was retried, and if it then passed it is flaky.
    pub attempts: u32,
    /// What it printed, unsanitised.
    pub output: String,
}

impl Case {
    /// Passed, but not at first.
    #[must_use]
    pub fn is_flaky(&self) -> bool {
        self.attempts > 1 && self.outcome.is_passed()
    }
}

/// Cases that were run together, on one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suite {
    /// The cell's id, so that the suites of a matrix can be told apart.
    pub name: String,
    /// What was done: "boot", "conformance", "conformance-serial".
    pub phase: String,
    /// Where it ran.
    pub host: String,
    /// When it began.
    pub started: Timestamp,
    /// Whatever describes the cell: version, architecture, which parts ran native, …
    pub properties: Vec<(String, String)>,
    /// The cases, in the order they ended.
    pub cases: Vec<Case>,
}

impl Suite {
    /// The value of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        let found = self.properties.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// How many cases of each verdict there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Passed, the flaky ones included.
    pub passed: usize,
    /// Failed specs.
    pub failed: usize,
    /// Infrastructure failures.
    pub errored: usize,
    /// Skipped, each with its reason.
    pub skipped: usize,
    /// Passed only after a retry; also counted in `passed`.
    pub flaky: usize,
}

impl Totals {
    /// Counts cases.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let mut totals = Self::default();
        for case in cases {
            match case.outcome {
                Outcome::Passed => totals.passed += 1,
                Outcome::Failed { .. } => totals.failed += 1,
                Outcome::Errored { .. } => totals.errored += 1,
                Outcome::Skipped { .. } => totals.skipped += 1,
            }
            totals.flaky += usize::from(case.is_flaky());
        }
        totals
    }

    /// All cases counted.
    #[must_use]
    pub fn cases(&self) -> usize {
        self.passed + self.failed + self.errored + self.skipped
    }

    /// The exit code that says this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.errored > 0 {
            crate::exit::CLUSTER_FAILED
        } else if self.failed > 0 {
            crate::exit::TESTS_FAILED
        } else {
            crate::exit::PASSED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(outcome: Outcome, attempts: u32) -> Case {
        Case {
            name: "n".into(),
            class: "c".into(),
            took: Duration::ZERO,
            outcome,
            attempts,
            output: String::new(),
        }
    }

    #[test]
    fn totals_count_each_case_once_and_errors_weigh_most() {
        let failed = Outcome::Failed {
            message: "m".into(),
        };
        let errored = Outcome::Errored {
            message: "m".into(),
        };
        let mut cases = vec![case(Outcome::Passed, 1), case(Outcome::Passed, 2)];
        assert_eq!(Totals::of(&cases).exit_code(), crate::exit::PASSED);
        cases.push(case(failed, 2));
        assert_eq!(Totals::of(&cases).exit_code(), crate::exit::TESTS_FAILED);
        cases.push(case(errored, 1));
        let totals = Totals::of(&cases);
        assert_eq!((totals.cases(), totals.flaky), (4, 1));
        assert_eq!(totals.exit_code(), crate::exit::CLUSTER_FAILED);
    }
}
