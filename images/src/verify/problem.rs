//! What can be wrong with a platform of an image.

use super::elf::Machine;

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Index and configuration name different platforms.
    #[error("the index says {index}, the image's own configuration says {config}")]
    Mislabelled {
        /// What the index says.
        index: String,
        /// What the configuration says.
        config: String,
    },
    /// A program or library of another machine.
    #[error("/{path} is for {found}, not {wanted}")]
    WrongMachine {
        /// The file.
        path: String,
        /// The platform's machine.
        wanted: Machine,
        /// The file's.
        found: Machine,
    },
    /// The loader that a program names is not there.
    #[error("/{path} wants the loader {loader}, which is not in the image")]
    NoLoader {
        /// The program.
        path: String,
        /// Its loader.
        loader: String,
    },
    /// A library is not there.
    #[error("/{path} wants the library {library}, which is not in the image")]
    NoLibrary {
        /// The program or library that asks.
        path: String,
        /// What it asks for.
        library: String,
    },
    /// A script's interpreter is not there.
    #[error("/{path} is a script for {interpreter}, which is not in the image")]
    NoInterpreter {
        /// The script.
        path: String,
        /// Its interpreter.
        interpreter: String,
    },
    /// The command to start with is not there.
    #[error("`{name}`, which containers start with, is not in the image")]
    NoEntrypoint {
        /// As the configuration names it.
        name: String,
    },
    /// It is there, but nothing that can be started.
    #[error("/{path} is to be started, but is no program")]
    NotAProgram {
        /// The file.
        path: String,
    },
    /// It begins like a program, but goes on otherwise.
    #[error("/{path} cannot be read as a program: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration names no command.
    #[error("the configuration names no command to start")]
    NothingToRun,
    /// Programs of that system are not looked into.
    #[error("programs of {os} are not looked into")]
    OtherSystem {
        /// The system.
        os: String,
    },
    /// Nobody here knows that architecture.
    #[error("nothing is known of the architecture {architecture}")]
    UnknownArchitecture {
        /// Its name.
        architecture: String,
    },
    /// A layer is not the one that the configuration names.
    #[error("layer {number} unpacks to sha256:{found}, but the configuration names {wanted}")]
    OtherLayer {
        /// Counted from 1.
        number: usize,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// A manifest, configuration or layer that cannot be read.
    #[error("{what} cannot be read: {why}")]
    Damaged {
        /// Which part.
        what: String,
        /// Why not.
        why: String,
    },
}

/// A problem and its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the platform will not do because of it; otherwise it is only worth knowing.
    pub wrong: bool,
    /// What it is.
    pub problem: Problem,
}

impl Finding {
    pub(super) fn wrong(problem: Problem) -> Self {
        Self {
            wrong: true,
            problem,
        }
    }

    pub(super) fn odd(problem: Problem) -> Self {
        Self {
            wrong: false,
            problem,
        }
    }
}
