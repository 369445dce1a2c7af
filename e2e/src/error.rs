//! What can go wrong before there is anything to judge.

use camino::Utf8PathBuf;
use thiserror::Error;

/// Why specs could not be listed, run or collected. What goes wrong *during* a run is no error
/// but a verdict: see [`crate::verdict`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum E2eError {
    /// A file or folder of the run.
    #[error("{what}")]
    Io {
        /// What was being done, to which file.
        what: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error(
        "cannot start `{command}`; build the e2e tools of this version with `cargo kcluster images build`"
    )]
    Spawn {
        /// The command line.
        command: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// `e2e.test` refused to list its specs.
    #[error("e2e.test cannot list its specs by {selection}: {reason}; the command was `{command}`")]
    List {
        /// The selection in words.
        selection: String,
        /// What it said last.
        reason: String,
        /// The command line.
        command: String,
    },
    /// No spec is meant.
    #[error("0 of {total} specs match {selection}{hint}")]
    NoMatch {
        /// The selection in words.
        selection: String,
        /// Specs the binary holds.
        total: usize,
        /// What may have been meant, beginning with a semicolon, or nothing.
        hint: String,
    },
    /// A report that ginkgo wrote is not of ginkgo's shape.
    #[error("cannot read ginkgo's report {path}")]
    Report {
        /// The file.
        path: Utf8PathBuf,
        /// Where it is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The API server did not answer before the first spec.
    #[error(
        "the API server does not answer, so no spec was run: `{command}` said: {said}; see `cargo kcluster logs`, or make the cluster again"
    )]
    Unreachable {
        /// The command that asked.
        command: String,
        /// Its last lines.
        said: String,
    },
}

impl E2eError {
    /// For `map_err` on I/O of the run's own files.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// The last `count` lines that are not empty, joined by ` / `, for one line of an error.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    lines[lines.len().saturating_sub(count)..].join(" / ")
}
