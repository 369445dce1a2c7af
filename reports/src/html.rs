//! One page for people: what failed and why comes first, each spec can be found, and nothing is fetched.
//!
//! Works without scripts; with them, specs can be searched. All text from outside is escaped, and the
//! page's own policy forbids whatever it does not bring along.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};

use crate::property;
use crate::text::{cap, duration, first_line, one_line, xml_text};

/// At most this much of what one case printed.
const MOST_PER_CASE: usize = 96 << 10;

/// At most about this much of what all printed, so that a phone can open the page.
const MOST_PER_PAGE: usize = 12 << 20;

/// What a case may still say when the page is full.
const LITTLE: usize = 2 << 10;

/// How many of the slowest specs are named.
const SLOWEST: usize = 10;

const CSS: &str = include_str!("html/page.css");
const JS: &str = include_str!("html/page.js");

/// The page for `suites`.
#[must_use]
pub fn render(suites: &[Suite]) -> String {
    let mut page = Page {
        out: String::new(),
        left: MOST_PER_PAGE,
        cases: BTreeMap::new(),
    };
    let specs: Vec<&Suite> = suites
        .iter()
        .filter(|suite| suite.phase != "boot")
        .collect();
    let boot: Vec<&Suite> = suites
        .iter()
        .filter(|suite| suite.phase == "boot")
        .collect();
    let counted = if specs.is_empty() { &boot } else { &specs };
    let totals = Totals::of(counted.iter().flat_map(|suite| &suite.cases));
    let title = heading(&totals, suites);
    let _ = write!(
        page.out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n",
    );
    page.head(&totals, &title, counted);
    page.failures(suites);
    page.flaky(suites);
    page.skipped(suites);
    page.specs(&specs);
    page.slowest(&specs);
    page.suites(suites);
    let _ = write!(
        page.out,
        "<p class=\"dim\">{}</p>\n</main>\n<script>\n{JS}</script>\n</body>\n</html>\n",
        escape(concat!("kcluster ", env!("CARGO_PKG_VERSION")))
    );
    page.out
}

fn heading(totals: &Totals, suites: &[Suite]) -> String {
    let broken = suites
        .iter()
        .flat_map(|suite| &suite.cases)
        .any(|case| matches!(case.outcome, Outcome::Errored { .. }));
    let all = totals.cases();
    if all == 0 {
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
    } else if broken {
        "The cluster did not come up".to_owned()
    } else if totals.skipped > 0 {
        format!(
            "{} of {all} passed, {} skipped",
            totals.passed, totals.skipped
        )
    } else {
        format!("All {all} passed")
    }
}

struct Page {
    out: String,
    /// What may still be shown of output.
    left: usize,
    /// Cases that can be linked to, by phase and name.
    cases: BTreeMap<(String, String), usize>,
}

impl Page {
    fn head(&mut self, totals: &Totals, title: &str, suites: &[&Suite]) {
        let colour = match (totals.errored, totals.failed) {
            (0, 0) if title.starts_with("All") => "passed",
            (0, 0) => "errored",
            (0, _) => "failed",
            _ => "errored",
        };
        let mut cells: Vec<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
        cells.dedup();
        let began = suites.iter().map(|suite| suite.started).min();
        let began = began.map_or_else(String::new, |at| format!(" · {at:.0}"));
        let _ = writeln!(
            self.out,
            "<h1 class=\"{colour}\">{title}</h1>\n<p class=\"dim\">{}{began}</p>\n<ul class=\"counts\">",
            escape(&cells.join(", "))
        );
        for (count, what) in [
            (totals.passed, "passed"),
            (totals.failed, "failed"),
            (totals.errored, "errored"),
            (totals.skipped, "skipped"),
            (totals.flaky, "flaky"),
        ] {
            let dim = if count == 0 { "dim" } else { what };
            let _ = writeln!(self.out, "<li class=\"{dim}\"><b>{count}</b>{what}</li>");
        }
        self.out.push_str("</ul>\n");
        for suite in suites {
            for (name, what) in [
                (property::SHARD, "Only a part of it, shard"),
                (property::NARROWED, "Narrowed by"),
                (property::RERUN, "Only what had failed in"),
            ] {
                if let Some(value) = suite.property(name) {
                    let (phase, value) = (escape(&suite.phase), escape(value));
                    let _ = writeln!(self.out, "<p class=\"flaky\">{phase}: {what} {value}.</p>");
                }
            }
        }
    }

