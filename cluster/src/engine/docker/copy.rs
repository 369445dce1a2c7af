//! Volumes copied, packed and filled inside the engine, by short-lived containers.

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, Mount, MountType,
    MountVolumeOptions,
};
use bollard::query_parameters::{UploadToContainerOptionsBuilder, WaitContainerOptions};
use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::ReaderStream;

use super::errors::Operation;
use super::{DockerEngine, to_map};
use crate::engine::{EngineError, Labels, PACKED};

// The container's file system is the image's, so these have its tools.
const COPY: &str =
    "set -e; for i in $(seq 1 \"$0\"); do cp -a --sparse=always \"/from/$i/.\" \"/to/$i/\"; done";
// Attributes hold an overlay's marks; etcd's log is mostly holes.
const PACK: &str = "exec tar -C /from --numeric-owner --xattrs --xattrs-include='*' --sparse --sort=name \"$@\" -cf \"/$0\" .";
const UNPACK: &str = "exec tar -C /to --numeric-owner --xattrs --xattrs-include='*' -xpSf \"/$0\"";

/// Bytes sent at a time.
const CHUNK: usize = 256 * 1024;

impl DockerEngine {
    pub(super) async fn duplicate(
        &self,
        image: &str,
        pairs: &[(String, String)],
        labels: &Labels,
    ) -> Result<(), EngineError> {
        self.need(pairs.iter().flat_map(|(from, to)| [from, to]))
            .await?;
        let Some((_, first)) = pairs.first() else {
            return Ok(());
        };
        let mounts = pairs.iter().zip(1..).flat_map(|((from, to), index)| {
            [
                mount(from, format!("/from/{index}"), true),
                mount(to, format!("/to/{index}"), false),
            ]
        });
        let count = pairs.len().to_string();
        let operation = Operation::new("copy into", "volume", first);
        let name = format!("{first}-copy");
        let body = body(image, &[COPY, &count], mounts.collect(), labels);
        let id = self.make_container(operation, &name, body).await?;
        let result = self.run_copy(operation, &id).await;
        let removed = self.remove(&id).await;
        result.and(removed)
    }

    pub(super) async fn pack(
        &self,
        image: &str,
        volumes: &[(String, String)],
        skip: &[String],
        labels: &Labels,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), EngineError> {
        self.need(volumes.iter().map(|(name, _)| name)).await?;
        let Some((first, _)) = volumes.first() else {
            return Ok(());
        };
        let mounts = volumes
            .iter()
            .map(|(name, folder)| mount(name, format!("/from/{folder}"), true));
        let skip: Vec<String> = skip.iter().map(|it| format!("--exclude={it}")).collect();
        let mut script = vec![PACK, PACKED];
        script.extend(skip.iter().map(String::as_str));
        let operation = Operation::new("pack", "volume", first);
        let body = body(image, &script, mounts.collect(), labels);
        let name = format!("{first}-pack");
        let id = self.make_container(operation, &name, body).await?;
        let work = async {
            self.run_copy(operation, &id).await?;
            let mut archive = self.download(&id, &format!("/{PACKED}")).await?;
            tokio::io::copy(&mut archive, to)
                .await
                .map(drop)
                .map_err(|error| operation.failed(error))
        };
        let result = work.await;
        let removed = self.remove(&id).await;
        result.and(removed)
    }

    pub(super) async fn unpack(
        &self,
        image: &str,
        volumes: &[(String, String)],
        archive: Box<dyn AsyncRead + Send + Unpin>,
        labels: &Labels,
    ) -> Result<(), EngineError> {
        self.need(volumes.iter().map(|(name, _)| name)).await?;
        let Some((first, _)) = volumes.first() else {
            return Ok(());
        };
        let mounts = volumes
            .iter()
            .map(|(name, folder)| mount(name, format!("/to/{folder}"), false));
        let operation = Operation::new("fill", "volume", first);
        let body = body(image, &[UNPACK, PACKED], mounts.collect(), labels);
        let name = format!("{first}-fill");
        let id = self.make_container(operation, &name, body).await?;
        let work = async {
            let options = UploadToContainerOptionsBuilder::default().path("/").build();
            let stream = ReaderStream::with_capacity(archive, CHUNK);
            self.bulk()
                .upload_to_container(&id, Some(options), bollard::body_try_stream(stream))
                .await
                .map_err(self.map(operation))?;
            self.run_copy(operation, &id).await
        };
        let result = work.await;
        let removed = self.remove(&id).await;
        result.and(removed)
    }

    /// An error if one is absent: the engine would make it, without labels.
    async fn need(&self, volumes: impl Iterator<Item = &String>) -> Result<(), EngineError> {
        for name in volumes {
            if !self.has_volume(name).await? {
                return Err(EngineError::Missing {
                    what: "volume",
                    name: name.clone(),
                });
            }
        }
        Ok(())
    }

    async fn run_copy(&self, operation: Operation<'_>, id: &str) -> Result<(), EngineError> {
        // Asked before the start, as it may be over in no time.
        let bulk = self.bulk();
        let mut ends = Box::pin(bulk.wait_container(
            id,
            Some(WaitContainerOptions {
                condition: "next-exit".to_owned(),
            }),
        ));
        let (started, ended) = tokio::join!(self.start(id), ends.next());
        started?;
        match ended {
            Some(Ok(_)) => Ok(()),
            _ => {
                let said = self.logs(id, 5).await.unwrap_or_default();
                Err(operation.failed(format_args!("it ended badly: {}", said.trim())))
            }
        }
    }
}

fn mount(name: &str, target: String, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.to_owned()),
        target: Some(target),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn body(image: &str, script: &[&str], mounts: Vec<Mount>, labels: &Labels) -> ContainerCreateBody {
    let words = ["/bin/sh", "-c"].iter().chain(script);
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(words.map(|&word| word.to_owned()).collect()),
        labels: Some(to_map(labels)),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            network_mode: Some("none".to_owned()),
            // An overlay's marks in unpacked layers are attributes that need it.
            cap_add: Some(vec!["SYS_ADMIN".to_owned(), "MKNOD".to_owned()]),
            security_opt: Some(vec![
                "seccomp=unconfined".to_owned(),
                "apparmor=unconfined".to_owned(),
            ]),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
