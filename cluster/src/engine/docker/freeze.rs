//! Nodes stopped, frozen and thawed.

use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::StopContainerOptionsBuilder;

use super::DockerEngine;
use super::errors::{Operation, answer, has_status};
use crate::engine::EngineError;

/// Attempts to freeze one node, and the time between them.
const FREEZES: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);

impl DockerEngine {
    pub(super) async fn stop(&self, node: &str, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        match self.bulk().stop_container(node, Some(options)).await {
            // It did not run.
            Err(error) if has_status(&error, 304) => Ok(()),
            other => other.map_err(self.map(Operation::new("stop", "node", node))),
        }
    }

    pub(super) async fn pause(&self, node: &str) -> Result<(), EngineError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let paused = unless(self.docker.pause_container(node).await, "is already paused");
            // On cgroup v1 processes that are just being made escape a freeze, and runc gives up.
            match paused {
                Err(error) if tries < FREEZES && is_passing(&error) => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other.map_err(self.map(Operation::new("freeze", "node", node))),
            }
        }
    }

    pub(super) async fn unpause(&self, node: &str) -> Result<(), EngineError> {
        unless(self.docker.unpause_container(node).await, "is not paused")
            .map_err(self.map(Operation::new("thaw", "node", node)))
    }
}

fn is_passing(error: &Error) -> bool {
    answer(error).is_some_and(|said| said.contains("unable to freeze"))
}

/// What was so already is no error.
fn unless(result: Result<(), Error>, so: &str) -> Result<(), Error> {
    match result {
        Err(error) if answer(&error).is_some_and(|said| said.contains(so)) => Ok(()),
        other => other,
    }
}
