//! Connecting: one client for each kind of endpoint, and the API version both speak.

use std::path::Path;
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::net::UnixStream;
use tokio::sync::OnceCell;

use super::errors::Operation;
use super::{DockerEngine, ssh};
use crate::engine::{Endpoint, Engine, EngineError};

/// Seconds for an ordinary request. Removing a node may take a while.
const TIMEOUT: u64 = 120;

/// Connects to the engine at `endpoint` and agrees on an API version.
///
/// # Errors
/// [`EngineError::Unreachable`] when no engine answers there.
pub async fn connect(endpoint: &Endpoint) -> Result<Arc<dyn Engine>, EngineError> {
    Ok(Arc::new(DockerEngine::connect(endpoint).await?))
}

impl DockerEngine {
    pub(in crate::engine) async fn connect(endpoint: &Endpoint) -> Result<Self, EngineError> {
        let text = endpoint.to_string();
        let mut session = None;
        let mut peer = Peer::default();
        let made = match endpoint {
            Endpoint::Unix(path) => {
                peer = Peer::of(path).await;
                unix(path)
            }
            Endpoint::Tcp { host, port, certs } => {
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host.clone()
                };
                let address = format!("tcp://{host}:{port}");
                match certs {
                    Some(certs) => tls(&address, certs)?,
                    None => {
                        tracing::warn!(
                            "engine endpoint {address} has no TLS: every process of this machine may use it"
                        );
                        Docker::connect_with_http(&address, TIMEOUT, API_DEFAULT_VERSION)
                    }
                }
            }
            Endpoint::Ssh(target) => {
                let opened = ssh::Session::open(target).await?;
                let made = unix(opened.socket());
                session = Some(opened);
                made
            }
        };
        let connecting = Operation::new("tell", "its version", "");
        let docker = match made {
            Ok(docker) => docker.negotiate_version().await,
            Err(error) => Err(error),
        };
        let docker = match docker {
            Ok(docker) => docker,
            Err(error) => {
                let error = connecting.error(&text, &error);
                return Err(match session {
                    Some(session) => session.explain(error),
                    None => error,
                });
            }
        };
        tracing::debug!(endpoint = text, version = %docker.client_version(), "connected");
        Ok(Self {
            docker,
            endpoint: text,
            local: endpoint.is_local(),
            engine_pid: peer.pid,
            shares_files: peer.shares_files,
            host: OnceCell::new(),
            _ssh: session,
        })
    }
}

fn unix(path: &Path) -> Result<Docker, bollard::errors::Error> {
    Docker::connect_with_unix(&path.to_string_lossy(), TIMEOUT, API_DEFAULT_VERSION)
}

fn tls(address: &str, certs: &Path) -> Result<Result<Docker, bollard::errors::Error>, EngineError> {
    // The library would find out only later, and then fall over or fall silent.
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        let path = certs.join(name);
        if let Err(error) = fs_err::File::open(&path) {
            return Err(EngineError::Failed {
                operation: format!("connect to the engine at {address} with TLS"),
                reason: format!("{error}; the folder must hold ca.pem, cert.pem and key.pem"),
            });
        }
    }
    // An error means that the process has chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Docker::connect_with_ssl(
        address,
        &certs.join("key.pem"),
        &certs.join("cert.pem"),
        &certs.join("ca.pem"),
        TIMEOUT,
        API_DEFAULT_VERSION,
    ))
}

/// Who listens at a local socket.
#[derive(Default)]
struct Peer {
    pid: Option<i32>,
    shares_files: bool,
}

impl Peer {
    /// A socket may be mounted from outside: then the listener is not to be seen from
    /// here, or lives in another mount namespace, and its paths are not ours.
    async fn of(socket: &Path) -> Self {
        let connected = UnixStream::connect(socket).await;
        let Some(pid) = connected
            .and_then(|stream| stream.peer_cred())
            .ok()
            .and_then(|peer| peer.pid())
            .filter(|pid| *pid > 0)
        else {
            return Self::default();
        };
        let namespace = |of: &str| fs_err::read_link(format!("/proc/{of}/ns/mnt"));
        let shares_files = match (namespace(&pid.to_string()), namespace("self")) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            // Another user's process, but one of this machine.
            _ => Path::new("/proc").join(pid.to_string()).exists(),
        };
        Self {
            pid: Some(pid),
            shares_files,
        }
    }
}
