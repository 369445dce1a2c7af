//! The matrix as a grid, and each cell: what it was, what failed on it, how its boot went.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Page;
use super::words::{counts, escape, fact, short, verdict};
use crate::across::{Across, BOOT, CellView, Verdict};
use crate::text::duration;
use crate::{native, property};

/// Failures that a cell lists; all of them are on the page in any case.
const MOST_LISTED: usize = 100;

impl Page {
    /// One field per cell: columns are architectures where these differ, else the last axis that does.
    pub(super) fn grid(&mut self, across: &Across<'_>) {
        if !across.is_matrix() {
            return;
        }
        let axes = &across.axes;
        let column = axes
            .iter()
            .position(|axis| axis.name == property::ARCH)
            .or_else(|| axes.len().checked_sub(1));
        // What follows from the column, as emulation does from the architecture, needs no rows of its own.
        let follows = |axis: &usize| {
            let mut known = BTreeMap::new();
            across.cells.iter().all(|cell| {
                let at = column.and_then(|column| cell.place.get(column));
                let value = cell.place.get(*axis);
                *known.entry(at).or_insert(value) == value
            })
        };
        let rows: Vec<usize> = (0..axes.len())
            .filter(|axis| Some(*axis) != column && !follows(axis))
            .collect();
        let columns = column.and_then(|axis| axes.get(axis));
        self.out.push_str(
            "<h2 id=\"cells\">Cells</h2>\n<div class=\"scroll\"><table class=\"grid\">\n<tr>",
        );
        for axis in rows.iter().filter_map(|axis| axes.get(*axis)) {
            let _ = write!(self.out, "<th scope=\"col\">{}</th>", escape(axis.name));
        }
        for value in columns.map_or(&[][..], |axis| &axis.values) {
            let _ = write!(self.out, "<th scope=\"col\">{}</th>", escape(value));
        }
        self.out.push_str("</tr>\n");
        let mut lines: BTreeMap<Vec<Option<usize>>, Vec<usize>> = BTreeMap::new();
        for (index, cell) in across.cells.iter().enumerate() {
            let place = |axis: &usize| cell.place.get(*axis).copied().flatten();
            let key = rows.iter().map(place).collect();
            lines.entry(key).or_default().push(index);
        }
        for (key, cells) in lines {
            self.out.push_str("<tr>");
            for (axis, value) in rows.iter().zip(&key) {
                let axis = axes.get(*axis);
                let value = axis.and_then(|axis| axis.values.get((*value)?));
                let value = escape(value.copied().unwrap_or("–"));
                let _ = write!(self.out, "<th scope=\"row\">{value}</th>");
            }
            let width = columns.map_or(1, |axis| axis.values.len());
            for at in 0..width {
                self.out.push_str("<td>");
                for index in &cells {
                    let Some(cell) = across.cells.get(*index) else {
                        continue;
                    };
                    let place = column.and_then(|axis| cell.place.get(axis).copied().flatten());
                    // What does not say where it belongs stands in the first column.
                    if place.unwrap_or(0) == at {
                        self.field(*index, cell, columns.is_none());
                    }
                }
                self.out.push_str("</td>");
            }
            self.out.push_str("</tr>\n");
        }
        self.out.push_str("</table></div>\n");
    }

    fn field(&mut self, index: usize, cell: &CellView<'_>, named: bool) {
        let totals = &cell.totals;
        let all = totals.cases();
        let text = match cell.verdict {
            Verdict::Nothing => "nothing ran".to_owned(),
            Verdict::Skipped => "skipped".to_owned(),
            Verdict::Passed if totals.flaky > 0 => format!("{all} ✓, {} ≈", totals.flaky),
            Verdict::Passed => format!("{} ✓", totals.passed),
            Verdict::Failed => format!("{} ✗ of {all}", totals.failed),
            Verdict::Errored if totals.errored == 0 => "! boot".to_owned(),
            Verdict::Errored => format!("{} ! of {all}", totals.errored),
        };
        let name = if named {
            escape(cell.name) + " "
        } else {
            String::new()
        };
        let _ = write!(
            self.out,
            "<a class=\"field {}\" href=\"#cell-{index}\" title=\"{}\">{name}{text}</a>",
            cell.verdict.word(),
            escape(cell.name),
        );
    }

