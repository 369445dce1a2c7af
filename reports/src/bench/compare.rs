//! A run beside an earlier one.

use std::fmt::Write as _;

use super::{Bench, Row};

/// What changed from `old` to `new`, in words; a change counts only where the samples of the two
/// do not overlap.
#[must_use]
pub fn compare(old: &Bench, new: &Bench) -> String {
    let mut text = String::new();
    if old.machine.cpus != new.machine.cpus || old.machine.engine != new.machine.engine {
        let _ = writeln!(
            text,
            "not the same machine: {} processors, {}; then {} processors, {}",
            old.machine.cpus, old.machine.engine, new.machine.cpus, new.machine.engine
        );
    }
    if old.machine.is_busy() || new.machine.is_busy() {
        text.push_str("a machine was busy: times are not to be trusted\n");
    }
    for row in &new.rows {
        let before = old.rows.iter().find(|known| known.is_of(row));
        let _ = writeln!(text, "{}, {}: {}", row.what, row.maker, line(before, row));
    }
    for row in &old.rows {
        if !new.rows.iter().any(|known| known.is_of(row)) && row.stats().is_some() {
            let _ = writeln!(text, "{}, {}: not taken this time", row.what, row.maker);
        }
    }
    text
}

fn line(before: Option<&Row>, row: &Row) -> String {
    let Some(now) = row.stats() else {
        let reason = row.skipped.as_deref().unwrap_or("no samples");
        return format!("skipped: {reason}");
    };
    let show = |value| row.unit.show(value);
    let Some(then) = before.and_then(Row::stats) else {
        return format!("{}, new", show(now.median));
    };
    let medians = format!("{} then, {} now", show(then.median), show(now.median));
    if then.median <= 0.0 || !now.is_apart(&then) {
        return format!("{medians}, within the spread");
    }
    let change = (now.median / then.median - 1.0) * 100.0;
    let word = if change < 0.0 { "less" } else { "MORE" };
    format!("{medians}, {:.0} % {word}", change.abs())
}
