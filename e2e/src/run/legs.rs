//! A run as one or more runs of ginkgo.
//!
//! Mostly one. When a spec takes longer than a spec may, ginkgo can only be stopped as a whole: the spec
//! has failed, what ended before keeps its verdict, and the rest runs again.

use std::time::Duration;

use camino::Utf8Path;
use kcluster_matrix::event::{EventKind, Sink};
use kcluster_matrix::outcome::{Case, Outcome};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Cluster, Leg, RunRequest, leg};
use crate::error::E2eError;
use crate::list::{Spec, SpecList};
use crate::verdict::{End, FAIL_FAST};

/// Runs ginkgo until each spec has its verdict, or the run is over for another reason.
pub(super) async fn run(
    request: &RunRequest,
    folder: &Utf8Path,
    cluster: Cluster<'_>,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Leg, E2eError> {
    let begun = Instant::now();
    let mut rest = request.clone();
    let mut decided: Vec<Case> = Vec::new();
    for number in 1.. {
        if number > 1 {
            rest.timeout = request.timeout.saturating_sub(begun.elapsed());
        }
        let leg = leg(&rest, folder, cluster, number == 1, sink, cancel).await?;
        let End::SpecsTimedOut { specs } = &leg.end else {
            decided.extend(leg.cases);
            return Ok(Leg {
                cases: decided,
                // Of several closing counts none is the run's.
                tally: leg.tally.filter(|_| number == 1),
                end: leg.end,
            });
        };
        let limit = request.spec_timeout.unwrap_or_default();
        let known = |name: &str| rest.list.specs.iter().any(|spec| spec.name == name);
        let mut done: Vec<Case> = leg
            .cases
            .into_iter()
            .filter(|case| known(&case.name))
            .map(|case| match specs.contains(&case.name) {
                true => overdue(case, limit, sink),
                false => case,
            })
            // What was only stopped with it has no verdict yet.
            .filter(|case| !matches!(case.outcome, Outcome::Errored { .. }))
            .collect();
        let failed = done
            .iter()
            .any(|case| matches!(case.outcome, Outcome::Failed { .. }));
        rest.list = rest
            .list
            .only(|spec| !done.iter().any(|case| case.name == spec.name));
        decided.append(&mut done);
        if rest.list.is_empty() || (failed && request.fail_fast) {
            let outcome = Outcome::Skipped {
                reason: FAIL_FAST.to_owned(),
            };
            decided.extend(blanks(&rest.list, &outcome));
            break;
        }
        sink.warn(&format_args!(
            "{} took longer than {} s; running the other {} again without it",
            specs.join(", "),
            limit.as_secs(),
            rest.list.len()
        ));
        keep(folder, number, sink);
    }
    Ok(Leg {
        cases: decided,
        end: End::Completed,
        tally: None,
    })
}

/// A case for each spec that was not run.
pub(super) fn blanks(list: &SpecList, outcome: &Outcome) -> Vec<Case> {
    let blank = |spec: &Spec| Case {
        name: spec.name.clone(),
        class: spec.class().to_owned(),
        took: Duration::ZERO,
        outcome: outcome.clone(),
        attempts: 0,
        output: String::new(),
    };
    list.specs.iter().map(blank).collect()
}

/// A spec that took too long has failed, unless it passed while it was being stopped.
fn overdue(case: Case, limit: Duration, sink: &dyn Sink) -> Case {
    let said = match &case.outcome {
        Outcome::Passed | Outcome::Skipped { .. } => return case,
        // Told already, as it is.
        Outcome::Failed { .. } => return case,
        Outcome::Errored { message } => message,
    };
    let message = format!(
        "it did not end within --spec-timeout ({} s): {said}",
        limit.as_secs()
    );
    let case = Case {
        took: case.took.max(limit),
        outcome: Outcome::Failed { message },
        attempts: case.attempts.max(1),
        ..case
    };
    sink.emit(EventKind::SpecFinished {
        case: case.clone(),
        process: 0,
    });
    case
}

/// The next leg's report must not be mistaken for this one's, and this one's is kept.
fn keep(folder: &Utf8Path, number: usize, sink: &dyn Sink) {
    let (from, to) = (
        folder.join("ginkgo/report.json"),
        folder.join(format!("ginkgo/report-{number}.json")),
    );
    match fs_err::rename(&from, &to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            sink.warn(&format_args!("an earlier report is in the way: {error}"));
        }
        _ => {}
    }
}
