//! From events to suites and tables: pure, so that a recording gives the same again.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::{Case, Event, EventKind, Outcome, Step, Suite};
use kcluster_reports::table;
use kcluster_reports::text::first_line;

/// A step and where it is done, in words.
pub(crate) fn place(step: Step, node: Option<&str>) -> String {
    node.map_or_else(|| step.to_string(), |node| format!("{step} ({node})"))
}

/// The boot as a suite: each step on each node is a case, so that a cluster that did not
/// come up is seen where specs are looked for.
pub(crate) fn boot_suite(events: &[Event], host: &str) -> Suite {
    let cell = events.iter().rev().find_map(|event| event.cell.as_ref());
    let mut output: HashMap<(Step, Option<&str>), String> = HashMap::new();
    let mut cases = Vec::new();
    for event in events {
        match &event.kind {
            EventKind::StepOutput { step, node, line } => {
                let text = output.entry((*step, node.as_deref())).or_default();
                text.push_str(line);
                text.push('\n');
            }
            EventKind::StepFinished {
                step,
                node,
                took,
                outcome,
            } => {
                let output = output.remove(&(*step, node.as_deref())).unwrap_or_default();
                cases.push(Case {
                    name: place(*step, node.as_deref()),
                    class: "boot".to_owned(),
                    took: *took,
                    outcome: outcome.clone(),
                    attempts: 1,
                    output,
                });
            }
            _ => {}
        }
    }
    Suite {
        name: cell.map_or_else(|| "no-cell".to_owned(), ToString::to_string),
        phase: "boot".to_owned(),
        host: host.to_owned(),
        started: events
            .first()
            .map_or(Timestamp::UNIX_EPOCH, |event| event.at),
        properties: Vec::new(),
        cases,
    }
}

/// The suite with a case for a failure that no step of it owns, such as a boot that took too
/// long: without it the suite would look as if all was well.
pub(crate) fn with_failure(mut suite: Suite, failure: Option<String>) -> Suite {
    let told = suite.cases.iter().any(|case| {
        matches!(
            case.outcome,
            Outcome::Failed { .. } | Outcome::Errored { .. }
        )
    });
    if let Some(message) = failure.filter(|_| !told) {
        suite.cases.push(Case {
            name: "boot".to_owned(),
            class: "boot".to_owned(),
            took: Duration::ZERO,
            outcome: Outcome::Errored { message },
            attempts: 1,
            output: String::new(),
        });
    }
    suite
}

/// Why a spec did not even begin, if it did not.
pub(crate) fn never_ran(case: &Case) -> Option<&str> {
    match &case.outcome {
        Outcome::Errored { message } if case.took.is_zero() => Some(first_line(message)),
        _ => None,
    }
}

/// Steps with their times, as a table.
pub(crate) fn phase_table(events: &[Event]) -> String {
    let took = events
        .first()
        .zip(events.last())
        .map(|(first, last)| last.at.duration_since(first.at));
    // Negative only where the clock was set back.
    let took = took
        .and_then(|took| Duration::try_from(took).ok())
        .unwrap_or_default();
    table::phases(&boot_suite(events, "").cases, took)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Event> {
        let node = Some("a-control-plane".to_owned());
        let kinds = [
            EventKind::StepStarted {
                step: Step::Init,
                node: node.clone(),
            },
            EventKind::StepOutput {
                step: Step::Init,
                node: node.clone(),
                line: "[init] go".into(),
            },
            EventKind::StepOutput {
                step: Step::Join,
                node: None,
                line: "other".into(),
            },
            EventKind::StepFinished {
                step: Step::Init,
                node,
                took: Duration::from_millis(7540),
                outcome: Outcome::Errored {
                    message: "port taken".into(),
                },
            },
        ];
        let event = |kind| Event {
            at: Timestamp::from_second(5).unwrap(),
            cell: None,
            kind,
        };
        kinds.into_iter().map(event).collect()
    }

    #[test]
    fn each_step_is_a_case_with_its_own_output() {
        let suite = boot_suite(&events(), "host");
        let [case] = suite.cases.as_slice() else {
            panic!("{suite:?}")
        };
        assert_eq!(case.name, "kubeadm init (a-control-plane)");
        assert_eq!(case.output, "[init] go\n");
        assert_eq!(
            case.outcome,
            Outcome::Errored {
                message: "port taken".into()
            }
        );
        assert_eq!(suite.started, Timestamp::from_second(5).unwrap());
    }

    #[test]
    fn a_failure_is_a_case_exactly_once() {
        let errors = |suite: &Suite| {
            let errored = |case: &&Case| matches!(case.outcome, Outcome::Errored { .. });
            suite.cases.iter().filter(errored).count()
        };
        let failure = || Some("too late".to_owned());
        assert_eq!(
            errors(&with_failure(boot_suite(&events(), "h"), failure())),
            1
        );
        assert_eq!(errors(&with_failure(boot_suite(&[], "h"), failure())), 1);
        assert_eq!(errors(&with_failure(boot_suite(&[], "h"), None)), 0);
    }

    #[test]
    fn the_table_shows_each_step_with_its_time() {
        let text = phase_table(&events()).to_string();
        assert!(
            text.contains("kubeadm init (a-control-plane)  7.5 s"),
            "{text}"
        );
    }
}
