//! A summary in Markdown, for a job's page or a pull request.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};

use crate::across::{Across, Verdict};
use crate::property;
use crate::text::{bytes, cap, duration, first_line, one_line, xml_text};

/// More failures than this are only counted; a page with all of them helps nobody.
const MOST_FAILURES: usize = 50;

/// Lines of a failure's message that are shown.
const MOST_LINES: usize = 12;

/// How many of the slowest specs are named.
const SLOWEST: usize = 10;

/// Clusters of failures that are named.
const MOST_CLUSTERS: usize = 10;

/// The summary of `suites`.
#[must_use]
pub fn render(suites: &[Suite]) -> String {
    let across = Across::new(suites);
    let all = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
    let mut out = String::new();
    let verdict = match (all.errored, all.failed, all.cases()) {
        (_, _, 0) => "nothing was run".to_owned(),
        (0, 0, cases) => format!("all {} passed", cases - all.skipped),
        (0, failed, cases) => format!("{failed} of {cases} failed"),
        (errored, 0, cases) => format!("{errored} of {cases} could not be judged"),
        (errored, failed, cases) => {
            format!("{failed} of {cases} failed, {errored} could not be judged")
        }
    };
    let _ = writeln!(out, "## kcluster: {verdict}\n");
    if across.is_matrix() {
        cell_table(&mut out, &across);
    } else {
        suite_table(&mut out, suites);
    }
    high_water(&mut out, suites);
    clusters(&mut out, &across);
    failures(&mut out, &across);
    flaky(&mut out, suites);
    slowest(&mut out, suites);
    out
}

fn cell_table(out: &mut String, across: &Across<'_>) {
    let bad = across.cells.iter();
    let bad = bad.filter(|cell| cell.verdict > Verdict::Passed).count();
    let _ = writeln!(
        out,
        "{} of {} cells passed.\n",
        across.cells.len() - bad,
        across.cells.len()
    );
    out.push_str("| cell | verdict | passed | failed | errored | skipped | flaky | time |\n");
    out.push_str("|---|---|--:|--:|--:|--:|--:|--:|\n");
    for cell in &across.cells {
        let totals = cell.totals;
        let verdict = cell.verdict.word();
        let verdict = match cell.verdict {
            Verdict::Failed | Verdict::Errored => format!("**{verdict}**"),
            _ => verdict.to_owned(),
        };
        let _ = writeln!(
            out,
            "| {} | {verdict} | {} | {} | {} | {} | {} | {} |",
            inline(cell.name),
            totals.passed,
            totals.failed,
            totals.errored,
            totals.skipped,
            totals.flaky,
            duration(cell.took())
        );
    }
}

/// Failures of different specs that say the same: mostly one fault.
fn clusters(out: &mut String, across: &Across<'_>) {
    let clusters = across.clusters();
    if clusters.is_empty() {
        return;
    }
    out.push_str("\n### Failures that say the same\n\n");
    for cluster in clusters.iter().take(MOST_CLUSTERS) {
        let specs = cluster.specs.len();
        let on = match &cluster.cells[..] {
            _ if !across.is_matrix() => String::new(),
            [cell] => across
                .cells
                .get(*cell)
                .map_or_else(String::new, |cell| format!(" on {}", inline(cell.name))),
            cells => format!(" on {} cells", cells.len()),
        };
        let said = inline(&cap(first_line(cluster.example), 300));
        let _ = writeln!(out, "- {specs} specs{on}: {said}");
    }
}

fn suite_table(out: &mut String, suites: &[Suite]) {
    if suites.is_empty() {
        return;
    }
    out.push_str("| cell | phase | passed | failed | errored | skipped | flaky | longest |\n");
    out.push_str("|---|---|--:|--:|--:|--:|--:|--:|\n");
    for suite in suites {
        let totals = Totals::of(&suite.cases);
        let longest = suite
            .cases
            .iter()
            .map(|case| case.took)
            .max()
            .unwrap_or(Duration::ZERO);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            inline(&suite.name),
            inline(&suite.phase),
            totals.passed,
            totals.failed,
            totals.errored,
            totals.skipped,
            totals.flaky,
            duration(longest)
        );
    }
}

/// What the machine needed at most, where that is known.
fn high_water(out: &mut String, suites: &[Suite]) {
    let most = |name: &str| {
        let values = suites
            .iter()
            .filter_map(|suite| suite.property(name)?.parse().ok());
        values.max().map(bytes)
    };
    if let (Some(memory), Some(disk)) = (most(property::MEMORY_PEAK), most(property::DISK_PEAK)) {
        let _ = writeln!(out, "\nHigh-water marks: memory {memory}, disk {disk}.");
    }
}

fn failures(out: &mut String, across: &Across<'_>) {
    let bad = across.bad();
    if bad.is_empty() {
        return;
    }
    out.push_str("\n### Failures\n");
    for spec in bad.iter().take(MOST_FAILURES) {
        let worst = spec
            .runs
            .iter()
            .max_by_key(|run| run.case.outcome.severity());
        let Some(worst) = worst else {
            continue;
        };
        let word = match worst.case.outcome {
            Outcome::Errored { .. } => "errored",
            _ => "failed",
        };
        let place = across.pattern(spec).words();
        let place = place.unwrap_or_else(|| format!("{} {}", worst.suite.name, spec.phase));
        let _ = writeln!(
            out,
            "\n<details><summary>{} <b>{word}</b> after {} ({})</summary>\n\n{}\n</details>",
            inline(spec.name),
            duration(worst.case.took),
            inline(&place),
            fenced(worst.message())
        );
    }
    if bad.len() > MOST_FAILURES {
        let _ = writeln!(
            out,
            "\n… and {} more, see report.html.",
            bad.len() - MOST_FAILURES
        );
    }
}

fn flaky(out: &mut String, suites: &[Suite]) {
    let flaky: Vec<_> = cases(suites).filter(|(_, case)| case.is_flaky()).collect();
    if flaky.is_empty() {
        return;
    }
    out.push_str("\n### Flaky\n\n");
    for (_, case) in flaky {
        let _ = writeln!(out, "- {} ({} attempts)", inline(&case.name), case.attempts);
    }
}

fn slowest(out: &mut String, suites: &[Suite]) {
    let mut slow: Vec<_> = cases(suites)
        .filter(|(_, case)| case.took >= Duration::from_secs(1))
        .collect();
    if slow.is_empty() {
        return;
    }
    slow.sort_by_key(|(_, case)| Reverse(case.took));
    out.push_str("\n### Slowest\n\n| time | spec |\n|--:|---|\n");
    for (_, case) in slow.into_iter().take(SLOWEST) {
        let _ = writeln!(out, "| {} | {} |", duration(case.took), inline(&case.name));
    }
}

fn cases(suites: &[Suite]) -> impl Iterator<Item = (&Suite, &Case)> {
    suites
        .iter()
        .flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
}

/// One line that Markdown and HTML show as it is, also in a table.
pub(crate) fn inline(text: &str) -> String {
    let line = one_line(&xml_text(text));
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '@' | '~' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// The first lines of `text` as a code block that nothing in it can end.
pub(crate) fn fenced(text: &str) -> String {
    let text = xml_text(text);
    let text = cap(&text, 4 << 10);
    let mut lines: Vec<&str> = text.lines().take(MOST_LINES).collect();
    if text.lines().count() > MOST_LINES {
        lines.push("…");
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", lines.join("\n"))
}

#[cfg(test)]
mod tests;
