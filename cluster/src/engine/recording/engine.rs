//! The verbs of the engine in memory.

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedSender;

use super::archive;
use super::state::{carries, failed, missing};
use super::{Answer, Recorder};
use crate::engine::lines::Lines;
use crate::engine::{
    Engine, EngineError, EngineInfo, ExecOutput, ExecSpec, ImageInfo, Labels, LayerInfo,
    NetworkInfo, NetworkSpec, NodeDisk, NodeInfo, NodeSpec, NodeState, OutputLine, PACKED,
    Privilege, Stream, ToolSpec, VolumeInfo,
};

fn words(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!(" {key}={value}"))
        .collect();
    pairs.concat()
}

fn command(verb: &str, node: &str, spec: &ExecSpec) -> String {
    format!("{verb} {node} {}", spec.argv.join(" "))
}

#[async_trait]
impl Engine for Recorder {
    async fn info(&self) -> Result<EngineInfo, EngineError> {
        self.called("info".into())?;
        Ok(self.info.clone())
    }

    async fn privilege(&self, image: &str, _labels: &Labels) -> Result<Privilege, EngineError> {
        self.called(format!("privilege {image}"))?;
        Ok(self.privilege.clone())
    }

    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError> {
        self.called(format!("image {reference}"))?;
        Ok(self.state().image(reference).cloned())
    }

    async fn images(&self, labels: &Labels) -> Result<Vec<ImageInfo>, EngineError> {
        self.called(format!("images{}", words(labels)))?;
        let mut images = self.state().images.clone();
        images.retain(|image| carries(&image.labels, labels));
        Ok(images)
    }

    async fn image_layers(&self, reference: &str) -> Result<Vec<LayerInfo>, EngineError> {
        self.called(format!("image_layers {reference}"))?;
        let state = self.state();
        let image = state
            .image(reference)
            .ok_or_else(|| missing("image", reference))?;
        Ok(vec![LayerInfo {
            what: "all of it".into(),
            size: image.size,
        }])
    }

    async fn load_image(
        &self,
        mut archive: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<(), EngineError> {
        self.called("load_image".into())?;
        let refused = |error: std::io::Error| EngineError::Failed {
            operation: "load an image archive".into(),
            reason: error.to_string(),
        };
        let mut bytes = Vec::new();
        archive.read_to_end(&mut bytes).await.map_err(refused)?;
        let loaded = archive::images(&bytes).map_err(refused)?;
        let mut state = self.state();
        for image in loaded {
            state
                .images
                .retain(|other| other.references != image.references);
            state.images.push(image);
        }
        Ok(())
    }

    async fn save_images(
        &self,
        references: &[String],
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError> {
        self.called(format!("save_images {}", references.join(" ")))?;
        let state = self.state();
        for name in references {
            if state.image(name).is_none() {
                return Err(missing("image", name));
            }
        }
        let list = serde_json::json!([{ "Config": "config.json", "RepoTags": references }]);
        let list = list.to_string();
        const CONFIG: &[u8] = br#"{"os":"linux","architecture":"amd64"}"#;
        let files = [("manifest.json", list.as_bytes()), ("config.json", CONFIG)];
        let saved = archive::of(files.into_iter())
            .map_err(|error| failed("save image", &references.join(" "), &error.to_string()))?;
        Ok(Box::new(Cursor::new(saved)))
    }

    async fn run_tool(&self, spec: &ToolSpec) -> Result<ExecOutput, EngineError> {
        self.called(format!("run_tool {} {}", spec.image, spec.argv.join(" ")))?;
        if self.state().image(&spec.image).is_none() {
            return Err(missing("image", &spec.image));
        }
        match self.answer(&spec.image, &ExecSpec::new(spec.argv.clone())) {
            Answer::Output(output) => Ok(output),
            Answer::Fail(error) => Err(error),
            Answer::Hang => std::future::pending().await,
        }
    }

    async fn remove_image(&self, reference: &str) -> Result<(), EngineError> {
        self.called(format!("remove_image {reference}"))?;
        self.state().remove_image(reference)
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), EngineError> {
        self.called(format!("create_network {} {}", spec.name, spec.subnet))?;
        self.state().create_network(spec)
    }

    async fn networks(&self, labels: &Labels) -> Result<Vec<NetworkInfo>, EngineError> {
        self.called(format!("networks{}", words(labels)))?;
        let state = self.state();
        let found = state
            .networks
            .values()
            .filter(|network| carries(&network.labels, labels));
        Ok(found
            .map(|network| NetworkInfo {
                name: network.name.clone(),
                subnets: vec![network.subnet],
                labels: network.labels.clone(),
            })
            .collect())
    }

    async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        self.called(format!("remove_network {name}"))?;
        self.state().remove_network(name)
    }

    async fn create_volume(&self, name: &str, labels: &Labels) -> Result<(), EngineError> {
        self.called(format!("create_volume {name}"))?;
        self.state().create_volume(name, labels)
    }

    async fn volumes(&self, labels: &Labels) -> Result<Vec<VolumeInfo>, EngineError> {
        self.called(format!("volumes{}", words(labels)))?;
        let state = self.state();
        let found = state.volumes.iter().filter(|(_, own)| carries(own, labels));
        Ok(found
            .map(|(name, own)| VolumeInfo {
                name: name.clone(),
                labels: own.clone(),
            })
            .collect())
    }

    async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        self.called(format!("remove_volume {name}"))?;
        self.state().remove_volume(name)
    }

