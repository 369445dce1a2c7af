//! Why something a node is made of could not be had.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use kcluster_matrix::KubeVersion;
use kcluster_matrix::suggest::UnknownValue;
use thiserror::Error;

/// A program that ended with an error.
#[derive(Debug, Error)]
#[error("`{command}` in {dir} ended with {status}{}", Tail(.tail))]
pub struct CommandFailed {
    /// The command line.
    pub command: String,
    /// The folder it ran in.
    pub dir: PathBuf,
    /// How it ended.
    pub status: ExitStatus,
    /// Its last lines, of both outputs.
    pub tail: Vec<String>,
}

struct Tail<'a>(&'a [String]);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" and said nothing");
        }
        f.write_str("; its last lines:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What went wrong, where, and what to do next.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused; the message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A program that is needed is not on this machine.
    #[error(
        "`{program}` is needed to {purpose}, but it is not installed; install the package `{package}` (`cargo kcluster doctor --fix` does so)"
    )]
    ToolMissing {
        /// The program as it was called.
        program: String,
        /// What for.
        purpose: &'static str,
        /// The Debian and Ubuntu package that holds it.
        package: &'static str,
    },
    /// A program ended with an error.
    #[error(transparent)]
    Command(#[from] Box<CommandFailed>),
    /// No folder for the cache can be told.
    #[error("no folder for the cache: none of KCLUSTER_CACHE, XDG_CACHE_HOME and HOME is set")]
    NoCacheFolder,
    /// No mirror of the distribution is known.
    #[error(
        "no mirror of Debian `{suite}` is known: {looked} name none, and none is set; set `debian.mirror` in kcluster.toml or KCLUSTER_DEBIAN_MIRROR"
    )]
    NoMirror {
        /// The release wanted.
        suite: String,
        /// Where was looked.
        looked: String,
    },
    /// The keys that Debian signs with are not here.
    #[error(
        "{path} is not there, so that packages cannot be checked; install the package `{package}`"
    )]
    NoKeyring {
        /// Where they should be.
        path: PathBuf,
        /// What brings them.
        package: &'static str,
    },
    /// A word that is none of those known.
    #[error(transparent)]
    Unknown(#[from] UnknownValue),
    /// The sources of that Kubernetes do not say what is looked for.
    #[error("{file} of Kubernetes {version} holds no readable `{name}`: {detail}")]
    Constant {
        /// The version.
        version: KubeVersion,
        /// The file looked into.
        file: PathBuf,
        /// What was looked for.
        name: &'static str,
        /// What was found.
        detail: String,
    },
    /// A download failed.
    #[error("failed to fetch {url}: {detail}")]
    Fetch {
        /// From where.
        url: String,
        /// What happened.
        detail: String,
    },
    /// A file is not the one that was promised.
    #[error("{what} has the SHA-256 {found}, but {wanted} was wanted; nothing was kept")]
    Digest {
        /// Which file.
        what: String,
        /// What it has.
        found: String,
        /// What it should have.
        wanted: String,
    },
    /// A source lacks something.
    #[error("{source_name} holds no {what}: {detail}")]
    Missing {
        /// The source in words.
        source_name: String,
        /// What is missing.
        what: String,
        /// Where was looked, and what to do.
        detail: String,
    },
    /// A registry refused, or could not be reached.
    #[error("failed to {what} of {reference}: {detail}")]
    Registry {
        /// The image there.
        reference: String,
        /// What was tried.
        what: String,
        /// Why it failed.
        detail: String,
    },
    /// Something that was made does not look as it must.
    #[error("{what} is not usable: {detail}")]
    Malformed {
        /// What.
        what: String,
        /// Why.
        detail: String,
    },
}

impl Error {
    /// For something made by others that turned out not to be as it must.
    pub(crate) fn malformed(what: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::Malformed {
            what: what.into(),
            detail: format!("{detail}"),
        }
    }
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
