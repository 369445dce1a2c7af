//! What failed, what was flaky, what was skipped: each with its reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kcluster_matrix::outcome::{Case, Outcome};

use super::Page;
use super::words::{escape, short, verdict};
use crate::across::{Across, Run, SpecView, alike};
use crate::text::{duration, first_line};

/// Lines of output that are shown at once; mostly the last ones tell.
const LAST_LINES: usize = 25;

/// At most this much of them.
const LAST_BYTES: usize = 4 << 10;

/// Cells of one spec and one reason that are shown with all they printed; the others are named.
const MOST_SHOWN: usize = 3;

/// Clusters of failures that are shown.
const MOST_CLUSTERS: usize = 20;

/// Specs of a cluster that are named.
const MOST_NAMED: usize = 30;

impl Page {
    /// Failures of different specs that say the same: mostly one fault.
    pub(super) fn clusters(&mut self, across: &Across<'_>) {
        let clusters = across.clusters();
        if clusters.is_empty() {
            return;
        }
        self.out
            .push_str("<h2 id=\"alike\">Failures that say the same</h2>\n");
        for cluster in clusters.iter().take(MOST_CLUSTERS) {
            let mut head = format!("{} specs", cluster.specs.len());
            if across.is_matrix() {
                let _ = match &cluster.cells[..] {
                    [cell] => write!(head, " on {}", escape(cell_name(across, *cell))),
                    cells => write!(head, " on {} cells", cells.len()),
                };
            }
            let _ = writeln!(
                self.out,
                "<details class=\"bad\"><summary><b>{head}</b><span class=\"why\">{}</span></summary><div><ul>",
                escape(&short(cluster.example))
            );
            for spec in cluster.specs.iter().take(MOST_NAMED) {
                let _ = writeln!(
                    self.out,
                    "<li><a href=\"#spec-{}\">{}</a></li>",
                    spec.index,
                    escape(spec.name)
                );
            }
            if let Some(more @ 1..) = cluster.specs.len().checked_sub(MOST_NAMED) {
                let _ = writeln!(self.out, "<li class=\"dim\">and {more} more</li>");
            }
            self.out.push_str("</ul></div></details>\n");
        }
    }

