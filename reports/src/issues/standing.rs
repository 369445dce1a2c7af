//! Whether what a culprit broke is still broken, by the days that are stored.

use jiff::Timestamp;

use super::Subject;
use crate::trend::Day;

/// How it stands about a culprit in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// It has been red all the time.
    Red {
        /// Specs that turned red when it was seen first; none when that day is not stored.
        specs: Vec<&'a str>,
        /// The days since then, that one included.
        days: Vec<&'a Day>,
    },
    /// It was green at least once since.
    Green {
        /// That day.
        day: &'a Day,
    },
}

/// What the days after the one at which it was seen first say; without that day, those after `since`.
pub(super) fn standing<'a>(subject: &Subject, since: Timestamp, days: &'a [Day]) -> Standing<'a> {
    let of_cell: Vec<&Day> = days.iter().filter(|day| day.cell == subject.cell).collect();
    let new = |index: usize| -> Vec<&'a str> {
        let before = index.checked_sub(1).and_then(|before| of_cell.get(before));
        let day: Option<&&'a Day> = of_cell.get(index);
        day.map_or_else(Vec::new, |day| day.new_since(before.copied()))
    };
    // A branch that rests is tested again at the same commit.
    let seen = |index: &usize| {
        of_cell
            .get(*index)
            .is_some_and(|day| day.revision == subject.bad)
    };
    let first = (0..of_cell.len())
        .rev()
        .filter(seen)
        .find(|index| !new(*index).is_empty());
    let (specs, later) = match first {
        Some(first) => (
            new(first),
            of_cell.get(first..).unwrap_or_default().to_vec(),
        ),
        None => {
            let later = of_cell.into_iter().filter(|day| day.at > since);
            (Vec::new(), later.collect())
        }
    };
    let fine = |day: &&&Day| match specs.is_empty() {
        true => day.is_green(),
        false => {
            let broken = day.failed.iter().any(|name| specs.contains(&name.as_str()));
            day.totals.passed > 0 && day.totals.errored == 0 && !broken
        }
    };
    match later.iter().find(fine) {
        Some(day) => Standing::Green { day },
        None => Standing::Red { specs, days: later },
    }
}
