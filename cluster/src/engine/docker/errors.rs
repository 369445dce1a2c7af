//! The client library's errors in words of the field.

use std::error::Error as StdError;

use bollard::errors::Error;

use crate::engine::EngineError;

/// What was asked of the engine, for error messages: "start node `a-worker-1`".
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) verb: &'static str,
    pub(super) what: &'static str,
    pub(super) name: &'a str,
}

impl<'a> Operation<'a> {
    pub(super) fn new(verb: &'static str, what: &'static str, name: &'a str) -> Self {
        Self { verb, what, name }
    }

    /// The error of an operation that broke off for a reason of its own.
    pub(super) fn failed(self, reason: impl std::fmt::Display) -> EngineError {
        EngineError::Failed {
            operation: self.to_string(),
            reason: reason.to_string(),
        }
    }

    /// The error that `error`, from the engine at `endpoint`, means.
    pub(super) fn error(self, endpoint: &str, error: &Error) -> EngineError {
        match error {
            Error::DockerResponseServerError {
                status_code,
                message,
            } => self.refused(Some(*status_code), message.trim()),
            Error::DockerStreamError { error } => self.refused(None, error.trim()),
            Error::RequestTimeoutError => self.unreachable(endpoint, "it took too long to answer"),
            Error::SocketNotFoundError(path) => {
                self.unreachable(endpoint, &format!("there is no socket {path}"))
            }
            Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. } => self.unreachable(endpoint, &chain(error)),
            other => self.failed(chain(other)),
        }
    }

    fn unreachable(self, endpoint: &str, reason: &str) -> EngineError {
        let hint = if reason.contains("Permission denied") {
            " (this user may not use the socket: join the group that owns it)"
        } else {
            ""
        };
        EngineError::Unreachable {
            endpoint: endpoint.to_owned(),
            reason: format!("{reason}{hint}, asked to {self}"),
        }
    }

    fn refused(self, status: Option<u16>, message: &str) -> EngineError {
        if message.contains("no space left on device") {
            return EngineError::DiskFull {
                operation: self.to_string(),
                reason: message.to_owned(),
            };
        }
        if let Some(port) = taken_port(message) {
            return EngineError::PortTaken { port };
        }
        match status {
            Some(404) => self.missing(message),
            Some(409)
                if message.contains("already in use") || message.contains("already exists") =>
            {
                EngineError::Exists {
                    what: self.what,
                    name: self.name.to_owned(),
                }
            }
            _ if message.is_empty() => self.failed("the engine gave no reason"),
            _ => self.failed(message),
        }
    }

    /// A node's creation may miss an image; a node's start, its network; an image, a part of it.
    fn missing(self, message: &str) -> EngineError {
        if let Some(content) = missing_content(message) {
            return EngineError::Incomplete {
                name: self.name.to_owned(),
                content: content.to_owned(),
            };
        }
        let after = |marker: &str| {
            let rest = message.split_once(marker)?.1;
            rest.split_whitespace().next()
        };
        let (what, name) = if let Some(name) = after("o such image:") {
            ("image", name)
        } else if let Some(name) = after("etwork ").filter(|_| message.contains("not found")) {
            ("network", name)
        } else {
            (self.what, self.name)
        };
        EngineError::Missing {
            what,
            name: name.to_owned(),
        }
    }
}

impl std::fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.is_empty() {
            write!(f, "{} {}", self.verb, self.what)
        } else {
            write!(f, "{} {} `{}`", self.verb, self.what, self.name)
        }
    }
}

/// Whether the engine refused a network because its addresses are in use.
pub(super) fn is_overlap(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { message, .. } if message.contains("overlap"))
}

/// The engine's own message, if it answered at all.
pub(super) fn answer(error: &Error) -> Option<&str> {
    match error {
        Error::DockerResponseServerError { message, .. } => Some(message),
        Error::DockerStreamError { error } => Some(error),
        _ => None,
    }
}

pub(super) fn has_status(error: &Error, code: u16) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code, .. } if *status_code == code)
}

/// The digest in "unable to create manifests file: content digest sha256:1f: not found".
fn missing_content(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("content digest ")?;
    rest.strip_suffix(": not found")
}

/// The host port in "Bind for 127.0.0.1:6443 failed: port is already allocated" and
/// "listen tcp4 127.0.0.1:6443: bind: address already in use".
fn taken_port(message: &str) -> Option<u16> {
    let lower = message.to_lowercase();
    if !lower.contains("port is already allocated") && !lower.contains("address already in use") {
        return None;
    }
    [
        "bind for ",
        "listen tcp4 ",
        "listen tcp6 ",
        "listen tcp ",
        "host port for ",
        "expose ",
    ]
    .into_iter()
    .filter_map(|marker| lower.split_once(marker))
    .find_map(|(_, rest)| {
        let place = rest.split_whitespace().next()?;
        place.split(':').find_map(|part| part.parse().ok())
    })
}

/// An error and what caused it, each said once.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status_code: u16, message: &str) -> EngineError {
        let error = Error::DockerResponseServerError {
            status_code,
            message: message.into(),
        };
        Operation::new("start", "node", "n").error("unix:///s", &error)
    }

    #[test]
    fn taken_ports_are_told_from_taken_addresses() {
        for message in [
            "driver failed programming external connectivity on endpoint b (1f): Bind for 127.0.0.1:6443 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint b (1f): Error starting userland proxy: listen tcp4 127.0.0.1:6443: bind: address already in use",
            "failed to bind host port for 127.0.0.1:6443:172.18.0.2:16443/tcp: address already in use",
            "failed to set up container networking: Bind for [::1]:6443 failed: port is already allocated",
        ] {
            let error = said(500, message);
            assert!(
                matches!(error, EngineError::PortTaken { port: 6443 }),
                "{error}"
            );
        }
        let error = said(403, "Address already in use");
        assert!(matches!(error, EngineError::Failed { .. }), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |message: &str| match said(404, message) {
            EngineError::Missing { what, name } => (what, name),
            other => panic!("{other}"),
        };
        assert_eq!(missing("No such image: a:b"), ("image", "a:b".into()));
        assert_eq!(missing("network x not found"), ("network", "x".into()));
        assert_eq!(missing("No such container: n"), ("node", "n".into()));
        assert_eq!(missing(""), ("node", "n".into()));
        let part = "unable to create manifests file: content digest sha256:1f: not found";
        let error = said(404, part);
        assert!(
            matches!(&error, EngineError::Incomplete { name, content } if name == "n" && content == "sha256:1f"),
            "{error}"
        );
    }

    #[test]
    fn conflicts_full_disks_and_the_rest() {
        let error = said(
            409,
            r#"Conflict. The container name "/n" is already in use by container "1f". You have to remove (or rename) that container"#,
        );
        assert!(matches!(error, EngineError::Exists { .. }), "{error}");
        let error = said(500, "write /a/b: no space left on device");
        assert!(matches!(error, EngineError::DiskFull { .. }), "{error}");
        assert_eq!(
            said(409, "Container 1f is not running").to_string(),
            "failed to start node `n`: Container 1f is not running"
        );
        assert_eq!(
            said(500, "").to_string(),
            "failed to start node `n`: the engine gave no reason"
        );
    }

    #[test]
    fn no_answer_is_no_engine() {
        let io = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let error = Operation::new("list", "nodes", "").error("unix:///s", &io.into());
        let text = error.to_string();
        assert!(
            text.starts_with("no container engine answers at unix:///s"),
            "{text}"
        );
        assert!(text.contains("asked to list nodes"), "{text}");
    }
}
