//! Colours, or none.

use clap::builder::styling::{AnsiColor, Effects, Style};

/// Whether text is coloured, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    coloured: bool,
}

impl Paint {
    pub(crate) fn new(coloured: bool) -> Self {
        Self { coloured }
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.coloured {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// Something went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.with(
            AnsiColor::BrightGreen.on_default().effects(Effects::BOLD),
            text,
        )
    }

    /// Something deserves a look.
    pub(crate) fn warn(self, text: &str) -> String {
        self.with(
            AnsiColor::BrightYellow.on_default().effects(Effects::BOLD),
            text,
        )
    }

    /// Something failed.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with(
            AnsiColor::BrightRed.on_default().effects(Effects::BOLD),
            text,
        )
    }

    /// Something in the background.
    pub(crate) fn dim(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::DIMMED), text)
    }

    /// A heading or something to type.
    pub(crate) fn strong(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::BOLD), text)
    }
}
