//! JUnit XML, as CI systems read it.
//!
//! The only file that knows junit-report, which has its ways: it writes whatever it is given, also
//! what no parser takes, so each string goes through [`xml_text`]; it panics on dates and durations
//! that its `time` cannot hold, so both are clamped; it has no properties, so the cell's are the
//! head of the suite's `system-out` (and in full in `report.json`); it counts no skipped cases, so
//! the count is added to what it wrote, together with line breaks.
//!
//! JUnit proper knows no flaky tests, and the elements that some readers do know cannot be written
//! with this crate. A suite of their own would make the totals differ from ginkgo's. So a flaky case
//! is one that passed, whose `system-out` begins with a line that says so, and the suite's
//! `system-out` lists all of them.

use std::fmt::Write as _;

use jiff::Timestamp;
use junit_report::{Report, TestCase, TestCaseBuilder, TestSuite, TestSuiteBuilder};
use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};
use thiserror::Error;
use time::{Duration, OffsetDateTime};

use crate::text::{cap, excerpt, first_line, one_line, xml_text};

/// At most this much of what one case printed; upstream's viewers refuse large files.
const MOST_PER_CASE: usize = 128 << 10;

/// At most about this much of what all cases printed; beyond it only a little of each is kept.
const MOST_PER_REPORT: usize = 16 << 20;

/// What a case may still say when the report is full.
const LITTLE: usize = 1 << 10;

/// An attribute: a name, or the first line of a message.
const MOST_PER_ATTRIBUTE: usize = 2 << 10;

