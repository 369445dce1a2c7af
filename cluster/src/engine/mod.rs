//! The engine that nodes run on, in verbs of the field.
//!
//! [`Engine`] is the whole seam to the outside: `docker` talks to a real engine,
//! `recording` is a double that can run the whole pipeline in memory. Nothing else
//! in kcluster knows a container client library.

mod discover;
mod docker;
mod endpoint;
mod lines;
pub mod privilege;
pub mod recording;
mod ssh;
pub mod tunnel;
mod types;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

pub use docker::connect;
pub use endpoint::{ApiReach, DEFAULT_SOCKET, Endpoint, EndpointError, SshTarget};
pub use types::{
    EngineInfo, ExecOutput, ExecSpec, ImageInfo, LayerInfo, NetworkInfo, NetworkSpec, NodeDisk,
    NodeInfo, NodeSpec, NodeState, OutputLine, Privilege, Stream, ToolSpec, VolumeInfo,
};

/// Labels that tell what belongs to whom: key to value.
pub type Labels = BTreeMap<String, String>;

/// The one file of a packed archive.
pub const PACKED: &str = "volumes.tar";

/// A container engine. All lists are filtered by label: what does not carry the
/// labels asked for is never seen, so it cannot be removed.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What the engine is: version, cgroups, storage, architecture, endpoint.
    async fn info(&self) -> Result<EngineInfo, EngineError>;

    /// How much nodes of `image` may do. An engine that cannot be asked otherwise is asked
    /// by a short-lived container of that image, which carries `labels`. Takes a second at
    /// worst: ask once and remember.
    async fn privilege(&self, image: &str, labels: &Labels) -> Result<Privilege, EngineError>;

    /// Runs a short-lived container to its end and removes it. A non-zero exit code is no
    /// error here.
    async fn run_tool(&self, spec: &ToolSpec) -> Result<ExecOutput, EngineError>;

    /// Finds an image by reference.
    async fn image(&self, reference: &str) -> Result<Option<ImageInfo>, EngineError>;
    /// Images that carry all of `labels`.
    async fn images(&self, labels: &Labels) -> Result<Vec<ImageInfo>, EngineError>;
    /// The layers of an image that hold anything, the lowest first.
    async fn image_layers(&self, reference: &str) -> Result<Vec<LayerInfo>, EngineError>;
    /// Loads an image archive (Docker's layout) as it is read.
    async fn load_image(
        &self,
        archive: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<(), EngineError>;
    /// Reads images out as an archive, to load them into nodes.
    async fn save_images(
        &self,
        references: &[String],
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError>;
    /// Removes an image that is not in use.
    async fn remove_image(&self, reference: &str) -> Result<(), EngineError>;

    /// Makes a network; [`EngineError::SubnetTaken`] asks for another subnet.
    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), EngineError>;
    /// Networks that carry all of `labels`; with empty labels, all (to plan subnets).
    async fn networks(&self, labels: &Labels) -> Result<Vec<NetworkInfo>, EngineError>;
    /// Removes a network.
    async fn remove_network(&self, name: &str) -> Result<(), EngineError>;

    /// Makes a volume.
    async fn create_volume(&self, name: &str, labels: &Labels) -> Result<(), EngineError>;
    /// Volumes that carry all of `labels`.
    async fn volumes(&self, labels: &Labels) -> Result<Vec<VolumeInfo>, EngineError>;
    /// Removes a volume.
    async fn remove_volume(&self, name: &str) -> Result<(), EngineError>;
    /// Copies all that is in each first volume into the second, which exists and is empty,
    /// by a short-lived container of `image` that carries `labels`. Holes stay holes.
    async fn copy_volumes(
        &self,
        image: &str,
        pairs: &[(String, String)],
        labels: &Labels,
    ) -> Result<(), EngineError>;

    /// Writes what is in volumes, each below its folder, as an archive that holds the archive
    /// [`PACKED`]; what is named by the patterns in `skip` is left out.
    async fn pack_volumes(
        &self,
        image: &str,
        volumes: &[(String, String)],
        skip: &[String],
        labels: &Labels,
        to: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<(), EngineError>;
    /// Unpacks what [`pack_volumes`](Self::pack_volumes) wrote into empty volumes.
    async fn unpack_volumes(
        &self,
        image: &str,
        volumes: &[(String, String)],
        archive: Box<dyn AsyncRead + Send + Unpin>,
        labels: &Labels,
    ) -> Result<(), EngineError>;

    /// Makes a node's container without starting it.
    async fn create_node(&self, spec: &NodeSpec) -> Result<(), EngineError>;
    /// Unpacks a tar archive at `/` of a node, started or not.
    async fn copy_in(&self, node: &str, archive: Vec<u8>) -> Result<(), EngineError>;
    /// Reads a path of a node as a tar archive.
    async fn copy_out(
        &self,
        node: &str,
        path: &str,
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError>;
    /// Starts a node.
    async fn start_node(&self, node: &str) -> Result<(), EngineError>;
    /// Asks a node to end and waits until it has; after `grace` it is killed. No error if
    /// it does not run. [`start_node`](Self::start_node) starts it again with all it had.
    async fn stop_node(&self, node: &str, grace: Duration) -> Result<(), EngineError>;
    /// Freezes every process of a node; no error if it is frozen.
    async fn pause_node(&self, node: &str) -> Result<(), EngineError>;
    /// Lets a frozen node go on; no error if it is not frozen.
    async fn unpause_node(&self, node: &str) -> Result<(), EngineError>;
    /// Nodes that carry all of `labels`, running or not.
    async fn nodes(&self, labels: &Labels) -> Result<Vec<NodeInfo>, EngineError>;
    /// Stops and removes a node at once; no error if it is gone.
    async fn remove_node(&self, node: &str) -> Result<(), EngineError>;
    /// What a running node takes on disk beside its image, in blocks that are allocated.
    async fn node_disk(&self, node: &str) -> Result<NodeDisk, EngineError>;
    /// The last `lines` lines a node's first process printed.
    async fn node_logs(&self, node: &str, lines: usize) -> Result<String, EngineError>;

    /// Runs a command in a node to its end. Each line of output goes to `lines`
    /// as it comes; all of it is returned too. A non-zero exit code is no error here.
    async fn exec(
        &self,
        node: &str,
        spec: ExecSpec,
        lines: Option<tokio::sync::mpsc::UnboundedSender<OutputLine>>,
    ) -> Result<ExecOutput, EngineError>;
    /// Runs a command in a node joined to this process's terminal or pipes; returns its exit code.
    async fn exec_interactive(&self, node: &str, spec: ExecSpec) -> Result<i64, EngineError>;

    /// Host path, if the engine runs on this machine's file system and shares it.
    fn shares_files(&self, path: &Path) -> bool;
}

/// An operation on the engine that failed: what was asked, of whom, and why not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No engine answers at the endpoint.
    #[error(
        "no container engine answers at {endpoint}: {reason}; `cargo kcluster doctor --fix` installs and starts one, or set --engine"
    )]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// What the connection said.
        reason: String,
    },
    /// The subnet is in use by another network.
    #[error("subnet {subnet} is taken by another network of the engine")]
    SubnetTaken {
        /// The subnet.
        subnet: String,
    },
    /// A name is in use.
    #[error("{what} `{name}` exists already")]
    Exists {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    Missing {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// An image whose own platform is only named: an engine with Docker's containerd store saves nothing of it.
    #[error(
        "the engine has image `{name}` only in part: what is for the engine's own platform ({content}) is not there, and without that it saves nothing; get that too, as with `docker pull {name}`"
    )]
    Incomplete {
        /// The image, or several.
        name: String,
        /// Digest of what is not there.
        content: String,
    },
    /// A host port is in use.
    #[error(
        "port {port} of the engine's host is taken; leave --api-port at 0 to let the engine choose, or give another"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The engine's disk is full.
    #[error(
        "the engine's disk is full while trying to {operation}: {reason}; free some space (`cargo kcluster images prune`, `docker system df`)"
    )]
    DiskFull {
        /// What was asked.
        operation: String,
        /// The engine's words.
        reason: String,
    },
    /// Anything else the engine refused or broke off.
    #[error("failed to {operation}: {reason}")]
    Failed {
        /// What was asked, such as "start node `a-worker-1`".
        operation: String,
        /// The engine's words.
        reason: String,
    },
}
