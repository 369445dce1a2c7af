//! From what ginkgo reported, what was listed and how the cluster fared: one verdict per spec.
//!
//! A spec that failed because nothing could work has told nothing about Kubernetes. So when the
//! API server or a node was lost, failures become errors; and each listed spec that has no verdict
//! is an error by name, so that a run that lost specs can never look green.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome};

use crate::follow::Tally;
use crate::ginkgo::{Report, SpecReport, State};
use crate::list::{SpecList, class};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Ginkgo ran to its end.
    Completed,
    /// It was asked to stop.
    Cancelled,
    /// The time limit for the whole run passed.
    TimedOut,
    /// The API server did not answer for so long that the run was stopped.
    ApiServerLost {
        /// What was seen.
        detail: String,
    },
    /// Nodes were not Ready for so long that the run was stopped.
    NodesLost {
        /// Their names.
        nodes: Vec<String>,
    },
    /// Specs did not end within the time a spec may take, and could only be ended with the run.
    SpecsTimedOut {
        /// Their names.
        specs: Vec<String>,
    },
    /// Ginkgo died, or ended without a report.
    Crashed {
        /// Its exit status, and its last lines.
        detail: String,
    },
}

impl End {
    /// Why a spec has no verdict, if this is how the run ended.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Completed => "ginkgo reports nothing of it".into(),
            Self::Cancelled => "the run was interrupted".into(),
            Self::TimedOut => "the time limit of the run passed; raise `--timeout`".into(),
            Self::ApiServerLost { detail } => format!("the API server was lost: {detail}"),
            Self::NodesLost { nodes } => format!("node {} was lost", nodes.join(", ")),
            Self::SpecsTimedOut { .. } => "a spec that took too long ended the run".into(),
            Self::Crashed { detail } => format!("ginkgo died: {detail}"),
        }
    }
}

/// Why a spec was not run after another failed.
pub(crate) const FAIL_FAST: &str = "not run: --fail-fast, and a spec before it failed";

/// How the cluster was after the last spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why the API server does not answer, if it does not.
    pub api_server: Option<String>,
    /// Nodes that were Ready before the first spec and are not any more.
    pub lost_nodes: Vec<String>,
}

/// All that is known of a run.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What should have run.
    pub list: &'a SpecList,
    /// What ginkgo reported at its end; absent when it died.
    pub report: Option<&'a Report>,
    /// What was followed live; used for specs that the report does not know.
    pub live: &'a [Case],
    /// Ginkgo's closing count, as printed.
    pub tally: Option<Tally>,
    /// How it ended.
    pub end: &'a End,
    /// How the cluster was then.
    pub health: &'a Health,
    /// Whether the first failure was to stop the run.
    pub fail_fast: bool,
}

/// One case for each listed spec, in the order they ended and then by name, and one for each thing
/// beside specs that went wrong.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> Vec<Case> {
    let listed: HashSet<&str> = names(evidence.list).collect();
    let mut verdicts: HashMap<String, Case> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut extra: Vec<Case> = Vec::new();

    if let Some(report) = evidence.report {
        let mut specs: Vec<&SpecReport> = report.specs().collect();
        specs.sort_by_key(|spec| spec.ended());
        for case in specs.into_iter().filter_map(of_spec) {
            if !listed.contains(case.name.as_str()) {
                extra.push(Case {
                    name: format!("[kcluster] not on the list: {}", case.name),
                    outcome: errored("it ran though it was not selected; please report this"),
                    ..case
                });
            } else {
                order.push(case.name.clone());
                verdicts.insert(case.name.clone(), case);
            }
        }
        extra.extend(suite_nodes(report));
    }
    for case in evidence.live {
        if listed.contains(case.name.as_str()) && !verdicts.contains_key(&case.name) {
            order.push(case.name.clone());
            verdicts.insert(case.name.clone(), case.clone());
        }
    }
    if let (Some(report), Some(tally)) = (evidence.report, evidence.tally) {
        extra.extend(disagreement(report, tally));
    }

    let why = extra
        .iter()
        .find(|case| case.name.contains("BeforeSuite"))
        .and_then(|case| message(&case.outcome).map(str::to_owned))
        .map_or_else(
            || evidence.end.reason(),
            |said| format!("set-up failed: {said}"),
        );
    // What a failure was meant to stop is no fault; and with a failure, the run is not green.
    let stopped = evidence.fail_fast
        && *evidence.end == End::Completed
        && verdicts
            .values()
            .any(|case| matches!(case.outcome, Outcome::Failed { .. }));
    for spec in &evidence.list.specs {
        if !verdicts.contains_key(&spec.name) {
            order.push(spec.name.clone());
            let outcome = if stopped {
                Outcome::Skipped {
                    reason: FAIL_FAST.to_owned(),
                }
            } else {
                errored(&format!("not run: {why}"))
            };
            let case = blank(&spec.name, spec.class(), outcome);
            verdicts.insert(spec.name.clone(), case);
        }
    }
    let mut cases: Vec<Case> = order
        .iter()
        .filter_map(|name| verdicts.remove(name))
        .map(|case| blame(case, evidence.end, evidence.health))
        .collect();
    cases.append(&mut extra);

    // Ginkgo's own verdict counts too: it may know of a fault that no case shows.
    let all_passed = cases.iter().all(|case| case.outcome.severity() < 2);
    let ginkgo_failed = evidence
        .report
        .is_some_and(|report| !report.suite_succeeded);
    if all_passed && (ginkgo_failed || *evidence.end != End::Completed) {
        let told = "every spec passed, and yet ginkgo failed or did not end by itself; see e2e.log";
        let message = format!("{told}: {}", evidence.end.reason());
        cases.push(blank(
            "[kcluster] ginkgo's own verdict",
            "e2e",
            errored(&message),
        ));
    }
    cases
}

