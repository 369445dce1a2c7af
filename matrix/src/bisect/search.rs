//! The state machine.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::flaky::{Rule, RuleError};
use super::history::{Bits, History};
use super::pick::pick;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// The first bad point after a good one.
    FirstBad,
    /// The first good point after a bad one.
    FirstGood,
}

/// What one run at a point said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It passed.
    Good,
    /// It failed.
    Bad,
    /// It did not build, did not boot, or the infrastructure failed.
    CannotTell,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::CannotTell => "cannot tell",
        })
    }
}

/// One answer, as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Which point.
    pub point: String,
    /// What it said.
    pub answer: Answer,
    /// Why it cannot be told, or where the answer comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What all runs of a point say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Which point.
    pub point: String,
    /// The verdict.
    pub answer: Answer,
    /// Runs that passed.
    pub passed: usize,
    /// Runs that failed.
    pub failed: usize,
    /// Why it cannot be told, or where the answer comes from.
    pub note: Option<String>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run this point (once more) and record the answer.
    Test {
        /// Which point.
        point: String,
        /// Runs of it so far.
        runs: usize,
    },
    /// It is over.
    Done(Conclusion),
}

/// How a search ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end", deny_unknown_fields)]
pub enum Conclusion {
    /// This is the first.
    Found {
        /// Its name.
        point: String,
    },
    /// It is one of these; all others of them could not be told.
    OneOf {
        /// Their names, the oldest first.
        points: Vec<String>,
    },
    /// An end is not what it was said to be, so there is nothing to look for.
    WrongEnd {
        /// The end.
        point: String,
        /// What it was said to be.
        said: Answer,
        /// What it is.
        is: Answer,
    },
}

/// Why a search cannot begin, or an answer not be taken.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SearchError {
    /// The name of no point.
    #[error("`{0}` is not in the history")]
    Unknown(String),
    /// The old end must come before the new one.
    #[error("`{old}` does not come before `{new}`")]
    NotBefore {
        /// The end that should come first.
        old: String,
        /// The other one.
        new: String,
    },
    /// The rule tells nothing apart.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// The search. Written down and read again it goes on where it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Search {
    saved: Saved,
    old: usize,
    new: usize,
    /// All points that the answer may be, before anything was asked.
    range: Bits,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Saved {
    goal: Goal,
    good: String,
    bad: String,
    rule: Rule,
    history: History,
    records: Vec<Record>,
}

impl From<Search> for Saved {
    fn from(search: Search) -> Self {
        search.saved
    }
}

impl TryFrom<Saved> for Search {
    type Error = SearchError;

    fn try_from(saved: Saved) -> Result<Self, SearchError> {
        saved.rule.checked()?;
        let index = |id: &String| {
            let found = saved.history.index(id);
            found.ok_or_else(|| SearchError::Unknown(id.clone()))
        };
        for record in &saved.records {
            index(&record.point)?;
        }
        let (old, new) = match saved.goal {
            Goal::FirstBad => (&saved.good, &saved.bad),
            Goal::FirstGood => (&saved.bad, &saved.good),
        };
        let not_before = || SearchError::NotBefore {
            old: old.clone(),
            new: new.clone(),
        };
        let (old_at, new_at) = (index(old)?, index(new)?);
        let mut range = saved.history.before(new_at).ok_or_else(not_before)?.clone();
        if old_at == new_at || !range.has(old_at) {
            return Err(not_before());
        }
        range.drop_all(saved.history.before(old_at).ok_or_else(not_before)?);
        Ok(Self {
            saved,
            old: old_at,
            new: new_at,
            range,
        })
    }
}

/// What is known so far.
struct State {
    open: Bits,
    tip: usize,
    untold: Bits,
}

impl Search {
    /// A search between two points of a history.
    ///
    /// # Errors
    /// When a point is not in it, the first does not come before the second, or the rule tells nothing apart.
    pub fn new(
        history: History,
        goal: Goal,
        (good, bad): (&str, &str),
        rule: Rule,
    ) -> Result<Self, SearchError> {
        Self::try_from(Saved {
            goal,
            good: good.to_owned(),
            bad: bad.to_owned(),
            rule,
            history,
            records: Vec::new(),
        })
    }

    /// What is looked for.
    #[must_use]
    pub fn goal(&self) -> Goal {
        self.saved.goal
    }

