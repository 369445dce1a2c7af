//! The engine's verbs, each handed to the file that knows it.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use kcluster_matrix::Arch;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedSender;

use super::DockerEngine;
use super::errors::Operation;
use crate::engine::{
    Engine, EngineError, EngineInfo, ExecOutput, ExecSpec, ImageInfo, Labels, LayerInfo,
    NetworkInfo, NetworkSpec, NodeDisk, NodeInfo, NodeSpec, OutputLine, Privilege, ToolSpec,
    VolumeInfo,
};

impl DockerEngine {
    pub(super) async fn ask_info(&self) -> Result<EngineInfo, EngineError> {
        use bollard::models::SystemInfoCgroupVersionEnum as Cgroup;
        let info = self
            .docker
            .info()
            .await
            .map_err(self.map(Operation::new("describe", "itself", "")))?;
        let count = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        Ok(EngineInfo {
            endpoint: self.endpoint.clone(),
            version: info.server_version.unwrap_or_default(),
            arch: info
                .architecture
                .as_deref()
                .and_then(|name| name.parse::<Arch>().ok()),
            // Engines too old to say know version 1 only.
            cgroup_version: if info.cgroup_version == Some(Cgroup::_2) {
                2
            } else {
                1
            },
            storage: info.driver.unwrap_or_default(),
            data_root: info.docker_root_dir.unwrap_or_default(),
            cpus: count(info.ncpu),
            memory: count(info.mem_total),
            local: self.local,
        })
    }
}

#[async_trait]
impl Engine for DockerEngine {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.ask_info().await
    }

    async fn privilege(&self, image: &str, labels: &Labels) -> Result<Privilege, EngineError> {
        self.ask_privilege(image, labels).await
    }

    async fn run_tool(&self, spec: &ToolSpec) -> Result<ExecOutput, EngineError> {
        self.use_tool(spec).await
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        self.find_image(reference).await
    }

    async fn images(&self, labels: &Labels) -> Result<Vec<ImageInfo>, EngineError> {
        self.list_images(labels).await
    }

    async fn image_layers(&self, reference: &str) -> Result<Vec<LayerInfo>, EngineError> {
        self.list_layers(reference).await
    }

    async fn load_image(
        &self,
        archive: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<(), EngineError> {
        self.load_archive(archive).await
    }

    async fn save_images(
        &self,
        references: &[String],
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError> {
        self.save_archive(references).await
    }

    async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        self.drop_image(reference).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), EngineError> {
        self.make_network(spec).await
    }

    async fn networks(&self, labels: &Labels) -> Result<Vec<NetworkInfo>, EngineError> {
        self.list_networks(labels).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        self.drop_network(name).await
    }

    async fn create_volume(&self, name: &str, labels: &Labels) -> Result<(), EngineError> {
        self.make_volume(name, labels).await
    }

    async fn volumes(&self, labels: &Labels) -> Result<Vec<VolumeInfo>, EngineError> {
        self.list_volumes(labels).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        self.drop_volume(name).await
    }

    async fn copy_volumes(
        &self,
        image: &str,
        pairs: &[(String, String)],
        labels: &Labels,
    ) -> Result<(), EngineError> {
        self.duplicate(image, pairs, labels).await
    }

    async fn pack_volumes(
        &self,
        image: &str,
        volumes: &[(String, String)],
        skip: &[String],
        labels: &Labels,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), EngineError> {
        self.pack(image, volumes, skip, labels, to).await
    }

    async fn unpack_volumes(
        &self,
        image: &str,
        volumes: &[(String, String)],
        archive: Box<dyn AsyncRead + Send + Unpin>,
        labels: &Labels,
    ) -> Result<(), EngineError> {
        self.unpack(image, volumes, archive, labels).await
    }

    async fn create_node(&self, spec: &NodeSpec) -> Result<(), EngineError> {
        self.make_node(spec).await
    }

    async fn copy_in(&self, node: &str, archive: Vec<u8>) -> Result<(), EngineError> {
        self.upload(node, archive).await
    }

    async fn copy_out(
        &self,
        node: &str,
        path: &str,
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError> {
        self.download(node, path).await
    }

    async fn start_node(&self, node: &str) -> Result<(), EngineError> {
        self.start(node).await
    }

    async fn stop_node(&self, node: &str, grace: Duration) -> Result<(), EngineError> {
        self.stop(node, grace).await
    }

    async fn pause_node(&self, node: &str) -> Result<(), EngineError> {
        self.pause(node).await
    }

    async fn unpause_node(&self, node: &str) -> Result<(), EngineError> {
        self.unpause(node).await
    }

    async fn nodes(&self, labels: &Labels) -> Result<Vec<NodeInfo>, EngineError> {
        self.list_nodes(labels).await
    }

    async fn remove_node(&self, node: &str) -> Result<(), EngineError> {
        self.remove(node).await
    }

    async fn node_disk(&self, node: &str) -> Result<NodeDisk, EngineError> {
        self.disk_of(node).await
    }

    async fn node_logs(&self, node: &str, lines: usize) -> Result<String, EngineError> {
        self.logs(node, lines).await
    }

    async fn exec(
        &self,
        node: &str,
        spec: ExecSpec,
        lines: Option<UnboundedSender<OutputLine>>,
    ) -> Result<ExecOutput, EngineError> {
        self.run(node, spec, lines).await
    }

    async fn exec_interactive(&self, node: &str, spec: ExecSpec) -> Result<i64, EngineError> {
        self.converse(node, spec).await
    }

    fn shares_files(&self, path: &Path) -> bool {
        self.shares_files && path.is_absolute()
    }
}
