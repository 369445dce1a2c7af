//! A run as tables, and as a page of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Bench, Maker, Row, Topic};
/// A page.
#[must_use]
pub fn markdown(bench: &Bench, written_by: &str) -> String {
    let date = bench.at.strftime("%Y-%m-%d");
    let Bench {
        machine,
        kubernetes,
        ..
    } = bench;
    let mut text = format!(
        "# Benchmarks\n\nWritten by `{written_by}` on {date}: {} processors, {:.0} GiB, {}, {}, cgroup v{}, Kubernetes {kubernetes}, \
images present. Times are those of whole commands, from their start to their end; Ready is all nodes and all kube-system pods. Builds begin \
with empty caches; their times are the processors'. Disk is \
what is allocated, not what files claim to hold. Memory is the machine's MemAvailable before and after.\n",
        machine.cpus,
        machine.memory as f64 / f64::from(1 << 30),
        machine.engine,
        machine.storage,
        machine.cgroups,
    );
    for (topic, rows) in tables(bench) {
        let _ = write!(text, "\n## {}\n\n", topic.title());
        let _ = writeln!(text, "| {} |", HEADINGS.join(" | "));
        text.push_str("|---|---|---|---|---|---|---|\n");
        for row in rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
    }
    let remarks = remarks(bench);
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        let _ = writeln!(text, "- {remark}");
    }
    text
}

/// Above the columns of [`tables`]; all but the first hold numbers.
pub const HEADINGS: [&str; 7] = [
    "what",
    "median",
    "spread",
    "runs",
    "at most",
    "kind",
    "kind ÷ ours",
];

/// Each topic's lines; a peer's figure stands beside ours.
#[must_use]
pub fn tables(bench: &Bench) -> Vec<(Topic, Vec<[String; 7]>)> {
    let table = |topic| {
        let rows = bench.rows.iter().filter(|row| row.topic == topic);
        let lines: Vec<[String; 7]> = rows
            .filter(|row| row.maker == Maker::Kcluster || !has_ours(bench, row))
            .filter(|row| row.maker == Maker::Kcluster || row.stats().is_some())
            .map(|row| line(bench, row))
            .collect();
        (topic, lines)
    };
    let tables = Topic::ALL.into_iter().map(table);
    tables.filter(|(_, lines)| !lines.is_empty()).collect()
}

fn has_ours(bench: &Bench, row: &Row) -> bool {
    bench.rows.iter().any(|other| {
        (other.topic, &other.what, other.maker) == (row.topic, &row.what, Maker::Kcluster)
    })
}

fn line(bench: &Bench, row: &Row) -> [String; 7] {
    let show = |value| row.unit.show(value);
    let stats = row.stats();
    let ours = stats.filter(|_| row.maker == Maker::Kcluster);
    let peer = bench
        .rows
        .iter()
        .find(|other| {
            (other.topic, &other.what, other.maker) == (row.topic, &row.what, Maker::Kind)
        })
        .and_then(Row::stats);
    let ratio = ours
        .zip(peer)
        .filter(|(ours, _)| ours.median > 0.0)
        .map(|(ours, peer)| format!("{:.1}", peer.median / ours.median));
    let over = if row.exceeds() { " EXCEEDED" } else { "" };
    let cells = [
        Some(row.what.clone()),
        ours.map(|stats| show(stats.median)),
        ours.filter(|stats| stats.count > 1)
            .map(|stats| format!("{} to {}", show(stats.least), show(stats.most))),
        ours.map(|stats| stats.count.to_string()),
        row.limit.map(|limit| format!("{}{over}", show(limit))),
        peer.map(|stats| show(stats.median)),
        ratio,
    ];
    cells.map(Option::unwrap_or_default)
}

/// What a reader has to know beside the figures.
#[must_use]
pub fn remarks(bench: &Bench) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(load) = bench.machine.load.filter(|_| bench.machine.is_busy()) {
        lines.push(format!(
            "The machine was busy when this began (load {load:.1}): its times are not for a record."
        ));
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for row in bench.skipped() {
        let reason = row.skipped.as_deref().unwrap_or_default();
        *reasons.entry(reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        let figures = if count == 1 { "figure" } else { "figures" };
        lines.push(format!("Skipped, {count} {figures}: {reason}."));
    }
    lines
}
