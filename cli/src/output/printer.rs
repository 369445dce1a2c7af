//! Writing to standard output and standard error.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;

use super::paint::Paint;
use crate::config::Host;
use crate::error;

/// Where text goes, and how it may look there.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    coloured: bool,
    live: bool,
    /// Everything goes into this file instead.
    file: Option<Arc<Mutex<fs_err::File>>>,
}

impl Printer {
    /// For this process's own outputs.
    pub(crate) fn of_process(host: &Host) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let plain = host.variable("NO_COLOR").is_some() || host.variable("TERM") == Some("dumb");
        Self {
            coloured: terminal && !plain,
            live: terminal && !plain && host.variable("CI").is_none(),
            file: None,
        }
    }

    /// Into a file, for what many do at once; it is added to.
    pub(crate) fn to_file(path: &Utf8Path) -> std::io::Result<Self> {
        let file = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?;
        Ok(Self {
            coloured: false,
            live: false,
            file: Some(Arc::new(Mutex::new(file))),
        })
    }

    /// Takes the text if it goes into a file.
    fn filed(&self, bytes: &[u8]) -> bool {
        let Some(file) = &self.file else { return false };
        // A full disk must not stop a run.
        let _ = file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(bytes);
        true
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
    pub(crate) fn data(&self, text: &str) {
        let line = format!("{}\n", text.trim_end_matches('\n'));
        if self.filed(line.as_bytes()) {
            return;
        }
        let mut out = std::io::stdout().lock();
        // A reader that went away, as in `| head`, is no failure of ours.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }

    /// Bytes of a file or archive, as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        if self.filed(bytes) {
            return;
        }
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Anything that is not data.
    pub(crate) fn tell(&self, text: &str) {
        let line = format!("{}\n", text.trim_end_matches('\n'));
        if !self.filed(line.as_bytes()) {
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
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
