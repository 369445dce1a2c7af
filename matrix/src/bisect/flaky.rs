//! Judging a spec that does not fail always, or not only where it should.
//!
//! Wald's sequential test: each run moves the evidence towards bad or good, and the point is judged as soon as the
//! evidence is strong enough for the error allowed. It needs fewer runs than any fixed number that is as sure.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How often it fails, and how sure the verdict must be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Share of runs that fail on a good point; 0 when a failure proves it bad.
    pub fails_on_good: f64,
    /// Share of runs that fail on a bad point; 1 when a pass proves it good.
    pub fails_on_bad: f64,
    /// How probable a wrong answer of the whole search may be.
    pub error: f64,
    /// Runs of a point after which it cannot be told.
    pub most_runs: usize,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            fails_on_good: 0.0,
            fails_on_bad: 1.0,
            error: 0.01,
            most_runs: 200,
        }
    }
}

/// A rule that tells nothing apart.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RuleError {
    /// The two rates are no rates, or the wrong way round.
    #[error(
        "a bad point must fail more often than a good one, both between 0 and 1; {good} on good and {bad} on bad points cannot be told apart"
    )]
    Rates {
        /// On good points.
        good: f64,
        /// On bad ones.
        bad: f64,
    },
    /// No probability that one could want.
    #[error("an error of {0} cannot be allowed; write one above 0 and below 0.5, such as 0.01")]
    Error(f64),
    /// A point must be run at least once.
    #[error("a point must be run at least once")]
    Runs,
}

impl Rule {
    /// The rule, if it can tell good from bad.
    ///
    /// # Errors
    /// When it cannot.
    pub fn checked(self) -> Result<Self, RuleError> {
        let (good, bad) = (self.fails_on_good, self.fails_on_bad);
        let rate = |rate: f64| (0.0..=1.0).contains(&rate);
        if !rate(good) || !rate(bad) || good >= bad {
            return Err(RuleError::Rates { good, bad });
        }
        if !(self.error > 0.0 && self.error < 0.5) {
            return Err(RuleError::Error(self.error));
        }
        if self.most_runs == 0 {
            return Err(RuleError::Runs);
        }
        Ok(self)
    }

    /// Whether one run decides.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.fails_on_good <= 0.0 && self.fails_on_bad >= 1.0
    }

    /// Whether so many passes and failures say bad; nothing while they say too little. `questions` is how many
    /// points are asked about, which share the error allowed.
    pub(super) fn judge(&self, passed: usize, failed: usize, questions: usize) -> Option<bool> {
        // Each question may be answered wrongly in either way.
        let error = self.error / count(questions.max(1));
        let bound = ((1.0 - error) / error).ln();
        let per_failure = (self.fails_on_bad / self.fails_on_good).ln();
        let per_pass = ((1.0 - self.fails_on_bad) / (1.0 - self.fails_on_good)).ln();
        // What cannot happen on one side proves the other; infinity times nothing would be no number.
        let part = |runs: usize, each: f64| if runs == 0 { 0.0 } else { count(runs) * each };
        let evidence = part(failed, per_failure) + part(passed, per_pass);
        // A pass proves it good and a failure bad: where both were seen, the failure did happen.
        if evidence.is_nan() || evidence >= bound {
            Some(true)
        } else if evidence <= -bound {
            Some(false)
        } else {
            None
        }
    }
}

/// A count as a number to reckon with; exact for any that can be.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// How probably a point that fails in `rate` of its runs is judged bad, and good: reckoned, not tried.
    fn judged(rule: &Rule, questions: usize, rate: f64) -> (f64, f64) {
        let (mut bad, mut good) = (0.0, 0.0);
        // Passes and failures that still say too little, and how probable they are.
        let mut open = BTreeMap::from([((0, 0), 1.0)]);
        for _ in 0..rule.most_runs {
            let mut next = BTreeMap::new();
            for ((passed, failed), share) in open {
                let after = [
                    (passed + 1, failed, share * (1.0 - rate)),
                    (passed, failed + 1, share * rate),
                ];
                for (passed, failed, share) in after {
                    match rule.judge(passed, failed, questions) {
                        Some(true) => bad += share,
                        Some(false) => good += share,
                        None => *next.entry((passed, failed)).or_insert(0.0) += share,
                    }
                }
            }
            open = next;
        }
        (bad, good)
    }

    #[test]
    fn all_questions_together_are_answered_wrongly_less_often_than_is_allowed() {
        for (fails_on_good, fails_on_bad) in [(0.3, 0.9), (0.0, 0.5), (0.1, 1.0), (0.4, 0.6)] {
            for (error, questions) in [(0.01, 6), (0.05, 9), (0.2, 3)] {
                let rule = Rule {
                    fails_on_good,
                    fails_on_bad,
                    error,
                    most_runs: 2000,
                };
                let (wrongly_bad, good) = judged(&rule, questions, fails_on_good);
                let (bad, wrongly_good) = judged(&rule, questions, fails_on_bad);
                let all = count(questions) * wrongly_bad.max(wrongly_good);
                assert!(all <= error, "{rule:?}: {all}");
                assert!(
                    (wrongly_bad + good - 1.0).abs() < 1e-6
                        && (bad + wrongly_good - 1.0).abs() < 1e-6,
                    "{rule:?} leaves points open"
                );
            }
        }
    }
}
