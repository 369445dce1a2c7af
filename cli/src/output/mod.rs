//! The only place that prints: data on standard output, all else on standard error.
//!
//! Executors emit events into a [`Hub`], which stamps them and hands them to reporters:
//! one for the terminal ([`live`] on a terminal, [`plain`] elsewhere), one that records
//! to a file. Commands print results through the [`Printer`].

mod board;
mod hub;
mod live;
mod paint;
mod plain;
mod printer;
mod progress;
mod record;
mod table;
mod words;

pub(crate) use board::Board;
pub(crate) use hub::Hub;
pub(crate) use paint::Paint;
pub(crate) use printer::Printer;
pub(crate) use record::{Record, events_file};
pub(crate) use table::Table;

use hub::Reporter;

/// What shows events to a person, as fits where standard error leads.
pub(crate) fn terminal(printer: &Printer, verbosity: u8) -> Box<dyn Reporter> {
    if printer.is_live() && verbosity > 0 {
        Box::new(live::Live::new(printer.paint(), verbosity))
    } else {
        Box::new(plain::Plain::new(printer.clone(), verbosity))
    }
}

/// What writes events into the file that `printer` goes to.
pub(crate) fn log(printer: &Printer) -> Box<dyn Reporter> {
    Box::new(plain::Plain::new(printer.clone(), 2))
}