    async fn copy_volumes(
        &self,
        image: &str,
        pairs: &[(String, String)],
        _labels: &Labels,
    ) -> Result<(), EngineError> {
        self.called(format!("copy_volumes {image}{}", listed(pairs)))?;
        self.state().copy_volumes(image, pairs)
    }

    async fn pack_volumes(
        &self,
        image: &str,
        volumes: &[(String, String)],
        skip: &[String],
        _labels: &Labels,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), EngineError> {
        self.called(format!(
            "pack_volumes {image}{} without {}",
            listed(volumes),
            skip.join(" ")
        ))?;
        self.state().copy_volumes(image, &twice(volumes))?;
        let broken = |error: std::io::Error| failed("pack volumes of", image, &error.to_string());
        let folders = volumes
            .iter()
            .map(|(name, folder)| (folder.as_str(), name.as_bytes()));
        let inner = archive::of(folders).map_err(broken)?;
        let outer = archive::of([(PACKED, inner.as_slice())].into_iter()).map_err(broken)?;
        to.write_all(&outer).await.map_err(broken)
    }

    async fn unpack_volumes(
        &self,
        image: &str,
        volumes: &[(String, String)],
        mut archive: Box<dyn AsyncRead + Send + Unpin>,
        _labels: &Labels,
    ) -> Result<(), EngineError> {
        let broken = |error: std::io::Error| failed("unpack volumes of", image, &error.to_string());
        let mut outer = Vec::new();
        archive.read_to_end(&mut outer).await.map_err(broken)?;
        let outer = archive::files(&outer).map_err(broken)?;
        let inner = outer.get(PACKED).map(Vec::as_slice).unwrap_or_default();
        let folders = archive::files(inner).map_err(broken)?;
        let folders: Vec<&str> = folders.keys().map(String::as_str).collect();
        self.called(format!(
            "unpack_volumes {image}{} from {}",
            listed(volumes),
            folders.join(" ")
        ))?;
        self.state().copy_volumes(image, &twice(volumes))
    }

    async fn create_node(&self, spec: &NodeSpec) -> Result<(), EngineError> {
        self.called(format!("create_node {}", spec.name))?;
        self.state().create_node(spec)
    }

    async fn copy_in(&self, node: &str, archive: Vec<u8>) -> Result<(), EngineError> {
        let refused =
            |error: std::io::Error| failed("copy files into node", node, &error.to_string());
        let files = archive::files(&archive).map_err(refused)?;
        let paths: Vec<&str> = files.keys().map(String::as_str).collect();
        self.called(format!("copy_in {node} {}", paths.join(" ")))?;
        let mut state = self.state();
        state.node(node)?;
        state
            .files
            .entry(node.to_owned())
            .or_default()
            .extend(files);
        Ok(())
    }

