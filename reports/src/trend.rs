//! Results of many days: one line of JSON for each day and cell, kept in a file that only grows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::{Suite, outcome::Totals};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::{duration, one_line};

/// One run of one cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Day {
    /// When it began.
    pub at: Timestamp,
    /// The cell, without its version.
    pub cell: String,
    /// The commit or version that was tested.
    pub revision: String,
    /// What happened.
    pub totals: Totals,
    /// How long the specs took together.
    pub took: Duration,
    /// Names of specs that failed.
    pub failed: Vec<String>,
    /// Names of specs that passed only when they were run again.
    pub flaky: Vec<String>,
}

/// A line that is none of ours.
#[derive(Debug, Error)]
#[error("line {line} is no result: {cause}")]
pub struct TrendError {
    line: usize,
    cause: serde_json::Error,
}

impl Day {
    /// What suites of one cell say; the boot's steps count only when they failed.
    #[must_use]
    pub fn of(suites: &[Suite], cell: &str, revision: &str) -> Option<Self> {
        let at = suites.iter().map(|suite| suite.started).min()?;
        let cases = suites
            .iter()
            .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
            .filter(|(suite, case)| suite.phase != "boot" || case.outcome.severity() >= 2);
        let cases: Vec<_> = cases.map(|(_, case)| case).collect();
        let names = |take: fn(&kcluster_matrix::Case) -> bool| {
            let taken = cases.iter().filter(|case| take(case));
            taken.map(|case| case.name.clone()).collect()
        };
        Some(Self {
            at,
            cell: cell.to_owned(),
            revision: revision.to_owned(),
            totals: Totals::of(cases.iter().copied()),
            took: cases.iter().map(|case| case.took).sum(),
            failed: names(|case| case.outcome.severity() >= 2),
            flaky: names(kcluster_matrix::Case::is_flaky),
        })
    }

    /// Whether all that ran passed, and something did.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.totals.passed > 0 && self.totals.failed == 0 && self.totals.errored == 0
    }

    /// Specs that failed on this day and not on the one before.
    #[must_use]
    pub fn new_since(&self, before: Option<&Self>) -> Vec<&str> {
        let new = self
            .failed
            .iter()
            .filter(|name| !before.is_some_and(|before| before.failed.contains(name)));
        new.map(String::as_str).collect()
    }

    /// The lines of a file, the oldest day first.
    ///
    /// # Errors
    /// With the first line that is no result.
    pub fn read(text: &str) -> Result<Vec<Self>, TrendError> {
        let lines = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let days = lines.map(|(index, line)| {
            serde_json::from_str(line).map_err(|cause| TrendError {
                line: index + 1,
                cause,
            })
        });
        let mut days: Vec<Self> = days.collect::<Result<_, _>>()?;
        days.sort_by_key(|day| day.at);
        Ok(days)
    }

    /// Its line.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self).map(|text| format!("{text}\n"))
    }
}

/// Specs that failed on the last day of a cell and not on the day before, by cell.
#[must_use]
pub fn newly_failed(days: &[Day]) -> BTreeMap<&str, Vec<&str>> {
    let mut last: BTreeMap<&str, (&Day, Vec<&str>)> = BTreeMap::new();
    for day in days {
        let before = last.get(day.cell.as_str()).map(|(day, _)| *day);
        last.insert(&day.cell, (day, day.new_since(before)));
    }
    let red = last.into_iter().filter(|(_, (_, new))| !new.is_empty());
    red.map(|(cell, (_, new))| (cell, new)).collect()
}

/// The days as Markdown: a row for each, the newest first.
#[must_use]
pub fn markdown(days: &[Day]) -> String {
    let mut out = String::from(
        "| day | cell | revision | passed | failed | errored | flaky | took |\n|---|---|---|--:|--:|--:|--:|--:|\n",
    );
    for day in days.iter().rev() {
        let Totals {
            passed,
            failed,
            errored,
            flaky,
            ..
        } = day.totals;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| {} | {} | `{}` | {passed} | {failed} | {errored} | {flaky} | {} |",
            day.at.strftime("%Y-%m-%d"),
            one_line(&day.cell),
            crate::bisect::short(&day.revision),
            duration(day.took)
        );
    }
    out
}

const STYLE: &str = "body{font:15px system-ui,sans-serif;margin:2rem;max-width:72rem}\
table{border-collapse:collapse}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd}\
td:first-child,th:first-child{text-align:left}svg{background:#f6f6f6}.p{fill:#3a8a4d}.f{fill:#c23b34}.k{fill:#d9a11e}\
.d{fill:none;stroke:#356;stroke-width:1.5}";

/// Days that a cell's picture shows.
const SHOWN: usize = 60;

