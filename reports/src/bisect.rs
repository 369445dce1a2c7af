//! What a search for the first bad commit found: Markdown, JSON, and a suite for JUnit.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::bisect::{Answer, Conclusion, Goal, Next, Search};
use kcluster_matrix::{Case, Outcome, Suite};
use serde::{Deserialize, Serialize};

use crate::text::{duration, one_line};

mod finding;

pub(crate) use finding::evidence;
pub use finding::{Culprit, Finding, Tested};

/// What was spent on a point, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Which point.
    pub point: String,
    /// When it began.
    pub begun: Timestamp,
    /// How long the build took, if it came to its end.
    pub built: Option<Duration>,
    /// How long the boot took; a boot that failed counts.
    pub booted: Option<Duration>,
    /// Runs of the test.
    pub runs: u32,
    /// How long all of it took.
    pub took: Duration,
}

/// All that is known of a search.
#[derive(Debug, Clone, Copy)]
pub struct Bisect<'a> {
    /// The search itself.
    pub search: &'a Search,
    /// In which cell, without the version: that is what varies.
    pub cell: &'a str,
    /// What was run at each point.
    pub test: &'a str,
    /// Where the points come from.
    pub source: &'a str,
    /// One line that does it again.
    pub reproduce: &'a str,
    /// What was spent.
    pub attempts: &'a [Attempt],
    /// When it began.
    pub begun: Timestamp,
}

impl<'a> Bisect<'a> {
    /// How it ended, if it has.
    #[must_use]
    pub fn conclusion(&self) -> Option<Conclusion> {
        match self.search.next() {
            Next::Done(conclusion) => Some(conclusion),
            Next::Test { .. } => None,
        }
    }

    /// The one point that it is, if it is one.
    #[must_use]
    pub fn culprit(&self) -> Option<Culprit> {
        let Some(Conclusion::Found { point }) = self.conclusion() else {
            return None;
        };
        let point = self.search.history().point(&point)?;
        Some(Culprit {
            id: point.id.clone(),
            title: point.title.clone(),
            pull_request: pull_request(self.search, &point.id),
        })
    }

    /// Boots, those that failed included.
    #[must_use]
    pub fn boots(&self) -> usize {
        let booted = self
            .attempts
            .iter()
            .filter(|attempt| attempt.booted.is_some());
        booted.count()
    }

    /// Runs of the test that said something; those of a point that was cut off count.
    #[must_use]
    pub fn runs(&self) -> usize {
        let records = self.search.records().iter();
        records
            .filter(|record| record.answer != Answer::CannotTell)
            .count()
    }

