//! A comparison in Markdown.

use std::fmt::Write as _;

use super::{Change, Comparison};
use crate::summary::{fenced, inline};
use crate::text::duration;

/// More of one kind are only counted.
const MOST: usize = 50;

pub(super) fn markdown(comparison: &Comparison) -> String {
    let counts = [
        (comparison.new.len(), "newly failing"),
        (comparison.fixed.len(), "fixed"),
        (comparison.still.len(), "still failing"),
        (comparison.gone.len(), "no longer run"),
        (comparison.flaky.len(), "flaky"),
        (comparison.slower.len(), "slower"),
    ];
    let told: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let told = if comparison.cells.is_empty() {
        "the reports have no cell in common".to_owned()
    } else if told.is_empty() {
        format!("nothing changed, {} passed both times", comparison.passed)
    } else {
        told.join(", ")
    };
    let mut out = format!("## kcluster: {told}\n\n");
    for (old, new) in &comparison.cells {
        if old != new {
            let _ = writeln!(out, "- {} is compared with {}", inline(new), inline(old));
        }
    }
    for (cells, what) in [
        (&comparison.gone_cells, "only in the old report"),
        (&comparison.added_cells, "only in the new report"),
    ] {
        for cell in cells {
            let _ = writeln!(out, "- {} is {what}", inline(cell));
        }
    }
    reasons(&mut out, "New failures", &comparison.new);
    reasons(&mut out, "Still failing", &comparison.still);
    lines(&mut out, "Fixed", &comparison.fixed, |_| String::new());
    lines(&mut out, "No longer run", &comparison.gone, |change| {
        format!(": {}", inline(&change.message))
    });
    lines(&mut out, "Flaky", &comparison.flaky, |change| {
        let was = if change.was_flaky { ", as before" } else { "" };
        was.to_owned()
    });
    lines(&mut out, "Slower", &comparison.slower, |change| {
        let time = |time: Option<std::time::Duration>| duration(time.unwrap_or_default());
        format!(": {} instead of {}", time(change.now), time(change.before))
    });
    out
}

fn reasons(out: &mut String, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n### {title}");
    for change in changes.iter().take(MOST) {
        let _ = writeln!(
            out,
            "\n<details><summary>{} ({})</summary>\n\n{}\n</details>",
            inline(&change.name),
            inline(&change.cell),
            fenced(&change.message)
        );
    }
    more(out, changes.len());
}

fn lines(out: &mut String, title: &str, changes: &[Change], tail: impl Fn(&Change) -> String) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n### {title}\n");
    for change in changes.iter().take(MOST) {
        let (name, cell) = (inline(&change.name), inline(&change.cell));
        let _ = writeln!(out, "- {name} ({cell}){}", tail(change));
    }
    more(out, changes.len());
}

fn more(out: &mut String, count: usize) {
    if let Some(more @ 1..) = count.checked_sub(MOST) {
        let _ = writeln!(out, "\n… and {more} more.");
    }
}