    pub(super) fn failures(&mut self, across: &Across<'_>) {
        let bad = across.bad();
        if bad.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "<h2 id=\"failures\">What did not pass ({})</h2>",
            bad.len()
        );
        for spec in bad {
            self.finding(across, spec, |case| case.outcome.severity() >= 2);
        }
    }

    pub(super) fn flaky(&mut self, across: &Across<'_>) {
        let flaky: Vec<_> = across.specs.iter().filter(|spec| spec.is_flaky()).collect();
        if flaky.is_empty() {
            return;
        }
        let _ = writeln!(
            self.out,
            "<h2 id=\"flaky\">Flaky: passed only when tried again ({})</h2>",
            flaky.len()
        );
        for spec in flaky {
            self.finding(across, spec, Case::is_flaky);
        }
    }

    pub(super) fn skipped(&mut self, across: &Across<'_>) {
        let mut reasons: BTreeMap<&str, BTreeMap<usize, &SpecView<'_>>> = BTreeMap::new();
        for spec in &across.specs {
            for run in &spec.runs {
                if let Outcome::Skipped { reason } = &run.case.outcome {
                    let specs = reasons.entry(first_line(reason)).or_default();
                    specs.insert(spec.index, spec);
                }
            }
        }
        if reasons.is_empty() {
            return;
        }
        self.out
            .push_str("<h2 id=\"skipped\">Skipped, by reason</h2>\n");
        for (reason, specs) in reasons {
            let _ = writeln!(
                self.out,
                "<details><summary>{} <span class=\"dim\">({})</span></summary><div><ul>",
                escape(reason),
                specs.len()
            );
            for spec in specs.values() {
                let _ = writeln!(self.out, "<li>{}</li>", escape(spec.name));
            }
            self.out.push_str("</ul></div></details>\n");
        }
    }

    /// A spec that has something to tell: closed it shows its reason's first lines, open all of it.
    fn finding(
        &mut self,
        across: &Across<'_>,
        spec: &SpecView<'_>,
        wanted: impl Fn(&Case) -> bool,
    ) {
        let mut runs: Vec<&Run<'_>> = spec.runs.iter().filter(|run| wanted(run.case)).collect();
        // The worst names it.
        runs.sort_by_key(|run| std::cmp::Reverse(run.case.outcome.severity()));
        let Some(first) = runs.first() else {
            return;
        };
        let (_, word) = verdict(first.case);
        let class = match word {
            "failed" => "bad",
            "errored" => "errored-case",
            _ => "odd",
        };
        let mut told = vec![duration(spec.longest())];
        if let attempts @ 2.. = first.case.attempts {
            told.push(format!("{attempts} attempts"));
        }
        if across.is_matrix() {
            let pattern = across.pattern(spec).words();
            told.push(pattern.map_or_else(
                || format!("on {}", escape(cell_name(across, first.cell))),
                |words| format!("<b>{}</b>", escape(&words)),
            ));
        }
        let _ = writeln!(
            self.out,
            "<details class=\"{class}\" id=\"spec-{}\"><summary><span class=\"tag {word}\">{word}</span> {} \
             <span class=\"dim\">{}</span><span class=\"why\">{}</span></summary><div>",
            spec.index,
            escape(spec.name),
            told.join(" · "),
            escape(&short(first.message())),
        );
        let mut reasons: BTreeMap<(u8, String), Vec<&Run<'_>>> = BTreeMap::new();
        for run in runs {
            let rank = u8::MAX - run.case.outcome.severity();
            let key = (rank, alike(run.message()));
            reasons.entry(key).or_default().push(run);
        }
        for runs in reasons.into_values() {
            self.reason(across, spec, &runs);
        }
        self.out.push_str("</div></details>\n");
    }

    /// What runs with one reason say.
    fn reason(&mut self, across: &Across<'_>, spec: &SpecView<'_>, runs: &[&Run<'_>]) {
        let place = |run: &Run<'_>| {
            let name = escape(cell_name(across, run.cell));
            if across.is_matrix() {
                format!("<a href=\"#cell-{}\">{name}</a>", run.cell)
            } else {
                name
            }
        };
        let places: Vec<String> = runs.iter().map(|run| place(run)).collect();
        let _ = writeln!(
            self.out,
            "<p class=\"dim\">{} · {} · {}</p>",
            places.join(", "),
            escape(spec.phase),
            escape(spec.class)
        );
        let Some((first, rest)) = runs.split_first() else {
            return;
        };
        self.told(first);
        for run in rest.iter().take(MOST_SHOWN - 1) {
            let _ = writeln!(
                self.out,
                "<details><summary>{}</summary><div>",
                escape(cell_name(across, run.cell))
            );
            self.told(run);
            self.out.push_str("</div></details>\n");
        }
        if let Some(more @ 1..) = runs.len().checked_sub(MOST_SHOWN) {
            let _ = writeln!(
                self.out,
                "<p class=\"dim\">What {more} more cells printed is in report.json.</p>"
            );
        }
    }

    /// The reason, the last lines, and all of it.
    fn told(&mut self, run: &Run<'_>) {
        self.block("Reason", run.message());
        let output = &run.case.output;
        let lines = output.trim_end().lines().count();
        if lines <= LAST_LINES {
            self.block("Output", output);
            return;
        }
        // Long lines are no reason to show less than the last few.
        let output = output.trim_end();
        let from = output.ceil_char_boundary(output.len().saturating_sub(LAST_BYTES));
        let tail = output.get(from..).unwrap_or_default();
        let skip = tail.lines().count().saturating_sub(LAST_LINES);
        let last: Vec<&str> = tail.lines().skip(skip).collect();
        self.block("Last lines", &last.join("\n"));
        let _ = writeln!(
            self.out,
            "<details><summary>All it printed <span class=\"dim\">({lines} lines)</span></summary><div>"
        );
        self.block("Output", output);
        self.out.push_str("</div></details>\n");
    }
}

pub(super) fn cell_name<'a>(across: &Across<'a>, index: usize) -> &'a str {
    across.cells.get(index).map_or("", |cell| cell.name)
}