    pub(super) fn cells(&mut self, across: &Across<'_>) {
        self.out.push_str(if across.is_matrix() {
            "<h2>Each cell</h2>\n"
        } else {
            "<h2>Where it ran</h2>\n"
        });
        for (index, cell) in across.cells.iter().enumerate() {
            let took = cell.took();
            let took = if took.is_zero() {
                String::new()
            } else {
                format!(" · {}", duration(took))
            };
            let _ = writeln!(
                self.out,
                "<details id=\"cell-{index}\"><summary><span class=\"tag {word}\">{word}</span> {} \
                 <span class=\"dim\">{}{took}</span></summary><div>",
                escape(cell.name),
                counts(&cell.totals),
                word = cell.verdict.word(),
            );
            if let Some(words) = native::words(&cell.suites) {
                let _ = writeln!(self.out, "<p>Emulation: {}.</p>", escape(&words));
            }
            if across.is_matrix() {
                self.failures_of(across, index);
            }
            self.boot(cell);
            self.runs(cell);
            if across.is_matrix() {
                let _ = writeln!(
                    self.out,
                    "<div data-cell=\"{index}\"><noscript><p class=\"dim\">With scripts, each spec that ran here \
                     is listed.</p></noscript></div>"
                );
            }
            self.out.push_str("</div></details>\n");
        }
    }

    fn failures_of(&mut self, across: &Across<'_>, index: usize) {
        let mut listed = 0_usize;
        for spec in across.bad() {
            for run in spec
                .runs
                .iter()
                .filter(|run| run.cell == index && run.is_bad())
            {
                listed += 1;
                if listed > MOST_LISTED {
                    continue;
                }
                let (_, word) = verdict(run.case);
                let _ = writeln!(
                    self.out,
                    "<p class=\"finding\"><span class=\"tag {word}\">{word}</span> <a href=\"#spec-{}\">{}</a>\
                     <span class=\"why\">{}</span></p>",
                    spec.index,
                    escape(spec.name),
                    escape(&short(run.message()))
                );
            }
        }
        if let Some(more @ 1..) = listed.checked_sub(MOST_LISTED) {
            let _ = writeln!(self.out, "<p class=\"dim\">and {more} more</p>");
        }
    }

    fn boot(&mut self, cell: &CellView<'_>) {
        for suite in cell.suites.iter().filter(|suite| suite.phase == BOOT) {
            self.out.push_str("<p><b>Boot</b></p>\n<table>\n");
            for case in &suite.cases {
                let (sign, word) = verdict(case);
                let _ = writeln!(
                    self.out,
                    "<tr><td class=\"sign {word}\" title=\"{word}\">{sign}</td><td>{}</td><td class=\"number dim\">{}</td></tr>",
                    escape(&case.name),
                    duration(case.took)
                );
            }
            self.out.push_str("</table>\n");
        }
    }

    /// What is known of each run.
    fn runs(&mut self, cell: &CellView<'_>) {
        for suite in &cell.suites {
            let _ = writeln!(
                self.out,
                "<details><summary>{} <span class=\"dim\">settings and environment</span></summary>\
                 <div class=\"scroll\"><table>",
                escape(&suite.phase)
            );
            let facts = [
                ("began".to_owned(), suite.started.to_string()),
                ("host".to_owned(), suite.host.clone()),
            ];
            for (name, value) in facts.iter().chain(&suite.properties) {
                let _ = writeln!(
                    self.out,
                    "<tr><td class=\"dim\">{}</td><td>{}</td></tr>",
                    escape(name),
                    escape(&fact(name, value))
                );
            }
            self.out.push_str("</table></div></details>\n");
        }
    }
}
