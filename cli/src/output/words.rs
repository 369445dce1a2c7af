//! Events in words, the same on a terminal and in a log.

use std::time::Duration;

use kcluster_matrix::{Case, EventKind, Outcome};

use kcluster_reports::text::{duration, xml_text};

use super::paint::Paint;
use super::progress::Progress;
use crate::fold::{never_ran, place};

/// How many lines of a failed spec's message and output are shown: Kubernetes puts whole objects
/// into both, and all of it is in the report.
const FIRST_LINES: usize = 4;
const LAST_LINES: usize = 10;

/// A line as far as a terminal's few lines should hold it.
fn cut(line: &str) -> String {
    line.chars().take(240).collect()
}

/// A line for an event that is told at this verbosity, if it is.
pub(super) fn line(kind: &EventKind, verbosity: u8, paint: Paint) -> Option<String> {
    let steps = verbosity >= 1;
    let details = verbosity >= 2;
    Some(match kind {
        EventKind::StepOutput { step, node, line } if details => {
            let place = place(*step, node.as_deref());
            format!("{} {line}", paint.dim(&format!("{place} |")))
        }
        EventKind::StepFinished {
            step,
            node,
            took,
            outcome,
        } => {
            let place = place(*step, node.as_deref());
            match outcome {
                Outcome::Passed if steps => {
                    format!(
                        "{} {place} {}",
                        paint.good("✓"),
                        paint.dim(&duration(*took))
                    )
                }
                Outcome::Skipped { reason } if steps => {
                    format!("{} {place}: {reason}", paint.dim("-"))
                }
                Outcome::Failed { message } | Outcome::Errored { message } => {
                    format!(
                        "{} {place} {}: {message}",
                        paint.bad("✗"),
                        paint.dim(&duration(*took))
                    )
                }
                _ => return None,
            }
        }
        EventKind::BuildFinished { what, took, cached } if steps && (details || !cached) => {
            let how = if *cached {
                "cached".to_owned()
            } else {
                duration(*took)
            };
            format!("{} {what} {}", paint.good("✓"), paint.dim(&how))
        }
        // Specs that never ran come in hundreds, all with one reason, which the end tells.
        EventKind::SpecFinished { case, .. } if never_ran(case).is_some() => return None,
        EventKind::SpecFinished { case, .. } => return spec(case, verbosity, paint),
        EventKind::Note { text } if steps => format!("{} {text}", paint.dim("·")),
        EventKind::Warning { text } => format!("{} {text}", paint.warn("warning:")),
        _ => return None,
    })
}

/// A line that something has begun, for logs that cannot show a spinner.
pub(super) fn beginning(kind: &EventKind, verbosity: u8) -> Option<String> {
    match kind {
        EventKind::StepStarted { step, node } if verbosity >= 1 => {
            Some(format!("  {} …", place(*step, node.as_deref())))
        }
        EventKind::BuildStarted { what } if verbosity >= 1 => Some(format!("  {what} …")),
        EventKind::RunStarted { specs, processes } if verbosity >= 1 => {
            Some(format!("  {specs} specs in {processes} processes …"))
        }
        EventKind::SpecStarted { name, process } if verbosity >= 3 => {
            Some(format!("  [{process}] {name} …"))
        }
        _ => None,
    }
}

fn spec(case: &Case, verbosity: u8, paint: Paint) -> Option<String> {
    let took = paint.dim(&duration(case.took));
    match &case.outcome {
        Outcome::Failed { message } | Outcome::Errored { message } => {
            let word = match &case.outcome {
                Outcome::Errored { .. } => "ERRORED",
                _ => "FAILED",
            };
            let mut text = format!("{} {} {took}", paint.bad(word), case.name);
            // What specs print is anything; on a terminal it could do anything.
            let (message, output) = (xml_text(message), xml_text(&case.output));
            for line in message.lines().take(FIRST_LINES) {
                text.push_str(&format!("\n    {}", cut(line)));
            }
            let lines: Vec<&str> = output.lines().collect();
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                text.push_str(&format!("\n    {} {}", paint.dim("|"), cut(line)));
            }
            Some(text)
        }
        Outcome::Passed if case.is_flaky() && verbosity >= 1 => Some(format!(
            "{} {} passed in attempt {} {took}",
            paint.warn("FLAKY"),
            case.name,
            case.attempts
        )),
        Outcome::Passed if verbosity >= 2 => {
            Some(format!("{} {} {took}", paint.good("✓"), case.name))
        }
        _ => None,
    }
}

/// The state of a run of specs in one line.
pub(super) fn progress(progress: &Progress, left: Option<Duration>) -> String {
    let mut text = format!("{}/{} specs", progress.done, progress.total);
    if progress.failed > 0 {
        text.push_str(&format!(", {} failed", progress.failed));
    }
    if progress.flaky > 0 {
        text.push_str(&format!(", {} flaky", progress.flaky));
    }
    if progress.done == progress.total {
        return text;
    }
    text.push_str(&format!(", {} running", progress.running()));
    if let Some(left) = left {
        text.push_str(&format!(", about {} left", duration(left)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_errored_and_flaky_are_told_apart() {
        let told = |outcome, attempts| {
            let case = Case {
                name: "[sig-x] a".into(),
                class: "sig-x".into(),
                took: Duration::from_secs(1),
                outcome,
                attempts,
                output: "last".into(),
            };
            spec(&case, 1, Paint::new(false))
        };
        let message = || "the reason".to_owned();
        let failed = told(Outcome::Failed { message: message() }, 1).unwrap();
        assert!(
            failed.starts_with("FAILED [sig-x] a 1.0 s\n    the reason\n"),
            "{failed}"
        );
        let errored = told(Outcome::Errored { message: message() }, 1).unwrap();
        assert!(errored.starts_with("ERRORED [sig-x] a"), "{errored}");
        let flaky = told(Outcome::Passed, 2).unwrap();
        assert!(
            flaky.starts_with("FLAKY [sig-x] a passed in attempt 2"),
            "{flaky}"
        );
        assert_eq!(told(Outcome::Passed, 1), None);
    }
}
