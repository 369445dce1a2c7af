//! Volumes: one for each node's `/var`.

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::errors::{Operation, has_status};
use super::{DockerEngine, by_labels, to_map};
use crate::engine::{EngineError, Labels, VolumeInfo};

impl DockerEngine {
    pub(super) async fn make_volume(&self, name: &str, labels: &Labels) -> Result<(), EngineError> {
        let exists = || EngineError::Exists {
            what: "volume",
            name: name.to_owned(),
        };
        // The engine would hand out one that exists, whatever its labels, as if new.
        if self.has_volume(name).await? {
            return Err(exists());
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(to_map(labels)),
            ..VolumeCreateRequest::default()
        };
        let made = self
            .docker
            .create_volume(request)
            .await
            .map_err(self.map(Operation::new("create", "volume", name)))?;
        if made.labels == to_map(labels) {
            Ok(())
        } else {
            Err(exists())
        }
    }

    pub(super) async fn has_volume(&self, name: &str) -> Result<bool, EngineError> {
        match self.docker.inspect_volume(name).await {
            Ok(_) => Ok(true),
            Err(error) if has_status(&error, 404) => Ok(false),
            Err(error) => Err(self.map(Operation::new("find", "volume", name))(error)),
        }
    }

    pub(super) async fn list_volumes(
        &self,
        labels: &Labels,
    ) -> Result<Vec<VolumeInfo>, EngineError> {
        let options = ListVolumesOptionsBuilder::default()
            .filters(&by_labels(labels))
            .build();
        let list = self
            .docker
            .list_volumes(Some(options))
            .await
            .map_err(self.map(Operation::new("list", "volumes", "")))?;
        Ok(list
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|volume| VolumeInfo {
                name: volume.name,
                labels: volume.labels.into_iter().collect(),
            })
            .collect())
    }

    pub(super) async fn drop_volume(&self, name: &str) -> Result<(), EngineError> {
        self.docker
            .remove_volume(name, None::<RemoveVolumeOptions>)
            .await
            .map_err(self.map(Operation::new("remove", "volume", name)))
    }
}
