//! What the engine's host has. Read from this machine's files if they are the engine's
//! too; asked by short-lived containers if not.

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{StartContainerOptions, WaitContainerOptions};
use futures_util::StreamExt;

use super::errors::{Operation, answer};
use super::host::HostParts;
use super::{DockerEngine, node_body, to_map};
use crate::engine::privilege::{bounding_set, decide};
use crate::engine::{EngineError, Labels, Privilege};

impl DockerEngine {
    pub(super) async fn host_parts(&self, image: &str, labels: &Labels) -> &HostParts {
        let found = async {
            if self.shares_files {
                HostParts::of_this_machine()
            } else {
                self.ask_host_parts(image, labels).await
            }
        };
        self.host.get_or_init(|| found).await
    }

    async fn ask_host_parts(&self, image: &str, labels: &Labels) -> HostParts {
        let mut parts = HostParts::all();
        loop {
            let host = HostConfig {
                devices: Some(
                    parts
                        .devices
                        .iter()
                        .map(|path| node_body::device(path))
                        .collect(),
                ),
                mounts: parts.modules.then(|| vec![node_body::modules_mount()]),
                ..HostConfig::default()
            };
            let asked = self.run_probe(image, labels, host, &["/bin/true"]).await;
            let Err(error) = asked else { return parts };
            // Anything else that goes wrong does so after the parts were found.
            if !parts.without_named(&error.to_string()) {
                tracing::debug!(%error, ?parts, "probed the engine's host");
                return parts;
            }
        }
    }

    /// How much nodes of `image` may do; `labels` mark what is made to find out.
    pub(super) async fn ask_privilege(
        &self,
        image: &str,
        labels: &Labels,
    ) -> Result<Privilege, EngineError> {
        let version = self.ask_info().await?.version;
        let status = match self.engine_pid {
            Some(pid) => fs_err::read_to_string(format!("/proc/{pid}/status")).ok(),
            None => None,
        };
        let status = match status {
            Some(status) => Ok(status),
            None => {
                let host = HostConfig {
                    pid_mode: Some("host".to_owned()),
                    ..HostConfig::default()
                };
                let command = ["/bin/cat", "/proc/1/status"];
                self.run_probe(image, labels, host, &command).await
            }
        };
        match status {
            Ok(status) => Ok(bounding_set(&status)
                .map_or(Privilege::Privileged, |bounding| decide(bounding, &version))),
            Err(error @ (EngineError::Unreachable { .. } | EngineError::Missing { .. })) => {
                Err(error)
            }
            // An engine that shares no process space runs with its own, as it should.
            Err(error) => {
                tracing::debug!(%error, "could not ask for the engine's capabilities");
                Ok(Privilege::Privileged)
            }
        }
    }

    /// Runs `command` in a container without network and returns what it printed.
    async fn run_probe(
        &self,
        image: &str,
        labels: &Labels,
        host: HostConfig,
        command: &[&str],
    ) -> Result<String, EngineError> {
        let operation = Operation::new("probe", "the engine's host", "");
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(command.iter().map(|&word| word.to_owned()).collect()),
            labels: Some(to_map(labels)),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                ..host
            }),
            ..ContainerCreateBody::default()
        };
        let name = format!("kcluster-probe-{:08x}", fresh_number());
        let id = self.make_container(operation, &name, body).await?;
        let printed = async {
            self.docker
                .start_container(&id, None::<StartContainerOptions>)
                .await
                .map_err(|error| match answer(&error) {
                    Some(said) => operation.failed(said),
                    None => self.map(operation)(error),
                })?;
            let mut ends = Box::pin(
                self.docker
                    .wait_container(&id, None::<WaitContainerOptions>),
            );
            while let Some(Ok(_)) = ends.next().await {}
            self.logs(&id, 1000).await
        }
        .await;
        self.remove(&id).await?;
        printed
    }
}

/// Different at each call and in each process; no secret.
pub(super) fn fresh_number() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
    let number = RandomState::new().hash_one(std::process::id()) as u32;
    number
}
