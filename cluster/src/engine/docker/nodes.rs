//! Nodes: containers made, filled, started, listed and removed.

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, UploadToContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use super::errors::{Operation, answer, has_status};
use super::{DockerEngine, by_labels, node_body};
use crate::engine::privilege::unknown_capability;
use crate::engine::{EngineError, Labels, NodeInfo, NodeSpec};

/// Removals of one container that may fail for a file system that is still busy.
const REMOVALS: usize = 5;

impl DockerEngine {
    pub(super) async fn make_node(&self, spec: &NodeSpec) -> Result<(), EngineError> {
        // The engine would make an absent volume, without labels.
        if !self.has_volume(&spec.var_volume).await? {
            return Err(EngineError::Missing {
                what: "volume",
                name: spec.var_volume.clone(),
            });
        }
        let host = self.host_parts(&spec.image, &spec.labels).await;
        let body = node_body::body(spec, host);
        self.make_container(
            Operation::new("create", "node", &spec.name),
            &spec.name,
            body,
        )
        .await
        .map(drop)
    }

    /// Creates a container; asks again without each capability the engine does not know.
    pub(super) async fn make_container(
        &self,
        operation: Operation<'_>,
        name: &str,
        mut body: ContainerCreateBody,
    ) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        loop {
            let made = self
                .docker
                .create_container(Some(options.clone()), body.clone())
                .await;
            let error = match made {
                Ok(made) => return Ok(made.id),
                Err(error) => error,
            };
            let asked = body
                .host_config
                .as_mut()
                .and_then(|host| host.cap_add.as_mut());
            let unknown = answer(&error).and_then(unknown_capability);
            if let (Some(asked), Some(unknown)) = (asked, unknown)
                && let Some(index) = asked.iter().position(|name| name == unknown)
            {
                tracing::debug!(unknown, "the engine does not know a capability");
                asked.remove(index);
                continue;
            }
            return Err(self.map(operation)(error));
        }
    }

    pub(super) async fn upload(&self, node: &str, archive: Vec<u8>) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        self.bulk()
            .upload_to_container(node, Some(options), bollard::body_full(archive.into()))
            .await
            .map_err(self.map(Operation::new("copy files into", "node", node)))
    }

    pub(super) async fn download(
        &self,
        node: &str,
        path: &str,
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError> {
        let options = DownloadFromContainerOptionsBuilder::default()
            .path(path)
            .build();
        let mut stream = Box::pin(self.bulk().download_from_container(node, Some(options)));
        // The first piece tells whether there is anything to read.
        let first = match stream.next().await {
            None => None,
            Some(Ok(first)) => Some(Ok(first)),
            Some(Err(error)) => {
                let absent =
                    answer(&error).is_some_and(|said| said.contains("ould not find the file"));
                return Err(if has_status(&error, 404) && absent {
                    EngineError::Missing {
                        what: "file",
                        name: format!("{node}:{path}"),
                    }
                } else {
                    self.map(Operation::new("copy files out of", "node", node))(error)
                });
            }
        };
        let rest = stream.map_err(std::io::Error::other);
        Ok(Box::new(StreamReader::new(
            futures_util::stream::iter(first).chain(rest).boxed(),
        )))
    }

    pub(super) async fn start(&self, node: &str) -> Result<(), EngineError> {
        self.docker
            .start_container(node, None::<StartContainerOptions>)
            .await
            .map_err(self.map(Operation::new("start", "node", node)))
    }

    pub(super) async fn list_nodes(&self, labels: &Labels) -> Result<Vec<NodeInfo>, EngineError> {
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&by_labels(labels))
            .build();
        let containers = self
            .docker
            .list_containers(Some(options))
            .await
            .map_err(self.map(Operation::new("list", "nodes", "")))?;
        Ok(containers.into_iter().map(node_body::info).collect())
    }

    pub(super) async fn remove(&self, node: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        let mut tries = 0;
        loop {
            tries += 1;
            let removed = self
                .docker
                .remove_container(node, Some(options.clone()))
                .await;
            let error = match removed {
                Ok(()) => return Ok(()),
                Err(error) if has_status(&error, 404) => return Ok(()),
                Err(error) => error,
            };
            let said = answer(&error).unwrap_or_default();
            if said.contains("already in progress") {
                // Someone else removes it; it is gone when they are through.
                self.wait_until_gone(node).await;
                return Ok(());
            }
            // Killing is asynchronous inside the engine, and mounts linger; there is
            // nothing to watch for but the next try.
            let passing = said.contains("busy") || said.contains("did not receive an exit event");
            if !passing || tries == REMOVALS {
                return Err(self.map(Operation::new("remove", "node", node))(error));
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    async fn wait_until_gone(&self, node: &str) {
        let options = WaitContainerOptionsBuilder::default()
            .condition("removed")
            .build();
        // Its end, or that it is unknown already, is all that is of interest.
        let mut ends = Box::pin(self.docker.wait_container(node, Some(options)));
        while let Some(Ok(_)) = ends.next().await {}
    }

    pub(super) async fn logs(&self, node: &str, lines: usize) -> Result<String, EngineError> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let pieces: Vec<_> = self
            .docker
            .logs(node, Some(options))
            .try_collect()
            .await
            .map_err(self.map(Operation::new("read the log of", "node", node)))?;
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend_from_slice(&piece.into_bytes());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
