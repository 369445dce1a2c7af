//! What ran on each cell of a matrix, for the page's script: as rows of HTML it would be megabytes.

use std::fmt::Write as _;

use serde::Serialize;

use super::Page;
use super::words::verdict;
use crate::across::{Across, BOOT};
use crate::text::{one_line, xml_text};

#[derive(Serialize)]
struct Data {
    /// Each spec once.
    names: Vec<String>,
    /// Where a spec has more to tell than that it passed, the number in its anchor; else -1.
    anchors: Vec<i64>,
    /// For each cell a letter per spec: its verdict's first, or `.` where it did not run.
    verdicts: Vec<String>,
    /// For each cell the tenths of seconds each spec took.
    tenths: Vec<Vec<u64>>,
}

impl Page {
    pub(super) fn data(&mut self, across: &Across<'_>) {
        if !across.is_matrix() {
            return;
        }
        let specs: Vec<_> = across
            .specs
            .iter()
            .filter(|spec| spec.phase != BOOT)
            .collect();
        let cells = across.cells.len();
        let mut verdicts = vec![vec!['.'; specs.len()]; cells];
        let mut tenths = vec![vec![0; specs.len()]; cells];
        for (at, spec) in specs.iter().enumerate() {
            for run in &spec.runs {
                let (_, word) = verdict(run.case);
                // Flaky and failed begin alike.
                let letter = if word == "flaky" {
                    'l'
                } else {
                    word.chars().next().unwrap_or('.')
                };
                if let Some(field) = verdicts.get_mut(run.cell).and_then(|row| row.get_mut(at)) {
                    *field = letter;
                }
                if let Some(field) = tenths.get_mut(run.cell).and_then(|row| row.get_mut(at)) {
                    *field = u64::try_from(run.case.took.as_millis() / 100).unwrap_or(u64::MAX);
                }
            }
        }
        let anchor = |spec: &&&crate::across::SpecView<'_>| {
            let told = spec.severity() >= 2 || spec.is_flaky();
            if told {
                i64::try_from(spec.index).unwrap_or(-1)
            } else {
                -1
            }
        };
        let data = Data {
            names: specs
                .iter()
                .map(|spec| one_line(&xml_text(spec.name)))
                .collect(),
            anchors: specs.iter().map(|spec| anchor(&spec)).collect(),
            verdicts: verdicts.into_iter().map(String::from_iter).collect(),
            tenths,
        };
        // Strings and numbers cannot fail to be JSON. `<` could end the element.
        let json = serde_json::to_string(&data).unwrap_or_default();
        let _ = writeln!(
            self.out,
            "<script type=\"application/json\" id=\"data\">{}</script>",
            json.replace('<', "\\u003c")
        );
    }
}
