//! How far a run of specs is: folded from events alone.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::{Event, EventKind, Outcome};

use crate::fold::never_ran;

/// Counts over all processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Specs that will run.
    pub(super) total: usize,
    /// Specs that ended.
    pub(super) done: usize,
    /// Of these, failed.
    pub(super) failed: usize,
    /// Of these, passed only after a retry.
    pub(super) flaky: usize,
    /// Slow specs, as far as they are known, by the process they run in.
    pub(super) slow: BTreeMap<usize, String>,
    processes: usize,
    began: Option<Timestamp>,
}

impl Progress {
    /// Takes an event; true when it changed anything.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        match &event.kind {
            EventKind::RunStarted { specs, processes } => {
                let (total, processes) = (*specs, *processes);
                *self = Self {
                    total,
                    processes,
                    began: Some(event.at),
                    ..Self::default()
                };
            }
            EventKind::SpecStarted { name, process } => {
                self.slow.insert(*process, name.clone());
            }
            EventKind::SpecFinished { case, .. } if never_ran(case).is_some() => return false,
            EventKind::SpecFinished { case, .. } => {
                self.slow.retain(|_, name| *name != case.name);
                if !matches!(case.outcome, Outcome::Skipped { .. }) {
                    self.done += 1;
                    self.failed += usize::from(!case.outcome.is_passed());
                    self.flaky += usize::from(case.is_flaky());
                }
            }
            _ => return false,
        }
        true
    }

    /// Specs that run now: ginkgo keeps every process busy while there are any.
    pub(super) fn running(&self) -> usize {
        self.processes.min(self.total.saturating_sub(self.done))
    }

    /// The time left, once enough specs have ended to tell.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let gone = Duration::try_from(now.duration_since(self.began?)).ok()?;
        if self.done < 5 {
            return None;
        }
        let share = u32::try_from(self.total.saturating_sub(self.done)).ok()?;
        Some(gone * share / u32::try_from(self.done).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::Case;

    fn event(second: i64, kind: EventKind) -> Event {
        Event {
            at: Timestamp::from_second(second).unwrap(),
            cell: None,
            kind,
        }
    }

    fn finished(outcome: Outcome) -> EventKind {
        let case = Case {
            name: "n".into(),
            class: "c".into(),
            took: Duration::ZERO,
            outcome,
            attempts: 1,
            output: String::new(),
        };
        EventKind::SpecFinished { case, process: 1 }
    }

    #[test]
    fn counts_and_the_time_left_follow_the_events() {
        let mut progress = Progress::default();
        progress.take(&event(
            0,
            EventKind::RunStarted {
                specs: 20,
                processes: 16,
            },
        ));
        progress.take(&event(
            1,
            EventKind::SpecStarted {
                name: "n".into(),
                process: 1,
            },
        ));
        assert_eq!((progress.running(), progress.slow.len()), (16, 1));
        for second in 1..=4 {
            progress.take(&event(second, finished(Outcome::Passed)));
        }
        assert_eq!(progress.left(Timestamp::from_second(4).unwrap()), None);
        progress.take(&event(
            10,
            finished(Outcome::Failed {
                message: "m".into(),
            }),
        ));
        assert_eq!(
            (progress.done, progress.failed, progress.running()),
            (5, 1, 15)
        );
        assert!(progress.slow.is_empty());
        let left = progress.left(Timestamp::from_second(10).unwrap());
        assert_eq!(left, Some(Duration::from_secs(30)));
    }
}
