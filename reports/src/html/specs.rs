//! Every spec, by the group that owns it, and the slowest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use kcluster_matrix::outcome::Totals;

use super::Page;
use super::words::{counts, escape, verdict};
use crate::across::{Across, BOOT, SpecView};
use crate::text::duration;

/// How many of the slowest specs are named.
const SLOWEST: usize = 10;

impl Page {
    pub(super) fn specs(&mut self, across: &Across<'_>) {
        let mut groups: BTreeMap<&str, Vec<&SpecView<'_>>> = BTreeMap::new();
        for spec in across.specs.iter().filter(|spec| spec.phase != BOOT) {
            groups.entry(spec.class).or_default().push(spec);
        }
        if groups.is_empty() {
            return;
        }
        self.out.push_str(
            "<h2 id=\"specs\">All specs</h2>\n<input type=\"search\" id=\"find\" aria-label=\"Find specs\" \
             placeholder=\"Find specs: words of the name, failed, flaky\" hidden>\n\
             <p class=\"dim\" id=\"found\" role=\"status\"></p>\n",
        );
        for (group, specs) in groups {
            let cases = || specs.iter().flat_map(|spec| &spec.runs);
            let totals = Totals::of(cases().map(|run| run.case));
            let took: Duration = cases().map(|run| run.case.took).sum();
            let _ = writeln!(
                self.out,
                "<details data-group><summary>{} <span class=\"dim\">{} · {}</span></summary><div><table>",
                escape(group),
                counts(&totals),
                duration(took)
            );
            for spec in specs {
                self.row(across, spec);
            }
            self.out.push_str("</table></div></details>\n");
        }
    }

    fn row(&mut self, across: &Across<'_>, spec: &SpecView<'_>) {
        let worst = spec
            .runs
            .iter()
            .max_by_key(|run| (run.case.outcome.severity(), run.case.is_flaky()));
        let Some(worst) = worst else {
            return;
        };
        let (sign, word) = verdict(worst.case);
        let mut name = escape(spec.name);
        if spec.severity() >= 2 || spec.is_flaky() {
            name = format!("<a href=\"#spec-{}\">{name}</a>", spec.index);
        }
        if let Some(words) = across.pattern(spec).words() {
            let _ = write!(name, " <span class=\"dim\">{}</span>", escape(&words));
        }
        let _ = writeln!(
            self.out,
            "<tr data-name=\"{} {word}\"><td class=\"sign {word}\" title=\"{word}\">{sign}</td><td>{name}</td><td class=\"number dim\">{}</td></tr>",
            escape(&spec.name.to_lowercase()),
            duration(spec.longest())
        );
    }

    pub(super) fn slowest(&mut self, across: &Across<'_>) {
        let mut slow: Vec<&SpecView<'_>> = across.specs.iter().collect();
        slow.retain(|spec| spec.phase != BOOT && spec.longest() >= Duration::from_secs(1));
        slow.sort_by_key(|spec| Reverse(spec.longest()));
        if slow.is_empty() {
            return;
        }
        self.out
            .push_str("<h2 id=\"slowest\">Slowest</h2>\n<table>\n");
        for spec in slow.into_iter().take(SLOWEST) {
            let longest = spec.longest();
            let cell = spec.runs.iter().find(|run| run.case.took == longest);
            let cell = cell.filter(|_| across.is_matrix());
            let on = cell.map_or_else(String::new, |run| {
                let name = escape(super::findings::cell_name(across, run.cell));
                format!(" <span class=\"dim\">on {name}</span>")
            });
            let _ = writeln!(
                self.out,
                "<tr><td class=\"number\">{}</td><td>{}{on}</td></tr>",
                duration(longest),
                escape(spec.name)
            );
        }
        self.out.push_str("</table>\n");
    }
}
