//! Writing to standard output and standard error.

use std::io::{IsTerminal, Write};

use super::paint::Paint;
use crate::config::Host;
use crate::error;

/// Where text goes, and how it may look there.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    coloured: bool,
    live: bool,
}

impl Printer {
    /// For this process's own outputs.
    pub(crate) fn of_process(host: &Host) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let plain = host.variable("NO_COLOR").is_some() || host.variable("TERM") == Some("dumb");
        Self {
            coloured: terminal && !plain,
            live: terminal && !plain && host.variable("CI").is_none(),
        }
    }

    /// Whether lines may be redrawn.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Colours for standard error.
    pub(crate) fn paint(&self) -> Paint {
        Paint::new(self.coloured)
    }

    /// Data, with an end of line.
    #[expect(clippy::unused_self, reason = "all output goes through a printer")]
    pub(crate) fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        // A reader that went away, as in `| head`, is no failure of ours.
        let _ = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    }

    /// Bytes of a file or archive, as they are.
    #[expect(clippy::unused_self, reason = "all output goes through a printer")]
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Anything that is not data.
    #[expect(clippy::unused_self, reason = "all output goes through a printer")]
    pub(crate) fn tell(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", text.trim_end_matches('\n'));
    }

    /// A warning.
    pub(crate) fn warn(&self, text: &str) {
        self.tell(&format!("{} {text}", self.paint().warn("warning:")));
    }

    /// An error with its causes and what to do.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let paint = self.paint();
        let text = error::render(error);
        let text = text.replacen("\nhelp:", &format!("\n{}", paint.good("help:")), 1);
        self.tell(&format!("{} {text}", paint.bad("error:")));
    }

    /// What clap has to say: help to standard output, errors to standard error.
    #[expect(clippy::unused_self, reason = "all output goes through a printer")]
    pub(crate) fn clap(&self, error: &clap::Error) {
        let _ = error.print();
    }
}
