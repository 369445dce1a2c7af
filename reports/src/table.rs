//! Plain-text tables for a terminal or a log.

use std::time::Duration;

use kcluster_matrix::outcome::{Case, Outcome, Totals};

use crate::text::{duration, first_line, one_line};

/// Steps and their times, one a line, and below them how long it took in all. Steps overlap, so
/// that is less than their sum.
#[must_use]
pub fn phases(cases: &[Case], took: Duration) -> String {
    let rows: Vec<[String; 3]> = cases
        .iter()
        .map(|case| {
            [
                one_line(&case.name),
                duration(case.took),
                remark(&case.outcome),
            ]
        })
        .chain([["in all".to_owned(), duration(took), String::new()]])
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let (names, times) = (width(0), width(1));
    let mut out = String::new();
    for [name, time, remark] in &rows {
        let line = format!("{name:names$}  {time:>times$}  {remark}");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn remark(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => String::new(),
        Outcome::Failed { message } => format!("FAILED: {}", first_line(message)),
        Outcome::Errored { message } => format!("ERRORED: {}", first_line(message)),
        Outcome::Skipped { reason } => format!("skipped: {}", first_line(reason)),
    }
}

/// The counts in one line, those that are zero left out but for `passed`.
#[must_use]
pub fn totals(totals: &Totals, took: Duration) -> String {
    let mut parts = vec![format!("{} passed", totals.passed)];
    if totals.flaky > 0 {
        parts.push(format!("of which {} flaky", totals.flaky));
    }
    for (count, what) in [
        (totals.failed, "failed"),
        (totals.errored, "errored"),
        (totals.skipped, "skipped"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("{} in {}", parts.join(", "), duration(took))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, seconds: f64, outcome: Outcome) -> Case {
        Case {
            name: name.into(),
            class: "boot".into(),
            took: Duration::from_secs_f64(seconds),
            outcome,
            attempts: 1,
            output: String::new(),
        }
    }

    #[test]
    fn phases_line_up() {
        let message = "timed out\nwaiting".into();
        let reason = "no workers".into();
        let cases = [
            case("engine", 0.02, Outcome::Passed),
            case(
                "kubeadm init (a-control-plane)",
                61.0,
                Outcome::Errored { message },
            ),
            case("kubeadm join", 0.0, Outcome::Skipped { reason }),
        ];
        insta::assert_snapshot!(phases(&cases, Duration::from_secs(62)), @r"
        engine                               0.0 s
        kubeadm init (a-control-plane)  1 min 01 s  ERRORED: timed out
        kubeadm join                         0.0 s  skipped: no workers
        in all                          1 min 02 s
        ");
        assert_eq!(phases(&[], Duration::ZERO), "in all  0.0 s\n");
    }

    #[test]
    fn totals_say_what_is_worth_saying() {
        let mut counts = Totals {
            passed: 417,
            ..Totals::default()
        };
        assert_eq!(
            totals(&counts, Duration::from_secs(840)),
            "417 passed in 14 min 00 s"
        );
        counts.failed = 2;
        counts.flaky = 1;
        counts.skipped = 3;
        assert_eq!(
            totals(&counts, Duration::from_secs(1)),
            "417 passed, of which 1 flaky, 2 failed, 3 skipped in 1.0 s"
        );
    }
}
