//! Where an engine is reached: a local socket, TCP, or SSH.
//!
//! An endpoint is text in configuration, in `DOCKER_HOST` and in the state of a
//! cluster, and reads back as it was written: `unix:///run/docker.sock`,
//! `tcp://10.0.0.5:2376?certs=/home/me/.docker`, `ssh://me@host:22?config=/x`.

mod parse;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use super::EngineError;

/// Where a local engine listens if nothing says otherwise.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where an engine is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket on this machine.
    Unix(PathBuf),
    /// TCP, with TLS unless it is on the loopback.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// Folder with `ca.pem`, `cert.pem` and `key.pem`.
        certs: Option<PathBuf>,
    },
    /// The engine's socket on another machine, through an SSH connection.
    Ssh(SshTarget),
}

/// A machine reached by SSH, and the engine's socket on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// User, if not the one SSH would choose.
    pub user: Option<String>,
    /// Host name, address, or alias of SSH's configuration.
    pub host: String,
    /// Port, if not the one SSH would choose.
    pub port: Option<u16>,
    /// The engine's socket over there.
    pub socket: PathBuf,
    /// An SSH configuration file in place of the user's.
    pub config: Option<PathBuf>,
}

/// How the API server of a node gets to whoever uses the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiReach {
    /// Published on the loopback of this machine.
    Local,
    /// Published on this name or address of the engine's machine.
    Host(String),
    /// Published on the loopback over there; a [`tunnel`](super::tunnel) leads to it.
    Tunnel(SshTarget),
}

impl ApiReach {
    /// The engine host's address to publish on.
    ///
    /// # Errors
    /// When the engine's host name has no address.
    pub async fn publish_address(&self) -> Result<IpAddr, EngineError> {
        let Self::Host(host) = self else {
            return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
        };
        let failed = |reason: String| EngineError::Failed {
            operation: format!("find the address of the engine's host `{host}`"),
            reason,
        };
        let addresses: Vec<IpAddr> = tokio::net::lookup_host((host.as_str(), 0))
            .await
            .map_err(|error| failed(error.to_string()))?
            .map(|address| address.ip())
            .collect();
        addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or_else(|| addresses.first())
            .copied()
            .ok_or_else(|| failed("it has none".into()))
    }
}

/// Text that is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Its form is wrong.
    #[error(
        "`{text}` is not an engine's endpoint: {reason}; write unix:///path, tcp://host:port, or ssh://user@host"
    )]
    Malformed {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Plain TCP to another machine: anyone on the way could own it.
    #[error(
        "engine endpoint `{0}` would be neither encrypted nor authenticated; give it certificates (tcp://host:port?certs=/folder or DOCKER_CERT_PATH), or use ssh://user@host"
    )]
    PlainTcp(String),
    /// The docker command's current context is not there or unreadable.
    #[error(
        "docker context `{name}` cannot be used: {reason}; give --engine, or choose another with `docker context use`"
    )]
    Context {
        /// The context.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Endpoint {
    /// How a published API server is reached from here.
    #[must_use]
    pub fn api_host(&self) -> ApiReach {
        match self {
            Self::Unix(_) => ApiReach::Local,
            Self::Tcp { host, .. } if is_loopback(host) => ApiReach::Local,
            Self::Tcp { host, .. } => ApiReach::Host(host.clone()),
            Self::Ssh(target) => ApiReach::Tunnel(target.clone()),
        }
    }

    /// Whether the engine is on this machine, as far as the endpoint tells.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.api_host() == ApiReach::Local
    }

    /// Refuses what would be unsafe.
    pub(super) fn checked(self) -> Result<Self, EndpointError> {
        match &self {
            Self::Tcp {
                host, certs: None, ..
            } if !is_loopback(host) => Err(EndpointError::PlainTcp(self.to_string())),
            _ => Ok(self),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, certs } => {
                write!(f, "tcp://{}:{port}", bracketed(host))?;
                match certs {
                    Some(certs) => write!(f, "?certs={}", certs.display()),
                    None => Ok(()),
                }
            }
            Self::Ssh(target) => target.fmt(f),
        }
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&bracketed(&self.host))?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if self.socket.as_os_str() != DEFAULT_SOCKET {
            write!(f, "{}", self.socket.display())?;
        }
        match &self.config {
            Some(config) => write!(f, "?config={}", config.display()),
            None => Ok(()),
        }
    }
}

/// IPv6 addresses need brackets before a port.
fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::parse(text).map_err(|reason| EndpointError::Malformed {
            text: text.to_owned(),
            reason,
        })
    }
}

#[cfg(test)]
mod tests;
