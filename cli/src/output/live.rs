//! Events on a terminal: a spinner for whatever runs, a bar for specs, lines for what ended.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kcluster_matrix::{Event, EventKind};

use super::hub::Reporter;
use super::paint::Paint;
use super::progress::Progress;
use super::words;
use crate::fold::place;

/// How often spinners turn.
const TURN: Duration = Duration::from_millis(100);

/// How much of a running spec's name is shown.
const NAME: usize = 70;

/// See the module.
pub(super) struct Live {
    bars: MultiProgress,
    paint: Paint,
    verbosity: u8,
    running: HashMap<String, ProgressBar>,
    progress: Progress,
    specs: Option<ProgressBar>,
}

impl Live {
    pub(super) fn new(paint: Paint, verbosity: u8) -> Self {
        Self {
            bars: MultiProgress::new(),
            paint,
            verbosity,
            running: HashMap::new(),
            progress: Progress::default(),
            specs: None,
        }
    }

    fn start(&mut self, what: String) {
        let bar = self
            .bars
            .add(ProgressBar::new_spinner().with_style(style("{spinner} {msg} {elapsed:.dim}")));
        bar.set_message(what.clone());
        bar.enable_steady_tick(TURN);
        self.running.insert(what, bar);
    }

    fn stop(&mut self, what: &str) {
        if let Some(bar) = self.running.remove(what) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    fn show_specs(&mut self, event: &Event) {
        if let EventKind::RunStarted { specs, .. } = event.kind {
            let bar = ProgressBar::new(u64::try_from(specs).unwrap_or(u64::MAX));
            let bar = bar.with_style(
                style("{spinner} [{bar:30}] {msg} {elapsed:.dim}").progress_chars("=> "),
            );
            let bar = self.bars.add(bar);
            bar.enable_steady_tick(TURN);
            self.specs = Some(bar);
        }
        let Some(bar) = &self.specs else { return };
        bar.set_position(u64::try_from(self.progress.done).unwrap_or(u64::MAX));
        let mut text = words::progress(&self.progress, self.progress.left(event.at));
        for (process, name) in &self.progress.slow {
            // A line that wraps would be redrawn in the wrong place.
            let name: String = name.chars().take(NAME).collect();
            text.push_str(&format!(
                "\n  {}",
                self.paint.dim(&format!("slow: [{process}] {name}"))
            ));
        }
        bar.set_message(text);
        if self.progress.done == self.progress.total {
            bar.finish_and_clear();
        }
    }
}

/// The style, or the plainest one should the template ever be wrong.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

impl Reporter for Live {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepStarted { step, node } => {
                self.start(place(*step, node.as_deref()));
            }
            EventKind::BuildStarted { what } => self.start(what.clone()),
            EventKind::StepFinished { step, node, .. } => {
                self.stop(&place(*step, node.as_deref()));
            }
            EventKind::BuildFinished { what, .. } => self.stop(what),
            _ => {}
        }
        if let Some(line) = words::line(&event.kind, self.verbosity, self.paint) {
            // Not drawn when standard error is closed; nothing else could be told either.
            let _ = self.bars.println(line);
        }
        if self.progress.take(event) {
            self.show_specs(event);
        }
    }

    fn finish(&mut self) {
        for (_, bar) in self.running.drain() {
            bar.finish_and_clear();
        }
        if let Some(bar) = self.specs.take() {
            bar.finish_and_clear();
        }
        let _ = self.bars.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_well_formed() {
        for template in [
            "{spinner} {msg} {elapsed:.dim}",
            "{spinner} [{bar:30}] {msg} {elapsed:.dim}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
