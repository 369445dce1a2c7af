//! A summary in Markdown, for a job's page or a pull request.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};

use crate::property;
use crate::text::{bytes, cap, duration, one_line, xml_text};

/// More failures than this are only counted; a page with all of them helps nobody.
const MOST_FAILURES: usize = 50;

/// Lines of a failure's message that are shown.
const MOST_LINES: usize = 12;

/// How many of the slowest specs are named.
const SLOWEST: usize = 10;

/// The summary of `suites`.
#[must_use]
pub fn render(suites: &[Suite]) -> String {
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
    suite_table(&mut out, suites);
    high_water(&mut out, suites);
    failures(&mut out, suites);
    flaky(&mut out, suites);
    slowest(&mut out, suites);
    out
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

fn failures(out: &mut String, suites: &[Suite]) {
    let bad: Vec<(&Suite, &Case)> = cases(suites)
        .filter(|(_, case)| case.outcome.severity() >= 2)
        .collect();
    if bad.is_empty() {
        return;
    }
    out.push_str("\n### Failures\n");
    for (suite, case) in bad.iter().take(MOST_FAILURES) {
        let (word, message) = match &case.outcome {
            Outcome::Errored { message } => ("errored", message),
            Outcome::Failed { message } => ("failed", message),
            Outcome::Passed | Outcome::Skipped { .. } => continue,
        };
        let _ = writeln!(
            out,
            "\n<details><summary>{} <b>{word}</b> after {} ({} {})</summary>\n\n{}\n</details>",
            inline(&case.name),
            duration(case.took),
            inline(&suite.name),
            inline(&suite.phase),
            fenced(message)
        );
    }
    if bad.len() > MOST_FAILURES {
        let _ = writeln!(
            out,
            "\n… and {} more, see junit.xml.",
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
fn inline(text: &str) -> String {
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
fn fenced(text: &str) -> String {
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
mod tests {
    use super::*;

    fn suite(cases: Vec<Case>) -> Suite {
        Suite {
            name: "v1.36.3-bridge-amd64".into(),
            phase: "conformance".into(),
            host: "here".into(),
            started: "2026-11-21T03:00:00Z".parse().unwrap(),
            properties: Vec::new(),
            cases,
        }
    }

    fn case(name: &str, seconds: u64, outcome: Outcome, attempts: u32) -> Case {
        Case {
            name: name.into(),
            class: "sig-node".into(),
            took: Duration::from_secs(seconds),
            outcome,
            attempts,
            output: String::new(),
        }
    }

    #[test]
    fn failures_flakes_and_the_slowest_are_named() {
        let message = "expected `2`\n``` to equal\n3".to_owned();
        let cases = vec![
            case("[sig-node] Pods a|b", 3, Outcome::Passed, 1),
            case(
                "[sig-node] Pods <script>",
                70,
                Outcome::Failed { message },
                1,
            ),
            case("[sig-node] Pods flake", 2, Outcome::Passed, 2),
            case(
                "[sig-node] Pods skip",
                0,
                Outcome::Skipped {
                    reason: "no".into(),
                },
                1,
            ),
        ];
        insta::assert_snapshot!(render(&[suite(cases)]), @r"
        ## kcluster: 1 of 4 failed

        | cell | phase | passed | failed | errored | skipped | flaky | longest |
        |---|---|--:|--:|--:|--:|--:|--:|
        | v1.36.3-bridge-amd64 | conformance | 2 | 1 | 0 | 1 | 1 | 1 min 10 s |

        ### Failures

        <details><summary>&#91;sig-node&#93; Pods &lt;script&gt; <b>failed</b> after 1 min 10 s (v1.36.3-bridge-amd64 conformance)</summary>

        ````
        expected `2`
        ``` to equal
        3
        ````
        </details>

        ### Flaky

        - &#91;sig-node&#93; Pods flake (2 attempts)

        ### Slowest

        | time | spec |
        |--:|---|
        | 1 min 10 s | &#91;sig-node&#93; Pods &lt;script&gt; |
        | 3.0 s | &#91;sig-node&#93; Pods a&#124;b |
        | 2.0 s | &#91;sig-node&#93; Pods flake |
        ");
    }

    #[test]
    fn what_went_well_is_short_and_what_went_badly_is_bounded() {
        assert_eq!(render(&[]), "## kcluster: nothing was run\n\n");
        let mut big = suite(vec![case("a", 0, Outcome::Passed, 1)]);
        for name in [property::MEMORY_PEAK, property::DISK_PEAK] {
            big.properties
                .push((name.into(), (3_u64 << 30).to_string()));
        }
        assert!(render(&[big]).contains("memory 3.0 GiB, disk 3.0 GiB."));
        let good = render(&[suite(vec![case("a", 0, Outcome::Passed, 1)])]);
        assert!(
            good.starts_with("## kcluster: all 1 passed\n") && !good.contains("###"),
            "{good}"
        );
        let errored = || Outcome::Errored {
            message: "line\n".repeat(10_000),
        };
        let many = (0..2000)
            .map(|n| case(&n.to_string(), 0, errored(), 1))
            .collect();
        let bad = render(&[suite(many)]);
        assert!(bad.contains("2000 of 2000 could not be judged") && bad.contains("and 1950 more"));
        // A job's summary may hold 1 MiB.
        assert!(bad.len() < 64 << 10, "{}", bad.len());
    }
}
