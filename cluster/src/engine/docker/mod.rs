//! A Docker engine, by its API. The only place that knows a client library.

mod connect;
mod copy;
mod disk;
mod errors;
mod exec;
mod facade;
mod freeze;
mod host;
mod images;
mod interactive;
mod networks;
mod node_body;
mod nodes;
mod probe;
mod terminal;
mod tool;
mod volumes;

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use tokio::sync::OnceCell;

use super::{Labels, ssh};

pub use connect::connect;

/// Requests that move gigabytes answer only when they are through.
const BULK: Duration = Duration::from_secs(3600);

/// A connected engine.
pub(super) struct DockerEngine {
    docker: Docker,
    /// The endpoint as text, for messages.
    endpoint: String,
    /// Whether the endpoint is on this machine.
    local: bool,
    /// The engine's process, if this process sees it.
    engine_pid: Option<i32>,
    /// Whether the engine's file system is this process's own.
    shares_files: bool,
    /// What of its host nodes may use; found out once.
    host: OnceCell<host::HostParts>,
    /// The connection that requests travel through, for SSH endpoints.
    _ssh: Option<ssh::Session>,
}

impl DockerEngine {
    /// A client for requests that take long to answer.
    fn bulk(&self) -> Docker {
        self.docker.clone().with_timeout(BULK)
    }

    /// Maps errors of `operation`.
    fn map<'a>(
        &'a self,
        operation: errors::Operation<'a>,
    ) -> impl Fn(bollard::errors::Error) -> super::EngineError + Copy + 'a {
        move |error| operation.error(&self.endpoint, &error)
    }
}

/// The API's filter for things that carry all of `labels`.
fn by_labels(labels: &Labels) -> HashMap<String, Vec<String>> {
    if labels.is_empty() {
        return HashMap::new();
    }
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    HashMap::from([("label".to_owned(), pairs.collect())])
}

fn to_map(labels: &Labels) -> HashMap<String, String> {
    labels.clone().into_iter().collect()
}

fn from_map(labels: Option<HashMap<String, String>>) -> Labels {
    labels.unwrap_or_default().into_iter().collect()
}