/// A page with a picture for each cell: the share that passed, flaky specs, and durations; and all days as a table.
#[must_use]
pub fn html(days: &[Day]) -> String {
    let mut cells: BTreeMap<&str, Vec<&Day>> = BTreeMap::new();
    for day in days {
        cells.entry(&day.cell).or_default().push(day);
    }
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>kcluster: days</title><style>{STYLE}</style><h1>Cells over days</h1>\n"
    );
    for (cell, days) in &cells {
        let first = days.len().saturating_sub(SHOWN);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<h2>{}</h2>", xml(cell));
        picture(&mut out, days.get(first..).unwrap_or_default());
        table(&mut out, days);
    }
    out.push_str("</html>\n");
    out
}

/// A bar for each day: what passed from below, what failed on it; above it the duration as a line.
fn picture(out: &mut String, days: &[&Day]) {
    let longest = days
        .iter()
        .map(|day| day.took.as_secs())
        .max()
        .unwrap_or(0)
        .max(1);
    let width = days.len() * 14 + 4;
    let _ = write!(out, "<svg width=\"{width}\" height=\"104\" role=\"img\">");
    let mut line = String::new();
    for (index, day) in days.iter().enumerate() {
        let (x, totals) = (index * 14 + 3, day.totals);
        let ran = (totals.passed + totals.failed + totals.errored).max(1);
        let part = |count: usize| {
            if count == 0 {
                0
            } else {
                (count * 100 / ran).max(2)
            }
        };
        let (bad, flaky) = (part(totals.failed + totals.errored), part(totals.flaky));
        let good = 100 - bad.min(100);
        let title = format!(
            "{} {}: {} passed, {} failed, {} errored, {} flaky, {}",
            day.at.strftime("%Y-%m-%d"),
            crate::bisect::short(&day.revision),
            totals.passed,
            totals.failed,
            totals.errored,
            totals.flaky,
            duration(day.took)
        );
        let _ = write!(
            out,
            "<g><title>{}</title><rect class=\"p\" x=\"{x}\" y=\"{}\" width=\"11\" height=\"{good}\"/><rect class=\"f\" x=\"{x}\" y=\"2\" width=\"11\" height=\"{bad}\"/><rect class=\"k\" x=\"{x}\" y=\"{}\" width=\"11\" height=\"{flaky}\"/></g>",
            xml(&title),
            102 - good,
            102 - flaky
        );
        let height = day.took.as_secs() * 90 / longest;
        let _ = write!(line, "{},{} ", x + 5, 100 - height);
    }
    let _ = writeln!(
        out,
        "<polyline class=\"d\" points=\"{}\"/></svg>",
        line.trim_end()
    );
}

fn table(out: &mut String, days: &[&Day]) {
    out.push_str("<table><tr><th>day</th><th>revision</th><th>passed</th><th>failed</th><th>errored</th><th>flaky</th><th>took</th></tr>\n");
    for day in days.iter().rev() {
        let totals = day.totals;
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            day.at.strftime("%Y-%m-%d"),
            xml(crate::bisect::short(&day.revision)),
            totals.passed,
            totals.failed,
            totals.errored,
            totals.flaky,
            duration(day.took)
        );
        for name in &day.failed {
            let _ = writeln!(out, "<tr><td colspan=\"7\">{}</td></tr>", xml(name));
        }
    }
    out.push_str("</table>\n");
}

/// Text that can stand anywhere in a page.
fn xml(text: &str) -> String {
    one_line(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(at: i64, failed: &[&str]) -> Day {
        Day {
            at: Timestamp::from_second(at * 86_400).unwrap(),
            cell: "bridge-amd64".into(),
            revision: format!("{at:040}"),
            totals: Totals {
                passed: 9,
                failed: failed.len(),
                ..Totals::default()
            },
            took: Duration::from_secs(90),
            failed: failed.iter().map(|name| (*name).to_owned()).collect(),
            flaky: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_in_order_and_new_failures_are_told() {
        let days = [day(1, &[]), day(2, &["old"]), day(3, &["old", "new"])];
        let text: String = days.iter().rev().map(|day| day.line().unwrap()).collect();
        let read = Day::read(&text).unwrap();
        assert_eq!(read, days);
        assert_eq!(
            newly_failed(&read),
            BTreeMap::from([("bridge-amd64", vec!["new"])])
        );
        assert!(newly_failed(&read[..1]).is_empty());
        assert!(days[0].is_green() && !days[2].is_green());
        assert!(
            markdown(&read)
                .lines()
                .nth(2)
                .unwrap()
                .contains("1970-01-04")
        );
        let page = html(&read);
        assert_eq!(page.matches("<g>").count(), 3);
        assert!(
            page.contains("bridge-amd64") && page.contains("1970-01-04"),
            "{page}"
        );
        let error = Day::read(&format!("{text}oops\n")).unwrap_err().to_string();
        assert!(error.starts_with("line 4 is no result"), "{error}");
    }
}
