//! Issues about culprits: which to open, to bring up to date, to open again and to close.
//!
//! One issue for each culprit and cell, and at most one that is new on a day. All of it follows from what searches
//! found, what later days say, and which issues there are; who talks to GitHub is no concern of it.

mod body;
mod standing;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kcluster_matrix::bisect::{Conclusion, Goal};
use serde::{Deserialize, Serialize};

use crate::bisect::{Finding, short};
use crate::trend::Day;
use standing::{Standing, standing};

/// What all our issues carry. GitHub lets only those who may write set it, so others' issues are never taken for ours.
pub const LABEL: &str = "kcluster-bisect";

/// What an issue of ours is about; its body keeps it where people do not see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The cell, without its version.
    pub cell: String,
    /// The commit, or those that cannot be told apart.
    pub culprit: Vec<String>,
    /// The bad end of the search: where it was seen first.
    pub bad: String,
}

/// An issue of ours as GitHub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its number.
    pub number: u64,
    /// Whether it is open.
    pub open: bool,
    /// Its text.
    pub body: String,
    /// When it was opened.
    pub created: Timestamp,
}

/// What to do about one issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open one.
    Open {
        /// What it is about.
        subject: Subject,
        /// Its title.
        title: String,
        /// Its text.
        body: String,
    },
    /// Bring its text up to date.
    Update {
        /// Which one.
        number: u64,
        /// Its new text.
        body: String,
    },
    /// It was closed, and a new search found the same culprit again.
    Reopen {
        /// Which one.
        number: u64,
        /// Its new text.
        body: String,
        /// What is said about it.
        comment: String,
    },
    /// All is green again.
    Close {
        /// Which one.
        number: u64,
        /// What is said about it.
        comment: String,
    },
}

/// What to do, and why nothing is done about the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// In this order.
    pub actions: Vec<Action>,
    /// For people.
    pub notes: Vec<String>,
}

const BEGIN: &str = "<!-- kcluster-bisect ";
const END: &str = " -->";

impl Subject {
    /// What a search blames. Nothing while it has found nothing, or when it looked for a fix.
    #[must_use]
    pub fn of(finding: &Finding) -> Option<Self> {
        let culprit = match finding.conclusion.as_ref()? {
            Conclusion::Found { point } => vec![point.clone()],
            Conclusion::OneOf { points } => points.clone(),
            Conclusion::WrongEnd { .. } => return None,
        };
        (finding.goal == Goal::FirstBad).then(|| Self {
            cell: finding.cell.clone(),
            culprit,
            bad: finding.bad.clone(),
        })
    }

    /// What an issue's text says it is about.
    #[must_use]
    pub fn read(body: &str) -> Option<Self> {
        let (_, rest) = body.split_once(BEGIN)?;
        let (json, _) = rest.split_once(END)?;
        serde_json::from_str(json).ok()
    }

    /// A comment that pages do not show.
    pub(crate) fn mark(&self) -> String {
        // A comment ends at the first `-->`, whatever was in a name. Texts and lists can always be written.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{BEGIN}{}{END}", json.replace('>', "\\u003e"))
    }

    /// Whether both are one issue.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.cell == other.cell && self.culprit == other.culprit
    }

    /// In a few words.
    #[must_use]
    pub fn shown(&self) -> String {
        let culprit: Vec<&str> = self.culprit.iter().map(|id| short(id)).collect();
        format!("{} in {}", culprit.join(" or "), self.cell)
    }
}

/// What to do at `now`, given what searches found, the days that are stored, and our issues.
#[must_use]
pub fn decide(findings: &[Finding], days: &[Day], known: &[Known], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    let mut known: Vec<(&Known, Subject)> = known
        .iter()
        .filter_map(|issue| Some((issue, Subject::read(&issue.body)?)))
        .collect();
    known.sort_by_key(|(issue, _)| issue.number);
    let mut opened = known.iter().any(|(issue, _)| same_day(issue.created, now));
    let found = latest(findings, &mut decision.notes);
    for (finding, subject) in &found {
        let is = standing(subject, finding.begun, days);
        // Of several, the first is the one that people know.
        let mut issues = known.iter().filter(|(_, known)| known.is_same(subject));
        let issue = issues.clone().find(|(issue, _)| issue.open);
        let issue = issue.or_else(|| issues.next());
        let body = || body::body(finding, subject, &is);
        match (issue, &is) {
            (Some((issue, _)), Standing::Red { .. }) if issue.open => {
                if issue.body.trim() != body().trim() {
                    let (number, body) = (issue.number, body());
                    decision.actions.push(Action::Update { number, body });
                }
            }
            (Some((issue, before)), Standing::Red { .. }) if before.bad != subject.bad => {
                decision.actions.push(Action::Reopen {
                    number: issue.number,
                    body: body(),
                    comment: format!("Broken again: seen at `{}`.", subject.bad),
                });
            }
            (Some((issue, _)), Standing::Red { .. }) => decision.notes.push(format!(
                "#{} was closed by somebody and stays so, though {} is still red",
                issue.number,
                subject.shown()
            )),
            (None, Standing::Red { .. }) if opened => decision.notes.push(format!(
                "no issue yet about {}: one was opened today, and one a day is enough",
                subject.shown()
            )),
            (None, Standing::Red { .. }) => {
                opened = true;
                decision.actions.push(Action::Open {
                    subject: subject.clone(),
                    title: body::title(finding, subject),
                    body: body(),
                });
            }
            (None, Standing::Green { .. }) => decision.notes.push(format!(
                "no issue about {}: it is green again",
                subject.shown()
            )),
            // Below, with those that no search is left of.
            (Some(_), Standing::Green { .. }) => {}
        }
    }
    for (issue, subject) in known.iter().filter(|(issue, _)| issue.open) {
        let again = found.iter().find(|(_, found)| found.is_same(subject));
        // A search that saw it later tells more than the text of the issue.
        let subject = again.map_or(subject, |(_, found)| found);
        let since = again.map_or(issue.created, |(finding, _)| finding.begun);
        if let Standing::Green { day } = standing(subject, since, days) {
            decision.actions.push(Action::Close {
                number: issue.number,
                comment: body::closing(day),
            });
        }
    }
    decision
}

/// The last search of each culprit and cell; what none is to be blamed for is told.
fn latest<'a>(findings: &'a [Finding], notes: &mut Vec<String>) -> Vec<(&'a Finding, Subject)> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.begun);
    let mut latest: Vec<(&Finding, Subject)> = Vec::new();
    for finding in sorted {
        let Some(subject) = Subject::of(finding) else {
            let why = match (&finding.conclusion, finding.goal) {
                (_, Goal::FirstGood) => "it looked for a fix",
                (None, _) => "it is not over",
                (Some(_), _) => "an end was not what it was said to be",
            };
            notes.push(format!(
                "the search in {} from {} to {} blames nobody: {why}",
                finding.cell,
                short(&finding.good),
                short(&finding.bad)
            ));
            continue;
        };
        // The first that is found anew is the first that is opened.
        match latest.iter_mut().find(|(_, other)| other.is_same(&subject)) {
            Some(place) => *place = (finding, subject),
            None => latest.push((finding, subject)),
        }
    }
    latest
}

fn same_day(one: Timestamp, other: Timestamp) -> bool {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    day(one) == day(other)
}
