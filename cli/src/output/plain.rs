//! Events as lines with the time since the start, for logs.

use std::time::Duration;

use jiff::Timestamp;
use kcluster_matrix::{Event, EventKind};

use super::hub::Reporter;
use super::printer::Printer;
use super::progress::Progress;
use super::words;

/// How often a run of specs says how far it is.
const EVERY: Duration = Duration::from_secs(30);

/// See the module.
pub(super) struct Plain {
    printer: Printer,
    verbosity: u8,
    began: Option<Timestamp>,
    progress: Progress,
    told: Option<Timestamp>,
}

impl Plain {
    pub(super) fn new(printer: Printer, verbosity: u8) -> Self {
        Self {
            printer,
            verbosity,
            began: None,
            progress: Progress::default(),
            told: None,
        }
    }

    fn tell(&mut self, at: Timestamp, text: &str) {
        let since = at.duration_since(*self.began.get_or_insert(at));
        let head = format!("[{:7.1} s]", since.as_secs_f64());
        self.printer
            .tell(&format!("{} {text}", self.printer.paint().dim(&head)));
    }

    /// A line now and then, and one at the end.
    fn tell_progress(&mut self, at: Timestamp) {
        let last = *self.told.get_or_insert(at);
        let due = Duration::try_from(at.duration_since(last)).is_ok_and(|since| since >= EVERY);
        let ended = self.progress.total > 0 && self.progress.done == self.progress.total;
        if self.verbosity >= 1 && (due || ended) {
            self.told = Some(at);
            let text = words::progress(&self.progress, self.progress.left(at));
            self.tell(at, &format!("  {text}"));
        }
    }
}

impl Reporter for Plain {
    fn event(&mut self, event: &Event) {
        self.began.get_or_insert(event.at);
        let paint = self.printer.paint();
        let line = words::line(&event.kind, self.verbosity, paint)
            .or_else(|| words::beginning(&event.kind, self.verbosity));
        if let Some(line) = line {
            self.tell(event.at, &line);
        }
        let counted = self.progress.take(event);
        if counted && matches!(event.kind, EventKind::SpecFinished { .. }) {
            self.tell_progress(event.at);
        }
    }
}
