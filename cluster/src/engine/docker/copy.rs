//! Volumes copied inside the engine: nothing travels to this process and back.

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, Mount, MountType,
    MountVolumeOptions,
};
use bollard::query_parameters::WaitContainerOptions;
use futures_util::StreamExt;

use super::errors::Operation;
use super::{DockerEngine, to_map};
use crate::engine::{EngineError, Labels};

/// The container's file system is the image's, so copying has its tools.
const SCRIPT: &str =
    "set -e; for i in $(seq 1 \"$0\"); do cp -a --sparse=always \"/from/$i/.\" \"/to/$i/\"; done";

impl DockerEngine {
    pub(super) async fn duplicate(
        &self,
        image: &str,
        pairs: &[(String, String)],
        labels: &Labels,
    ) -> Result<(), EngineError> {
        // The engine would make what is absent, without labels.
        for name in pairs.iter().flat_map(|(from, to)| [from, to]) {
            if !self.has_volume(name).await? {
                return Err(EngineError::Missing {
                    what: "volume",
                    name: name.clone(),
                });
            }
        }
        let Some((_, first)) = pairs.first() else {
            return Ok(());
        };
        let operation = Operation::new("copy into", "volume", first);
        let name = format!("{first}-copy");
        let id = self
            .make_container(operation, &name, body(image, pairs, labels))
            .await?;
        let result = self.run_copy(operation, &id).await;
        let removed = self.remove(&id).await;
        result.and(removed)
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
                Err(operation.failed(format_args!("the copy ended badly: {}", said.trim())))
            }
        }
    }
}

fn body(image: &str, pairs: &[(String, String)], labels: &Labels) -> ContainerCreateBody {
    let mount = |name: &str, target: String, read_only: bool| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(name.to_owned()),
        target: Some(target),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    let mounts = pairs.iter().zip(1..).flat_map(|((from, to), index)| {
        [
            mount(from, format!("/from/{index}"), true),
            mount(to, format!("/to/{index}"), false),
        ]
    });
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(
            ["/bin/sh", "-c", SCRIPT, &pairs.len().to_string()]
                .map(str::to_owned)
                .to_vec(),
        ),
        labels: Some(to_map(labels)),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            mounts: Some(mounts.collect()),
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