    fn failures(&mut self, suites: &[Suite]) {
        let bad: Vec<(&Suite, &Case)> = cases(suites)
            .filter(|(_, case)| case.outcome.severity() >= 2)
            .collect();
        if bad.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "<h2 id=\"failures\">What did not pass ({})</h2>",
            bad.len()
        );
        for (suite, case) in bad {
            self.case(suite, case);
        }
    }

    fn flaky(&mut self, suites: &[Suite]) {
        let flaky: Vec<(&Suite, &Case)> =
            cases(suites).filter(|(_, case)| case.is_flaky()).collect();
        if flaky.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "<h2>Flaky: passed only when tried again ({})</h2>",
            flaky.len()
        );
        for (suite, case) in flaky {
            self.case(suite, case);
        }
    }

    fn skipped(&mut self, suites: &[Suite]) {
        let mut reasons: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
        for (_, case) in cases(suites) {
            if let Outcome::Skipped { reason } = &case.outcome {
                reasons.entry(first_line(reason)).or_default().push(case);
            }
        }
        if reasons.is_empty() {
            return;
        }
        self.out.push_str("<h2>Skipped, by reason</h2>\n");
        for (reason, cases) in reasons {
            let _ = writeln!(
                self.out,
                "<details><summary>{} <span class=\"dim\">({})</span></summary><div><ul>",
                escape(reason),
                cases.len()
            );
            for case in cases {
                let _ = writeln!(self.out, "<li>{}</li>", escape(&case.name));
            }
            self.out.push_str("</ul></div></details>\n");
        }
    }

    /// A case that has something to tell: closed it shows its reason's first line, open all of it.
    fn case(&mut self, suite: &Suite, case: &Case) {
        let (class, word, message) = match &case.outcome {
            Outcome::Failed { message } => ("bad", "failed", message.as_str()),
            Outcome::Errored { message } => ("errored-case", "errored", message.as_str()),
            Outcome::Skipped { reason } => ("odd", "skipped", reason.as_str()),
            Outcome::Passed => ("odd", "flaky", ""),
        };
        let number = self.cases.len() + 1;
        self.cases
            .insert((suite.phase.clone(), case.name.clone()), number);
        let attempts = match case.attempts {
            0 | 1 => String::new(),
            attempts => format!(" · {attempts} attempts"),
        };
        let _ = writeln!(
            self.out,
            "<details class=\"{class}\" id=\"case-{}\"><summary><span class=\"tag {word}\">{word}</span> {} \
             <span class=\"dim\">{}{attempts}</span><span class=\"why\">{}</span></summary><div>",
            number,
            escape(&case.name),
            duration(case.took),
            escape(&short(message)),
        );
        let _ = writeln!(
            self.out,
            "<p class=\"dim\">{} · {} · {}</p>",
            escape(&suite.name),
            escape(&suite.phase),
            escape(&case.class)
        );
        self.block("Reason", message);
        self.block("Output", &case.output);
        self.out.push_str("</div></details>\n");
    }

    fn block(&mut self, title: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let most = if self.left == 0 {
            LITTLE
        } else {
            MOST_PER_CASE
        };
        let text = xml_text(text);
        let text = cap(text.trim_end(), most);
        self.left = self.left.saturating_sub(text.len());
        // A line break right after the tag is not shown; one that is the text's own would be lost.
        let _ = writeln!(
            self.out,
            "<p><b>{title}</b></p>\n<pre tabindex=\"0\">\n{}</pre>",
            marks(&text)
        );
    }

    /// Every spec, by the group that owns it.
    fn specs(&mut self, suites: &[&Suite]) {
        let mut groups: BTreeMap<&str, Vec<(&Suite, &Case)>> = BTreeMap::new();
        for (suite, case) in suites
            .iter()
            .flat_map(|suite| cases(std::slice::from_ref(*suite)))
        {
            groups.entry(&case.class).or_default().push((suite, case));
        }
        if groups.is_empty() {
            return;
        }
        self.out.push_str(
            "<h2>All specs</h2>\n<input type=\"search\" id=\"find\" aria-label=\"Find specs\" \
             placeholder=\"Find specs: words of the name, failed, flaky\" hidden>\n\
             <p class=\"dim\" id=\"found\" role=\"status\"></p>\n",
        );
        for (group, mut cases) in groups {
            cases.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
            let totals = Totals::of(cases.iter().map(|(_, case)| *case));
            let took: Duration = cases.iter().map(|(_, case)| case.took).sum();
            let _ = writeln!(
                self.out,
                "<details data-group><summary>{} <span class=\"dim\">{} · {}</span></summary><div><table>",
                escape(group),
                counts(&totals),
                duration(took)
            );
            for (suite, case) in cases {
                let key = (suite.phase.clone(), case.name.clone());
                let link = self.cases.get(&key).copied();
                row(&mut self.out, case, link);
            }
            self.out.push_str("</table></div></details>\n");
        }
    }

    fn slowest(&mut self, suites: &[&Suite]) {
        let mut slow: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).collect();
        slow.retain(|case| case.took >= Duration::from_secs(1));
        slow.sort_by_key(|case| Reverse(case.took));
        if slow.is_empty() {
            return;
        }
        self.out.push_str("<h2>Slowest</h2>\n<table>\n");
        for case in slow.into_iter().take(SLOWEST) {
            let _ = writeln!(
                self.out,
                "<tr><td class=\"number\">{}</td><td>{}</td></tr>",
                duration(case.took),
                escape(&case.name)
            );
        }
        self.out.push_str("</table>\n");
    }

    fn suites(&mut self, suites: &[Suite]) {
        self.out.push_str("<h2>Runs</h2>\n");
        for suite in suites {
            let totals = Totals::of(&suite.cases);
            let _ = writeln!(
                self.out,
                "<details><summary>{} {} <span class=\"dim\">{}</span></summary><div class=\"scroll\"><table>",
                escape(&suite.name),
                escape(&suite.phase),
                counts(&totals)
            );
            let facts = [
                ("began".to_owned(), suite.started.to_string()),
                ("host".to_owned(), suite.host.clone()),
            ];
            for (name, value) in facts.iter().chain(&suite.properties) {
                let _ = writeln!(
                    self.out,
                    "<tr><td class=\"dim\">{}</td><td>{}</td></tr>",
                    escape(name),
                    escape(&fact(name, value))
                );
            }
            if suite.phase == "boot" {
                for case in &suite.cases {
                    let _ = writeln!(
                        self.out,
                        "<tr><td>{}</td><td>{}</td></tr>",
                        escape(&case.name),
                        duration(case.took)
                    );
                }
            }
            self.out.push_str("</table></div></details>\n");
        }
    }
}