    fn title(&self, id: &str) -> &'a str {
        let point = self.search.history().point(id);
        point.map_or("", |point| point.title.as_str())
    }

    /// Its name and its title; a version has none.
    fn named(&self, id: &str) -> String {
        let text = format!("{} {}", short(id), one_line(self.title(id)));
        text.trim_end().to_owned()
    }

    fn what(&self) -> &'static str {
        match self.search.goal() {
            Goal::FirstBad => "first bad",
            Goal::FirstGood => "first good",
        }
    }

    /// In one line: what was found.
    #[must_use]
    pub fn headline(&self) -> String {
        match self.conclusion() {
            None => format!("not found yet: {} points left", self.search.left()),
            Some(Conclusion::Found { point }) => {
                format!("the {} is {}", self.what(), self.named(&point))
            }
            Some(Conclusion::OneOf { points }) => {
                format!(
                    "the {} is one of {}, which cannot be told apart",
                    self.what(),
                    points.len()
                )
            }
            Some(Conclusion::WrongEnd { point, said, is }) => format!(
                "nothing to look for: {} was said to be {said}, and is {is}",
                short(&point)
            ),
        }
    }

    /// For people: an issue, a job's page.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        let search = self.search;
        // Writing to a string cannot fail.
        let _ = writeln!(out, "## kcluster bisect: {}\n", escape(&self.headline()));
        let mut row = |name: &str, text: String| {
            let _ = writeln!(out, "- **{name}:** {text}");
        };
        if let Some(culprit) = self.culprit() {
            let (name, title) = (&culprit.id, escape(&culprit.title));
            row(
                kind(name),
                format!("`{name}` {title}").trim_end().to_owned(),
            );
            if let Some(number) = culprit.pull_request {
                row("pull request", format!("#{number}"));
            }
        }
        row("cell", code(self.cell));
        row("test", code(self.test));
        row("source", code(self.source));
        for (name, end) in [("good", search.good()), ("bad", search.bad())] {
            let text = format!("`{}` {}", short(end), escape(self.title(end)));
            row(name, text.trim_end().to_owned());
        }
        row("spent", self.spent());
        if !search.rule().is_certain() {
            let rule = search.rule();
            let text = format!(
                "fails in {} % of runs on good points and {} % on bad ones; a wrong answer is less probable than {} %",
                percent(rule.fails_on_good),
                percent(rule.fails_on_bad),
                percent(rule.error)
            );
            row("flaky", text);
        }
        row("again", code(self.reproduce));
        if let Some(Conclusion::OneOf { points }) = self.conclusion() {
            out.push_str("\n### One of these\n\n");
            for point in points {
                let line = format!("- `{point}` {}", escape(self.title(&point)));
                let _ = writeln!(out, "{}", line.trim_end());
            }
        }
        out.push_str(&evidence(&Finding::of(self).points));
        out
    }

    fn spent(&self) -> String {
        let took: Duration = self.attempts.iter().map(|attempt| attempt.took).sum();
        format!(
            "{} boots and {} runs for {} candidates, {}",
            self.boots(),
            self.runs(),
            self.search.candidates(),
            duration(took)
        )
    }

    /// For programs.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&Finding::of(self))
    }

    /// For JUnit: a case for each point, and one for what was looked for, which fails when it was found.
    #[must_use]
    pub fn suite(&self, host: &str) -> Suite {
        let case = |name: String, took: Duration, outcome: Outcome| Case {
            name,
            class: "bisect".to_owned(),
            took,
            outcome,
            attempts: 1,
            output: String::new(),
        };
        let mut cases: Vec<Case> = Vec::new();
        for verdict in self.search.verdicts() {
            let spent = self
                .attempts
                .iter()
                .filter(|attempt| attempt.point == verdict.point);
            let took = spent.map(|attempt| attempt.took).sum();
            let outcome = match verdict.answer {
                Answer::CannotTell => Outcome::Skipped {
                    reason: verdict
                        .note
                        .clone()
                        .unwrap_or_else(|| "cannot tell".to_owned()),
                },
                Answer::Good | Answer::Bad => Outcome::Passed,
            };
            let (name, title) = (short(&verdict.point), self.title(&verdict.point));
            let name = match title {
                "" => format!("{name} is {}", verdict.answer),
                title => format!("{name} is {}: {title}", verdict.answer),
            };
            cases.push(case(name, took, outcome));
        }
        let outcome = match self.conclusion() {
            None => Outcome::Skipped {
                reason: self.headline(),
            },
            Some(Conclusion::WrongEnd { .. }) => Outcome::Errored {
                message: self.headline(),
            },
            Some(_) => Outcome::Failed {
                message: self.headline(),
            },
        };
        cases.push(case(self.what().to_owned(), Duration::ZERO, outcome));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Suite {
            name: self.cell.to_owned(),
            phase: "bisect".to_owned(),
            host: host.to_owned(),
            started: self.begun,
            properties: [
                ("test", self.test),
                ("source", self.source),
                ("good", self.search.good()),
                ("bad", self.search.bad()),
                ("reproduce", self.reproduce),
            ]
            .map(own)
            .into(),
            cases,
        }
    }
}

/// What a point of that name is.
pub(crate) fn kind(id: &str) -> &'static str {
    if is_hash(id) { "commit" } else { "version" }
}

/// Whether it is the hash of a commit.
fn is_hash(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A share as people write it: 0.07 is 7, not 7.000000000000001.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// A hash cut to what people say; other names are whole.
#[must_use]
pub fn short(id: &str) -> &str {
    if is_hash(id) {
        id.get(..12).unwrap_or(id)
    } else {
        id
    }
}

/// The pull request that brought a point: the number in the title of the oldest merge of the line of first parents
/// that holds it.
fn pull_request(search: &Search, id: &str) -> Option<u64> {
    let history = search.history();
    let new = match search.goal() {
        Goal::FirstBad => search.bad(),
        Goal::FirstGood => search.good(),
    };
    let mut on_line = history.point(new)?;
    while let Some(parent) = on_line
        .parents
        .first()
        .and_then(|parent| history.point(parent))
    {
        if !history.reaches(&parent.id, id) {
            break;
        }
        on_line = parent;
    }
    number(&on_line.title).or_else(|| number(&history.point(id)?.title))
}

/// `12` of "Merge pull request #12 from x/y" and of "mend it (#12)".
fn number(title: &str) -> Option<u64> {
    let rest = title
        .strip_prefix("Merge pull request #")
        .or_else(|| Some(title.rsplit_once("(#")?.1))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// A title is whatever its author liked: it must neither end a table's cell, nor mention people, nor be a link.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::new();
    for c in one_line(text).chars() {
        match c {
            '|' | '<' | '>' | '[' | ']' | '*' | '_' | '`' | '\\' | '#' => {
                safe.push('\\');
                safe.push(c);
            }
            // A mention needs the name right after it.
            '@' => safe.push_str("@\u{200b}"),
            c => safe.push(c),
        }
    }
    safe
}

pub(crate) fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'"))
}

#[cfg(test)]
mod tests;
