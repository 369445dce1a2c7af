//! Errors at the rim: what the user reads, and the exit code.

use std::fmt::Write as _;

use kcluster_cluster::emulation::EmulationError;
use kcluster_cluster::engine::{EndpointError, EngineError};
use kcluster_cluster::{ClusterError, LoadError, ReupError, SnapshotError, StateError, UpError};
use kcluster_e2e::E2eError;
use kcluster_images::Error as ImageError;
use kcluster_matrix::exit;
use kcluster_matrix::suggest::UnknownValue;
use kcluster_matrix::version::VersionError;

use crate::config::ConfigError;

/// A refusal of the command line's own, with its exit code and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Told {
    message: String,
    help: Option<String>,
    code: u8,
}

impl Told {
    /// What was asked for cannot be; nothing was changed.
    pub fn input(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            code: exit::BAD_INPUT,
        }
    }

    /// A cluster, the engine or the machine failed.
    pub fn cluster(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            code: exit::CLUSTER_FAILED,
        }
    }

    /// Something outside failed that is neither a cluster nor its engine.
    pub fn outside(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            code: exit::UNEXPECTED,
        }
    }

    /// Stopped by a signal.
    pub fn interrupted() -> Self {
        Self {
            message: "interrupted".to_owned(),
            help: None,
            code: exit::INTERRUPTED,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The exit code that says what kind of error this is.
#[must_use]
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| {
            if let Some(told) = cause.downcast_ref::<Told>() {
                return Some(told.code);
            }
            if let Some(snapshot) = cause.downcast_ref::<SnapshotError>() {
                return Some(snapshot.exit_code());
            }
            if let Some(reup) = cause.downcast_ref::<ReupError>() {
                return Some(reup.exit_code());
            }
            if let Some(up) = cause.downcast_ref::<UpError>() {
                return Some(up.exit_code());
            }
            let input = cause.is::<ConfigError>()
                || cause.is::<EndpointError>()
                || cause.is::<VersionError>()
                || cause.is::<UnknownValue>()
                || matches!(
                    cause.downcast_ref(),
                    Some(ClusterError::Missing { .. } | ClusterError::Suspended { .. })
                )
                || matches!(cause.downcast_ref(), Some(StateError::Busy { .. }))
                || matches!(
                    cause.downcast_ref(),
                    Some(EngineError::Missing { .. } | EngineError::Incomplete { .. })
                )
                || matches!(
                    cause.downcast_ref(),
                    Some(LoadError::Archive { .. } | LoadError::Unfit { .. } | LoadError::Image(_))
                )
                || matches!(
                    cause.downcast_ref(),
                    Some(E2eError::NoMatch { .. } | E2eError::List { .. })
                );
            let input = input
                || matches!(
                    cause.downcast_ref(),
                    Some(
                        ImageError::Digest { .. }
                            | ImageError::Missing { .. }
                            | ImageError::NoMirror { .. }
                            | ImageError::Unknown(_)
                    )
                );
            let outside = cause.is::<EngineError>()
                || cause.is::<EmulationError>()
                || cause.is::<ClusterError>()
                || cause.is::<StateError>()
                || cause.is::<LoadError>()
                || cause.is::<ImageError>()
                || cause.is::<E2eError>();
            if input {
                Some(exit::BAD_INPUT)
            } else {
                outside.then_some(exit::CLUSTER_FAILED)
            }
        })
        .unwrap_or(exit::UNEXPECTED)
}

/// The error in words: what failed, each cause that says more, and what to do.
#[must_use]
pub(crate) fn render(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Libraries often repeat their cause in their own message.
        if !text.contains(&cause) {
            let indented = cause.replace('\n', "\n    ");
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  because {indented}");
        }
    }
    if let Some(help) = help(error) {
        let _ = write!(text, "\nhelp: {help}");
    }
    text
}

fn help(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(told) = cause.downcast_ref::<Told>() {
            return told.help.clone();
        }
        cause
            .downcast_ref::<ConfigError>()
            .and_then(ConfigError::help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_shown_once_and_help_comes_last() {
        let told = Told::cluster("no engine").help("start one");
        let error = anyhow::Error::new(told)
            .context("failed to boot: no engine")
            .context("up");
        assert_eq!(
            render(&error),
            "up\n  because failed to boot: no engine\nhelp: start one"
        );
        assert_eq!(code(&error), exit::CLUSTER_FAILED);
        assert_eq!(code(&anyhow::anyhow!("odd")), exit::UNEXPECTED);
    }
}
