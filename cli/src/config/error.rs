//! What can be wrong with a configuration, shown in place.

use std::fmt;
use std::ops::Range;

/// A configuration that cannot be taken. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value or key of a file.
    #[error("{message}\n{}", place)]
    File {
        /// What is wrong.
        message: String,
        /// Where.
        place: Place,
        /// What to do.
        help: Option<String>,
    },
    /// A variable.
    #[error("variable {variable}: {message}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong with its value.
        message: String,
    },
    /// A profile that nothing describes.
    #[error("{message}")]
    Profile {
        /// Which, and where it was looked for.
        message: String,
        /// What to do.
        help: String,
    },
    /// A file that was asked for and cannot be read.
    #[error("failed to read the configuration")]
    Unreadable(#[source] std::io::Error),
    /// Cargo could not tell where the workspace is.
    #[error("failed to read [workspace.metadata.kcluster] through cargo")]
    Cargo(#[source] cargo_metadata::Error),
}

impl ConfigError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::File { help, .. } => help.clone(),
            Self::Profile { help, .. } => Some(help.clone()),
            Self::Cargo(_) => Some("put the settings in kcluster.toml instead".to_owned()),
            _ => None,
        }
    }
}

/// A place in a file, with the line itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    file: String,
    line: usize,
    column: usize,
    text: String,
    width: usize,
}

impl Place {
    /// The place of `span` in the `text` of `file`.
    #[must_use]
    pub fn new(file: String, text: &str, span: &Range<usize>) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end.max(span.start));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let stop = end.min(line_start + line.len()).max(start);
        Self {
            file,
            line: line_of(text, span.start),
            column: before[line_start..].chars().count() + 1,
            text: line.to_owned(),
            width: text[start..stop].chars().count().max(1),
        }
    }
}

/// The line, from 1, that byte `at` of `text` stands on.
#[must_use]
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text[..floor(text, at)].matches('\n').count() + 1
}

/// The nearest character boundary of `text` at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            text,
            width,
        } = self;
        let gutter = " ".repeat(line.to_string().len());
        writeln!(f, "{gutter}--> {file}:{line}:{column}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {text}")?;
        write!(
            f,
            "{gutter} | {}{}",
            " ".repeat(column - 1),
            "^".repeat(*width)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_snippet_points_at_the_span() {
        let text = "name = \"a\"\nnodess = 2\n";
        let shown = Place::new("k.toml".into(), text, &(11..17)).to_string();
        assert_eq!(shown, " --> k.toml:2:1\n  |\n2 | nodess = 2\n  | ^^^^^^");
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_shown(text in "(?s).{0,40}", from in 0usize..60, len in 0usize..60) {
            let place = Place::new("k".into(), &text, &(from..from + len));
            prop_assert!(place.to_string().contains("--> k:"));
        }
    }
}