/// Why no XML could be made.
#[derive(Debug, Error)]
pub enum JunitError {
    /// junit-report failed.
    #[error("cannot write JUnit XML")]
    Write(#[from] junit_report::Error),
    /// junit-report wrote something that is not UTF-8.
    #[error("JUnit XML is not UTF-8")]
    Encoding(#[from] std::string::FromUtf8Error),
}

/// The suites as one JUnit document.
///
/// # Errors
/// When junit-report refuses, which it has no known reason to.
pub fn render(suites: &[Suite]) -> Result<String, JunitError> {
    let mut left = MOST_PER_REPORT;
    let mut report = Report::new();
    for suite in suites {
        report.add_testsuite(of_suite(suite, &mut left));
    }
    let mut bytes = Vec::new();
    report.write_xml(&mut bytes)?;
    Ok(finish(&String::from_utf8(bytes)?, suites))
}

fn of_suite(suite: &Suite, left: &mut usize) -> TestSuite {
    let name = attribute(&format!("{} {}", suite.name, suite.phase));
    let mut built = TestSuiteBuilder::new(&name)
        .set_timestamp(date(suite.started))
        .set_system_out(&head(suite))
        .build();
    built.package = attribute(&suite.phase);
    built.hostname = attribute(&suite.host);
    built.add_testcases(suite.cases.iter().map(|case| of_case(case, left)));
    built
}

/// Properties and flaky cases, for the suite's `system-out`.
fn head(suite: &Suite) -> String {
    let mut head = String::new();
    for (name, value) in &suite.properties {
        let _ = writeln!(head, "{}: {}", one_line(name), one_line(value));
    }
    let flaky: Vec<&Case> = suite.cases.iter().filter(|case| case.is_flaky()).collect();
    if !flaky.is_empty() {
        let _ = writeln!(head, "flaky (passed, but not at first):");
    }
    for case in flaky {
        let _ = writeln!(
            head,
            "  {} ({} attempts)",
            one_line(&case.name),
            case.attempts
        );
    }
    xml_text(&cap(&head, MOST_PER_CASE))
}

fn of_case(case: &Case, left: &mut usize) -> TestCase {
    let name = attribute(&case.name);
    let took = length(case.took);
    let mut builder = match &case.outcome {
        Outcome::Passed => TestCaseBuilder::success(&name, took),
        Outcome::Failed { message } => {
            let mut builder = TestCaseBuilder::failure(&name, took, "failed", &brief(message));
            builder.set_trace(&body(message, left));
            builder
        }
        Outcome::Errored { message } => {
            let mut builder = TestCaseBuilder::error(&name, took, "errored", &brief(message));
            builder.set_trace(&body(message, left));
            builder
        }
        Outcome::Skipped { reason } => {
            TestCaseBuilder::skipped_with_cause(&name, "skipped", &attribute(reason))
        }
    };
    builder.set_classname(&attribute(&case.class));
    if let Some(output) = output(case, left) {
        builder.set_system_out(&output);
    }
    builder.build()
}

/// What a case printed; nothing for one that passed at once, whose output is in the log.
fn output(case: &Case, left: &mut usize) -> Option<String> {
    let flaky = case.is_flaky().then(|| {
        let attempts = case.attempts;
        format!("[kcluster] flaky: passed on attempt {attempts}, failed before\n")
    });
    if case.outcome.is_passed() && flaky.is_none() {
        return None;
    }
    let printed = body(&case.output, left);
    let output = flaky.unwrap_or_default() + &printed;
    (!output.is_empty()).then_some(output)
}

/// Text for a CDATA section, charged to what the report has left.
fn body(text: &str, left: &mut usize) -> String {
    let most = if *left == 0 { LITTLE } else { MOST_PER_CASE };
    let text = excerpt(text, most);
    *left = left.saturating_sub(text.len());
    text
}

fn attribute(text: &str) -> String {
    one_line(&cap(&xml_text(text), MOST_PER_ATTRIBUTE))
}

fn brief(message: &str) -> String {
    attribute(first_line(&xml_text(message)))
}

/// junit-report adds durations up and writes RFC 3339: both panic beyond what they can hold.
fn length(took: std::time::Duration) -> Duration {
    let longest = Duration::days(3650);
    Duration::try_from(took).unwrap_or(longest).min(longest)
}

fn date(at: Timestamp) -> OffsetDateTime {
    let date = OffsetDateTime::from_unix_timestamp(at.as_second()).ok();
    date.filter(|date| (0..=9999).contains(&date.year()))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Adds the counts that junit-report does not write, and line breaks. Works on the markup alone:
/// in it, `<` begins a tag, because attributes are escaped and text is in CDATA sections.
fn finish(xml: &str, suites: &[Suite]) -> String {
    let changes = changes(suites);
    let mut out = String::with_capacity(xml.len() + xml.len() / 8);
    let mut rest = xml;
    while !rest.is_empty() {
        let (markup, data) = rest.split_at(rest.find("<![CDATA[").unwrap_or(rest.len()));
        let changed = changes
            .iter()
            .fold(markup.to_owned(), |markup, (from, to)| {
                if markup.contains(from) {
                    markup.replace(from, to)
                } else {
                    markup
                }
            });
        out.push_str(&changed);
        let (data, after) = data.split_at(data.find("]]>").map_or(data.len(), |end| end + 3));
        out.push_str(data);
        rest = after;
    }
    out.push('\n');
    out
}

/// What [`finish`] replaces, and by what.
fn changes(suites: &[Suite]) -> Vec<(String, String)> {
    let all = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
    let root = format!(
        "\n<testsuites tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        all.cases(),
        all.failed,
        all.errored,
        all.skipped
    );
    let mut changes = vec![
        ("<testsuites>".to_owned(), format!("{root}>")),
        ("<testsuites/>".to_owned(), format!("{root}/>")),
        ("</testsuites>".to_owned(), "\n</testsuites>".to_owned()),
    ];
    for (id, suite) in suites.iter().enumerate() {
        let skipped = Totals::of(&suite.cases).skipped;
        let begins = format!("<testsuite id=\"{id}\" ");
        changes.push((begins.clone(), format!("{begins}skipped=\"{skipped}\" ")));
    }
    for (tags, indent) in [
        (["<testsuite ", "</testsuite>"].as_slice(), 2),
        (&["<testcase ", "</testcase>"], 4),
        (&["<failure ", "<error ", "<skipped ", "<system-out>"], 6),
    ] {
        let broken = |tag: &&str| ((*tag).to_owned(), format!("\n{:indent$}{tag}", ""));
        changes.extend(tags.iter().map(broken));
    }
    changes
}

#[cfg(test)]
mod tests;