fn names(list: &SpecList) -> impl Iterator<Item = &str> {
    list.specs.iter().map(|spec| spec.name.as_str())
}

fn errored(message: &str) -> Outcome {
    Outcome::Errored {
        message: message.to_owned(),
    }
}

fn blank(name: &str, class: &str, outcome: Outcome) -> Case {
    Case {
        name: name.to_owned(),
        class: class.to_owned(),
        took: Duration::ZERO,
        outcome,
        attempts: 0,
        output: String::new(),
    }
}

fn message(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Failed { message } | Outcome::Errored { message } => Some(message),
        Outcome::Passed | Outcome::Skipped { .. } => None,
    }
}

/// The case of a spec that ran; nothing for one that a filter left out or that was not reached.
fn of_spec(spec: &SpecReport) -> Option<Case> {
    let message = || spec.message();
    let outcome = match spec.state {
        State::Passed => Outcome::Passed,
        // Ginkgo's limit for the suite ended it; the spec's own limit is a failure.
        State::Timedout if message().starts_with("A suite timeout") => {
            errored(&format!("{}: {}", End::TimedOut.reason(), message()))
        }
        State::Failed | State::Panicked | State::Timedout => Outcome::Failed { message: message() },
        State::Interrupted | State::Aborted | State::Unknown => errored(&message()),
        State::Skipped => {
            let reason = spec.failure.as_ref().map(|failure| failure.message.clone());
            Outcome::Skipped {
                reason: reason.filter(|reason| !reason.is_empty())?,
            }
        }
        State::Pending => return None,
    };
    let (name, labels) = (spec.name(), spec.labels());
    Some(Case {
        class: class(&name, &labels).to_owned(),
        name,
        took: spec.took(),
        outcome,
        attempts: spec.num_attempts.max(1),
        output: spec.output(),
    })
}

/// Set-up, clean-up and reporting of the whole suite that failed. Each process tells of a set-up
/// that failed in the first one; that is told once.
fn suite_nodes(report: &Report) -> impl Iterator<Item = Case> {
    report
        .spec_reports
        .iter()
        .filter(|node| !node.is_spec())
        .filter(|node| !matches!(node.state, State::Passed | State::Skipped | State::Pending))
        .filter(|node| {
            !node
                .message()
                .contains("failed on Ginkgo parallel process #1")
        })
        .map(|node| Case {
            took: node.took(),
            attempts: 1,
            output: node.output(),
            ..blank(&node.name(), "e2e", errored(&node.message()))
        })
}

/// The report against what ginkgo printed at the end of the same run.
fn disagreement(report: &Report, tally: Tally) -> Option<Case> {
    let count = |states: &[State]| {
        report
            .specs()
            .filter(|spec| states.contains(&spec.state))
            .count()
    };
    let failed = count(&[
        State::Failed,
        State::Panicked,
        State::Timedout,
        State::Interrupted,
        State::Aborted,
    ]);
    let passed = count(&[State::Passed]);
    // A set-up that failed prints no count.
    if (passed, failed) == (tally.passed, tally.failed) || tally == Tally::default() {
        return None;
    }
    let message = format!(
        "ginkgo printed {} passed and {} failed, its report has {passed} and {failed}; see e2e.log",
        tally.passed, tally.failed
    );
    Some(blank(
        "[kcluster] ginkgo's totals",
        "e2e",
        errored(&message),
    ))
}

/// What a client says when there is nobody to talk to.
const NOBODY: [&str; 9] = [
    "connection refused",
    "connection reset",
    "no route to host",
    "i/o timeout",
    "TLS handshake timeout",
    "unexpected EOF",
    ": EOF",
    "client rate limiter Wait returned an error: context deadline exceeded",
    "the server is currently unable to handle the request",
];

/// A failure that the cluster is to blame for becomes an error.
fn blame(case: Case, end: &End, health: &Health) -> Case {
    let Outcome::Failed { message } = &case.outcome else {
        return case;
    };
    let lost = match end {
        End::ApiServerLost { detail } => Some(detail),
        _ => health.api_server.as_ref(),
    };
    let alone = |text: &str| NOBODY.iter().any(|symptom| text.contains(symptom));
    let outcome = match lost {
        Some(detail) if alone(message) || alone(&case.output) => errored(&format!(
            "the API server was lost ({detail}), and the spec said: {message}"
        )),
        _ if !health.lost_nodes.is_empty() => errored(&format!(
            "node {} was lost during the run, so nothing can be told; the spec said: {message}",
            health.lost_nodes.join(", ")
        )),
        _ => return case,
    };
    Case { outcome, ..case }
}

#[cfg(test)]
mod tests;
