//! One page for people: what failed and why comes first, each spec can be found, and nothing is fetched.
//!
//! Works without scripts, but for the lists of what passed on each cell of a matrix; with them, specs can be
//! searched. All text from outside is escaped, and the page's own policy forbids whatever it does not bring along.

mod cells;
mod data;
mod findings;
mod specs;
mod words;

use std::fmt::Write as _;

use kcluster_matrix::outcome::{Suite, Totals};

use crate::across::{Across, Verdict};
use crate::property;
use crate::text::excerpt;
pub(crate) use words::escape;
use words::marks;

/// At most this much of what one case printed.
const MOST_PER_CASE: usize = 96 << 10;

/// At most about this much of what all printed, so that a phone can open the page.
const MOST_PER_PAGE: usize = 12 << 20;

/// What a case may still say when the page is full.
const LITTLE: usize = 2 << 10;

const CSS: &str = include_str!("html/page.css");
const JS: &str = include_str!("html/page.js");

/// The page for `suites`.
#[must_use]
pub fn render(suites: &[Suite]) -> String {
    let across = Across::new(suites);
    let totals = across.totals();
    let title = heading(&totals, &across);
    let mut page = Page {
        out: String::new(),
        left: MOST_PER_PAGE,
    };
    let _ = write!(
        page.out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n",
    );
    page.head(&across, &totals, &title);
    page.parts(suites);
    page.grid(&across);
    page.clusters(&across);
    page.failures(&across);
    page.flaky(&across);
    page.skipped(&across);
    page.specs(&across);
    page.slowest(&across);
    page.cells(&across);
    page.data(&across);
    let _ = write!(
        page.out,
        "<p class=\"dim\">{}</p>\n</main>\n<script>\n{JS}</script>\n</body>\n</html>\n",
        escape(concat!("kcluster ", env!("CARGO_PKG_VERSION")))
    );
    page.out
}

fn heading(totals: &Totals, across: &Across<'_>) -> String {
    let all = totals.cases();
    let text = if all == 0 {
        "Nothing was run".to_owned()
    } else if totals.failed > 0 && totals.errored > 0 {
        format!(
            "{} of {all} failed, {} could not be judged",
            totals.failed, totals.errored
        )
    } else if totals.failed > 0 {
        format!("{} of {all} failed", totals.failed)
    } else if totals.errored > 0 {
        format!("{} of {all} could not be judged", totals.errored)
    } else if across
        .cells
        .iter()
        .any(|cell| cell.verdict > Verdict::Passed)
    {
        "The cluster did not come up".to_owned()
    } else if totals.skipped > 0 {
        format!(
            "{} of {all} passed, {} skipped",
            totals.passed, totals.skipped
        )
    } else {
        format!("All {all} passed")
    };
    if !across.is_matrix() {
        return text;
    }
    let bad = across
        .cells
        .iter()
        .filter(|cell| cell.verdict > Verdict::Passed)
        .count();
    let cells = across.cells.len();
    match bad {
        0 => format!("{text} on {cells} cells"),
        bad => format!("{bad} of {cells} cells did not pass: {text}"),
    }
}

/// What is being written.
struct Page {
    out: String,
    /// What may still be shown of output.
    left: usize,
}

impl Page {
    fn head(&mut self, across: &Across<'_>, totals: &Totals, title: &str) {
        let worst = across.cells.iter().map(|cell| cell.verdict).max();
        let colour = match worst.unwrap_or(Verdict::Nothing) {
            Verdict::Nothing => "errored",
            verdict => verdict.word(),
        };
        let suites = || across.cells.iter().flat_map(|cell| &cell.suites);
        let mut told: Vec<String> = match &across.cells[..] {
            [cell] => vec![escape(cell.name)],
            _ => Vec::new(),
        };
        let mut hosts: Vec<&str> = suites().map(|suite| suite.host.as_str()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        told.extend(match &hosts[..] {
            [] => None,
            [host] => Some(format!("ran on {}", escape(host))),
            hosts => Some(format!("ran on {} machines", hosts.len())),
        });
        if let Some(at) = suites().map(|suite| suite.started).min() {
            told.push(format!("{at:.0}"));
        }
        let _ = writeln!(
            self.out,
            "<h1 class=\"{colour}\">{title}</h1>\n<p class=\"dim\">{}</p>\n<ul class=\"counts\">",
            told.join(" · ")
        );
        for (count, what, anchor) in [
            (totals.passed, "passed", "specs"),
            (totals.failed, "failed", "failures"),
            (totals.errored, "errored", "failures"),
            (totals.skipped, "skipped", "skipped"),
            (totals.flaky, "flaky", "flaky"),
        ] {
            let _ = if count == 0 {
                writeln!(self.out, "<li class=\"dim\"><b>0</b>{what}</li>")
            } else {
                writeln!(
                    self.out,
                    "<li><a class=\"{what}\" href=\"#{anchor}\"><b>{count}</b>{what}</a></li>"
                )
            };
        }
        self.out.push_str("</ul>\n");
    }

    /// A part must not look like the whole.
    fn parts(&mut self, suites: &[Suite]) {
        let mut told: Vec<String> = Vec::new();
        for suite in suites {
            for (name, what) in [
                (property::SHARD, "Only a part of it, shard"),
                (property::NARROWED, "Narrowed by"),
                (property::RERUN, "Only what had failed in"),
            ] {
                if let Some(value) = suite.property(name) {
                    let line = format!("{}: {what} {}.", escape(&suite.phase), escape(value));
                    if !told.contains(&line) {
                        told.push(line);
                    }
                }
            }
        }
        for line in told {
            let _ = writeln!(self.out, "<p class=\"flaky\">{line}</p>");
        }
    }

    /// Text as it was printed, charged to what the page has left.
    fn block(&mut self, title: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let most = if self.left == 0 {
            LITTLE
        } else {
            MOST_PER_CASE
        };
        let text = excerpt(text.trim_end(), most);
        self.left = self.left.saturating_sub(text.len());
        // A line break right after the tag is not shown; one that is the text's own would be lost.
        let _ = writeln!(
            self.out,
            "<p><b>{title}</b></p>\n<pre tabindex=\"0\">\n{}</pre>",
            marks(&text)
        );
    }
}

#[cfg(test)]
mod tests;
