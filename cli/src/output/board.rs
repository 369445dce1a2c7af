//! The cells of a matrix: a line each for those that run, and one for each that ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use kcluster_matrix::{CellId, Event, EventKind};

use super::hub::Reporter;
use super::printer::Printer;
use super::progress::Progress;
use super::words;
use crate::fold::place;

/// See the module. Clones are the same board.
#[derive(Clone)]
pub(crate) struct Board(Arc<Mutex<State>>);

struct State {
    printer: Printer,
    bars: Option<MultiProgress>,
    began: Timestamp,
    total: usize,
    done: usize,
    cells: BTreeMap<CellId, Cell>,
}

#[derive(Default)]
struct Cell {
    bar: Option<ProgressBar>,
    phase: String,
}

/// How often a line turns.
const TURN: Duration = Duration::from_millis(200);

/// The longest line: one that wraps would be redrawn in the wrong place.
const WIDTH: usize = 110;

impl Board {
    /// A board for `total` cells, of which `done` have ended before.
    pub(crate) fn new(printer: &Printer, total: usize, done: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            bars: printer.is_live().then(MultiProgress::new),
            printer: printer.clone(),
            began: Timestamp::now(),
            total,
            done,
            cells: BTreeMap::new(),
        })))
    }

    /// A cell starts.
    pub(crate) fn begin(&self, id: &CellId, engine: &str, named: bool) {
        let mut state = self.lock();
        let bar = state.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_style(style()));
            bar.set_prefix(id.to_string());
            bar.enable_steady_tick(TURN);
            bar
        });
        if bar.is_none() {
            let on = if named {
                format!(" on {engine}")
            } else {
                String::new()
            };
            state.line(&format!("{id} starts{on}"));
        }
        let phase = String::new();
        state.cells.insert(id.clone(), Cell { bar, phase });
    }

    /// What a cell does now.
    pub(crate) fn phase(&self, id: &CellId, what: &str) {
        let mut state = self.lock();
        if let Some(cell) = state.cells.get_mut(id) {
            what.clone_into(&mut cell.phase);
            cell.show(what);
        }
    }

    /// A cell has ended, with its verdict in words.
    pub(crate) fn end(&self, id: &CellId, told: &str, passed: bool) {
        let mut state = self.lock();
        if let Some(Cell { bar: Some(bar), .. }) = state.cells.remove(id) {
            bar.finish_and_clear();
        }
        state.done += 1;
        let paint = state.printer.paint();
        let sign = if passed {
            paint.good("✓")
        } else {
            paint.bad("✗")
        };
        let count = paint.dim(&format!("({}/{})", state.done, state.total));
        state.line(&format!("{sign} {id} {told} {count}"));
    }

    /// Anything else worth a line.
    pub(crate) fn tell(&self, text: &str) {
        self.lock().line(text);
    }

    /// Puts away what moves.
    pub(crate) fn finish(&self) {
        if let Some(bars) = &self.lock().bars {
            let _ = bars.clear();
        }
    }

    /// Follows the events of a cell's phase.
    pub(crate) fn reporter(&self, id: &CellId, phase: &str) -> Box<dyn Reporter> {
        self.phase(id, phase);
        Box::new(Follow {
            board: self.clone(),
            id: id.clone(),
            phase: phase.to_owned(),
            progress: Progress::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn line(&self, text: &str) {
        let since = Timestamp::now().duration_since(self.began).as_secs_f64();
        let paint = self.printer.paint();
        let line = format!("{} {text}", paint.dim(&format!("[{since:7.1} s]")));
        match &self.bars {
            // Not drawn when standard error is closed; nothing else could be told either.
            Some(bars) => drop(bars.println(line)),
            None => self.printer.tell(&line),
        }
    }
}

impl Cell {
    fn show(&self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.chars().take(WIDTH).collect::<String>());
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(TEMPLATE)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

const TEMPLATE: &str = "{spinner} {prefix:28} {elapsed:>4.dim} {msg}";

/// See [`Board::reporter`].
struct Follow {
    board: Board,
    id: CellId,
    phase: String,
    progress: Progress,
}

impl Reporter for Follow {
    fn event(&mut self, event: &Event) {
        let counted = self.progress.take(event);
        let text = match &event.kind {
            EventKind::StepStarted { step, node } => place(*step, node.as_deref()),
            EventKind::BuildStarted { what } => format!("building {what}"),
            _ if counted => words::progress(&self.progress, self.progress.left(event.at)),
            _ => return,
        };
        let state = self.board.lock();
        if let Some(cell) = state.cells.get(&self.id) {
            cell.show(&format!("{}: {text}", self.phase));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_well_formed() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