fn cases(suites: &[Suite]) -> impl Iterator<Item = (&Suite, &Case)> {
    suites
        .iter()
        .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
}

fn row(out: &mut String, case: &Case, link: Option<usize>) {
    let (sign, word) = match &case.outcome {
        Outcome::Passed if case.is_flaky() => ("≈", "flaky"),
        Outcome::Passed => ("✓", "passed"),
        Outcome::Failed { .. } => ("✗", "failed"),
        Outcome::Errored { .. } => ("!", "errored"),
        Outcome::Skipped { .. } => ("–", "skipped"),
    };
    let mut name = escape(&case.name);
    if let Some(number) = link {
        name = format!("<a href=\"#case-{number}\">{name}</a>");
    }
    let _ = writeln!(
        out,
        "<tr data-name=\"{} {word}\"><td class=\"sign {word}\" title=\"{word}\">{sign}</td><td>{name}</td><td class=\"number dim\">{}</td></tr>",
        escape(&case.name.to_lowercase()),
        duration(case.took)
    );
}

fn counts(totals: &Totals) -> String {
    let parts = [
        (totals.passed, "passed"),
        (totals.failed, "failed"),
        (totals.errored, "errored"),
        (totals.skipped, "skipped"),
        (totals.flaky, "flaky"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

/// A value as a person reads it.
fn fact(name: &str, value: &str) -> String {
    match value.parse::<u64>() {
        Ok(bytes) if name.ends_with("-bytes") => crate::text::bytes(bytes),
        _ => value.to_owned(),
    }
}

/// The first lines that say something: Kubernetes' first line is often only how long it was tried.
fn short(message: &str) -> String {
    let lines = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let text = lines.take(2).collect::<Vec<_>>().join(" · ");
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(240).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// One line that HTML shows as it is, also in an attribute.
pub(crate) fn escape(text: &str) -> String {
    marks(&one_line(&xml_text(text)))
}

/// Characters that mean something to HTML as what they are.
fn marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