    /// The points and their order.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.saved.history
    }

    /// The end that was said to be good.
    #[must_use]
    pub fn good(&self) -> &str {
        &self.saved.good
    }

    /// The end that was said to be bad.
    #[must_use]
    pub fn bad(&self) -> &str {
        &self.saved.bad
    }

    /// How flaky specs are judged.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        &self.saved.rule
    }

    /// How many points the answer was among at first.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.range.count()
    }

    /// How many points the answer is among now.
    #[must_use]
    pub fn left(&self) -> usize {
        self.state().open.count()
    }

    /// Points to ask about at most when all can be told: both ends, and one for each halving.
    #[must_use]
    pub fn questions(&self) -> usize {
        let halvings = usize::BITS - self.candidates().saturating_sub(1).leading_zeros();
        halvings as usize + 3
    }

    /// All answers, in the order they came.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.saved.records
    }

    /// Takes the answer of one run.
    ///
    /// # Errors
    /// When there is no such point.
    pub fn record(
        &mut self,
        point: &str,
        answer: Answer,
        note: Option<String>,
    ) -> Result<(), SearchError> {
        self.saved
            .history
            .index(point)
            .ok_or_else(|| SearchError::Unknown(point.to_owned()))?;
        self.saved.records.push(Record {
            point: point.to_owned(),
            answer,
            note,
        });
        Ok(())
    }

    /// What the runs of a point say, if they say enough.
    #[must_use]
    pub fn verdict(&self, point: &str) -> Option<Verdict> {
        let mut verdict = Verdict {
            point: point.to_owned(),
            answer: Answer::CannotTell,
            passed: 0,
            failed: 0,
            note: None,
        };
        let mut untold = false;
        for record in self.records().iter().filter(|record| record.point == point) {
            match record.answer {
                Answer::Good => verdict.passed += 1,
                Answer::Bad => verdict.failed += 1,
                Answer::CannotTell => untold = true,
            }
            verdict.note = record.note.clone().or(verdict.note);
        }
        if untold {
            return Some(verdict);
        }
        let (rule, runs) = (&self.saved.rule, verdict.passed + verdict.failed);
        match rule.judge(verdict.passed, verdict.failed, self.questions()) {
            Some(true) => verdict.answer = Answer::Bad,
            Some(false) => verdict.answer = Answer::Good,
            None if runs < rule.most_runs => return None,
            None => verdict.note = Some(format!("{runs} runs do not tell")),
        }
        Some(verdict)
    }

    /// The verdicts on all points that were asked about, in the order of their first runs.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut seen: Vec<&str> = Vec::new();
        for record in self.records() {
            if !seen.contains(&record.point.as_str()) {
                seen.push(&record.point);
            }
        }
        seen.into_iter()
            .filter_map(|point| self.verdict(point))
            .collect()
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Next {
        // The new end first: if what is looked for is not there any more, nothing else is worth a boot.
        let (old_said, new_said) = self.said();
        for (end, said) in [(self.new, new_said), (self.old, old_said)] {
            let point = self.name(end);
            match self.verdict(&point) {
                None => return self.test(point),
                Some(verdict) if verdict.answer != said => {
                    return Next::Done(Conclusion::WrongEnd {
                        point,
                        said,
                        is: verdict.answer,
                    });
                }
                Some(_) => {}
            }
        }
        let state = self.state();
        if let Some(index) = pick(&self.saved.history, &state.open, state.tip, &state.untold) {
            return self.test(self.name(index));
        }
        let points: Vec<String> = state.open.iter().map(|index| self.name(index)).collect();
        Next::Done(match <[String; 1]>::try_from(points) {
            Ok([point]) => Conclusion::Found { point },
            Err(points) => Conclusion::OneOf { points },
        })
    }

    /// The points that would be asked about after `point`, if it were good and if it were bad: worth building already.
    #[must_use]
    pub fn outlook(&self, point: &str) -> Vec<String> {
        let mut points = Vec::new();
        for answer in [Answer::Bad, Answer::Good] {
            let mut then = self.clone();
            // As many runs as decide; with any rule that is checked, some number does.
            while then.verdict(point).is_none() {
                if then.record(point, answer, None).is_err() {
                    return points;
                }
            }
            match then.next() {
                Next::Test { point: next, .. } if next != point && !points.contains(&next) => {
                    points.push(next);
                }
                _ => {}
            }
        }
        points
    }

    /// What the old and the new end were said to be.
    fn said(&self) -> (Answer, Answer) {
        match self.saved.goal {
            Goal::FirstBad => (Answer::Good, Answer::Bad),
            Goal::FirstGood => (Answer::Bad, Answer::Good),
        }
    }

    fn test(&self, point: String) -> Next {
        let runs = self.records().iter().filter(|record| record.point == point);
        let runs = runs.count();
        Next::Test { point, runs }
    }

    fn name(&self, index: usize) -> String {
        let point = self.saved.history.at(index);
        point.map(|point| point.id.clone()).unwrap_or_default()
    }

    /// Folds all verdicts.
    fn state(&self) -> State {
        let history = &self.saved.history;
        let mut state = State {
            open: self.range.clone(),
            tip: self.new,
            untold: history.nothing(),
        };
        let (old_said, new_said) = self.said();
        for verdict in self.verdicts() {
            let Some(index) = history.index(&verdict.point) else {
                continue;
            };
            if verdict.answer == Answer::CannotTell {
                state.untold.insert(index);
            } else if let Some(before) = history.before(index)
                && state.open.has(index)
            {
                // What lies outside is known already, and an answer against it would leave nothing.
                if verdict.answer == new_said {
                    state.open.keep(before);
                    state.tip = index;
                } else if verdict.answer == old_said && index != state.tip {
                    state.open.drop_all(before);
                }
            }
        }
        state
    }
}