    async fn copy_out(
        &self,
        node: &str,
        path: &str,
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError> {
        self.called(format!("copy_out {node} {path}"))?;
        let state = self.state();
        state.node(node)?;
        let wanted = Path::new(archive::plain(path));
        // Names in the archive begin with the last part of the path, as the engine's do.
        let parent = wanted.parent().unwrap_or(Path::new(""));
        let mut found = Vec::new();
        for (path, bytes) in state.files.get(node).into_iter().flatten() {
            let path = Path::new(path);
            if path.starts_with(wanted)
                && let Ok(Some(name)) = path.strip_prefix(parent).map(Path::to_str)
            {
                found.push((name, bytes.as_slice()));
            }
        }
        if found.is_empty() {
            return Err(missing("file", &format!("{node}:{path}")));
        }
        let packed = archive::of(found.into_iter())
            .map_err(|error| failed("copy files out of node", node, &error.to_string()))?;
        Ok(Box::new(Cursor::new(packed)))
    }

    async fn start_node(&self, node: &str) -> Result<(), EngineError> {
        self.called(format!("start_node {node}"))?;
        self.state().start_node(node)
    }

    async fn stop_node(&self, node: &str, _grace: Duration) -> Result<(), EngineError> {
        self.called(format!("stop_node {node}"))?;
        let up = [NodeState::Running, NodeState::Paused];
        self.state().turn(node, &up, NodeState::Exited)
    }

    async fn pause_node(&self, node: &str) -> Result<(), EngineError> {
        self.called(format!("pause_node {node}"))?;
        let mut state = self.state();
        if state.node(node)?.state == NodeState::Exited {
            let reason = format!("Container {node} is not running");
            return Err(failed("freeze node", node, &reason));
        }
        state.turn(node, &[NodeState::Running], NodeState::Paused)
    }

    async fn unpause_node(&self, node: &str) -> Result<(), EngineError> {
        self.called(format!("unpause_node {node}"))?;
        self.state()
            .turn(node, &[NodeState::Paused], NodeState::Running)
    }

    async fn nodes(&self, labels: &Labels) -> Result<Vec<NodeInfo>, EngineError> {
        self.called(format!("nodes{}", words(labels)))?;
        Ok(self.state().list_nodes(labels))
    }

    async fn remove_node(&self, node: &str) -> Result<(), EngineError> {
        self.called(format!("remove_node {node}"))?;
        self.state().nodes.remove(node);
        Ok(())
    }

    async fn node_disk(&self, node: &str) -> Result<NodeDisk, EngineError> {
        self.called(format!("node_disk {node}"))?;
        self.state().running(node)?;
        Ok(NodeDisk::default())
    }

    async fn node_logs(&self, node: &str, lines: usize) -> Result<String, EngineError> {
        self.called(format!("node_logs {node} {lines}"))?;
        self.state().node(node)?;
        // What a node's first process begins with.
        Ok("{\"time\":\"2026-11-21T04:00:00.000Z\",\"event\":\"start\"}\n".to_owned())
    }

    async fn exec(
        &self,
        node: &str,
        spec: ExecSpec,
        lines: Option<UnboundedSender<OutputLine>>,
    ) -> Result<ExecOutput, EngineError> {
        self.called(command("exec", node, &spec))?;
        self.state().running(node)?;
        match self.answer(node, &spec) {
            Answer::Output(output) => {
                for (stream, text) in [(Stream::Out, &output.stdout), (Stream::Err, &output.stderr)]
                {
                    let mut told = Lines::new(stream, lines.clone());
                    told.push(text.as_bytes());
                    told.finish();
                }
                Ok(output)
            }
            Answer::Fail(error) => Err(error),
            Answer::Hang => std::future::pending().await,
        }
    }

    async fn exec_interactive(&self, node: &str, spec: ExecSpec) -> Result<i64, EngineError> {
        self.called(command("exec_interactive", node, &spec))?;
        self.state().running(node)?;
        match self.answer(node, &spec) {
            Answer::Output(output) => Ok(output.code),
            Answer::Fail(error) => Err(error),
            Answer::Hang => std::future::pending().await,
        }
    }

    fn shares_files(&self, path: &Path) -> bool {
        self.shares_files && path.is_absolute()
    }
}

fn listed(all: &[(String, String)]) -> String {
    let words = all.iter().map(|(one, other)| format!(" {one}:{other}"));
    words.collect()
}

/// Pairs of which only the first name is a volume's.
fn twice(all: &[(String, String)]) -> Vec<(String, String)> {
    all.iter()
        .map(|(name, _)| (name.clone(), name.clone()))
        .collect()
}
