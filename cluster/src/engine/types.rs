//! Plain values that go into and come out of an engine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use kcluster_matrix::Arch;
use kcluster_matrix::node_settings::{Cpus, HostMount, Memory, PortMapping};

use super::{ApiReach, Endpoint, Labels};

/// What an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Where it is reached.
    pub endpoint: String,
    /// Its version, such as "20.10.24".
    pub version: String,
    /// Its host's architecture, if it is one of ours.
    pub arch: Option<Arch>,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// Storage driver, such as "overlay2".
    pub storage: String,
    /// Where it keeps its data, on its host.
    pub data_root: String,
    /// Processors of its host.
    pub cpus: u64,
    /// Memory of its host, bytes.
    pub memory: u64,
    /// Whether the endpoint is on this machine.
    pub local: bool,
}

impl EngineInfo {
    /// How an API server published on this engine is reached.
    #[must_use]
    pub fn api_host(&self) -> ApiReach {
        self.endpoint
            .parse::<Endpoint>()
            .map_or(ApiReach::Local, |endpoint| endpoint.api_host())
    }
}

/// An image the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// Its id.
    pub id: String,
    /// References to it.
    pub references: Vec<String>,
    /// Its labels.
    pub labels: Labels,
    /// Unpacked size, bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub created: i64,
}

/// A network to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub subnet: Ipv4Net,
    /// Its addresses of the sixth version, if it has any.
    pub subnet6: Option<Ipv6Net>,
    /// Whether the engine may translate and forward what leaves it.
    pub masquerade: bool,
    /// Its labels.
    pub labels: Labels,
}

/// A network the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// Its name.
    pub name: String,
    /// Its IPv4 subnets.
    pub subnets: Vec<Ipv4Net>,
    /// Its labels.
    pub labels: Labels,
}

/// A volume the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
}

/// How much a node's container may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privilege {
    /// The engine's `--privileged`.
    Privileged,
    /// An explicit list, where the engine's host lacks some capability.
    Capabilities(Vec<String>),
}

/// A node to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Container, host and node name.
    pub name: String,
    /// Image reference.
    pub image: String,
    /// Network to join.
    pub network: String,
    /// Address on it.
    pub address: Ipv4Addr,
    /// Its second address.
    pub address6: Option<Ipv6Addr>,
    /// Volume to mount at `/var`.
    pub var_volume: String,
    /// API server publication: host address and port (0: the engine chooses) for container port 6443.
    pub publish_api: Option<(IpAddr, u16)>,
    /// What it sees of the engine's host.
    pub mounts: Vec<HostMount>,
    /// Other ports of the engine's host that lead to it.
    pub ports: Vec<PortMapping>,
    /// Processors it may use.
    pub cpus: Option<Cpus>,
    /// Memory it may use.
    pub memory: Option<Memory>,
    /// What it may do.
    pub privilege: Privilege,
    /// Its labels.
    pub labels: Labels,
}

/// Whether a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// Made, never started.
    Created,
    /// It runs.
    Running,
    /// Frozen.
    Paused,
    /// It ended.
    Exited,
}

/// A short-lived container that does one thing on the engine's host, without network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSpec {
    /// Image reference.
    pub image: String,
    /// Program and arguments; none for what the image starts with.
    pub argv: Vec<String>,
    /// What it may do.
    pub privilege: Privilege,
    /// Its labels.
    pub labels: Labels,
    /// When it is ended, if it does not end by itself.
    pub limit: Duration,
}

/// A node the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Image reference it was made from.
    pub image: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it runs.
    pub state: NodeState,
    /// Its address on the cluster's network, while it runs.
    pub address: Option<Ipv4Addr>,
    /// Host address and port its API server is published on.
    pub published_api: Option<(IpAddr, u16)>,
}

/// A command to run in a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment, added to the node's.
    pub env: Vec<(String, String)>,
    /// What it reads from standard input.
    pub stdin: Option<Vec<u8>>,
    /// Whether it gets a terminal (interactive use only).
    pub tty: bool,
}

impl ExecSpec {
    /// A command without input or environment of its own.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// Which of a command's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line a command printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLine {
    /// Where to.
    pub stream: Stream,
    /// The line without its end.
    pub text: String,
}

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code.
    pub code: i64,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

/// What a node takes on its engine's disk beside its image, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeDisk {
    /// What it wrote over its image, and what the engine keeps about it.
    pub container: u64,
    /// Its volumes.
    pub volumes: u64,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerInfo {
    /// What is in it, or how it was made; empty if nothing is said.
    pub what: String,
    /// Unpacked size, bytes.
    pub size: u64,
}
