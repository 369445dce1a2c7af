//! What a cluster's parts said: for an error, and as files for later.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::tokio as fs;
use futures_util::future::{join, join_all};
use kcluster_matrix::ClusterName;
use tokio::io::AsyncReadExt;

use crate::engine::{Engine, EngineError, ExecSpec, NodeInfo};
use crate::error::ClusterError;
use crate::kubeadm;
use crate::list::list;

const LIMIT: Duration = Duration::from_secs(60);
/// Lines and characters of each log that an error shows.
const TAIL: usize = 10;
const WIDTH: usize = 400;

/// The last lines of what runs in a node; what cannot be had is left out.
pub async fn node_tail(engine: &dyn Engine, node: &str) -> Vec<(String, Vec<String>)> {
    let tail = |path: &str| {
        let lines = TAIL.to_string();
        ExecSpec::new(["tail", "-n", &lines, path])
    };
    let limit = Duration::from_secs(5);
    let first = tokio::time::timeout(limit, engine.node_logs(node, TAIL));
    let kubelet = engine.exec(node, tail("/var/log/kcluster/kubelet.log"), None);
    let (first, kubelet) = join(first, tokio::time::timeout(limit, kubelet)).await;
    let mut found = Vec::new();
    if let Ok(Ok(text)) = first {
        found.push((format!("node {node}"), shorten(&text)));
    }
    if let Ok(Ok(output)) = kubelet
        && output.code == 0
    {
        found.push((format!("the kubelet of {node}"), shorten(&output.stdout)));
    }
    found.retain(|(_, lines)| !lines.is_empty());
    found
}

fn shorten(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..]
        .iter()
        .map(|line| line.chars().take(WIDTH).collect())
        .collect()
}

/// What is asked of each node: file, and the command that fills it.
const NODE_COMMANDS: [(&str, &str); 7] = [
    ("images.txt", "ctr -n k8s.io images list"),
    ("containers.txt", "ctr -n k8s.io containers list"),
    ("mounts.txt", "cat /proc/mounts"),
    ("addresses.txt", "ip address; ip route; ip rule"),
    ("nft.txt", "nft list ruleset"),
    ("processes.txt", "ps auxww"),
    ("disk.txt", "df -h; free -m"),
];

/// What is asked of the API.
const API_COMMANDS: [(&str, &str); 4] = [
    ("nodes.txt", "get nodes -o wide"),
    ("pods.txt", "get pods -A -o wide"),
    ("events.txt", "get events -A --sort-by=.lastTimestamp"),
    (
        "objects.json",
        "get nodes,pods,services,endpointslices,deployments,daemonsets -A -o json",
    ),
];

/// Writes everything there is to know about a cluster below `dir`; what comes back are the
/// files. What a broken node does not tell is told in its place.
///
/// # Errors
/// When there is no such cluster, or a file cannot be written.
pub async fn collect_logs(
    engine: &dyn Engine,
    name: &ClusterName,
    dir: &Path,
) -> Result<Vec<PathBuf>, ClusterError> {
    let cluster = list(engine)
        .await?
        .into_iter()
        .find(|cluster| cluster.name == *name && !cluster.nodes.is_empty())
        .ok_or_else(|| ClusterError::Missing { name: name.clone() })?;
    let nodes = join_all(cluster.nodes.iter().map(|node| of_node(engine, node, dir)));
    let api = async {
        match cluster.nodes.first() {
            Some(first) => of_api(engine, first, dir).await,
            None => Ok(Vec::new()),
        }
    };
    let (nodes, api) = join(nodes, api).await;
    let mut files = Vec::new();
    for group in nodes.into_iter().chain([api]) {
        files.extend(group.map_err(crate::state::StateError::from)?);
    }
    Ok(files)
}

async fn of_node(engine: &dyn Engine, node: &NodeInfo, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = dir.join(&node.name);
    fs::create_dir_all(&dir).await?;
    let mut files = vec![dir.join("node.log")];
    let first = tokio::time::timeout(LIMIT, engine.node_logs(&node.name, 10_000)).await;
    fs::write(&files[0], text_of(first)).await?;
    let commands = join_all(
        NODE_COMMANDS
            .iter()
            .map(async |(file, script)| (dir.join(file), shell(engine, &node.name, script).await)),
    );
    for (path, text) in commands.await {
        fs::write(&path, text).await?;
        files.push(path);
    }
    for source in ["/var/log/kcluster", "/var/log/pods"] {
        let mut content = Vec::new();
        if let Ok(mut archive) = engine.copy_out(&node.name, source).await
            && archive.read_to_end(&mut content).await.is_ok()
        {
            files.extend(unpack(&content, &dir)?);
        }
    }
    Ok(files)
}

/// Writes the regular files of an archive below `dir`; what else a node's log folder may
/// hold (links, sockets) is of no use elsewhere.
fn unpack(archive: &[u8], dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = dir.join(entry.path()?);
        // `unpack_in` refuses paths that lead out of `dir`.
        if entry.header().entry_type().is_file() && entry.unpack_in(dir)? {
            files.push(path);
        }
    }
    Ok(files)
}

async fn of_api(engine: &dyn Engine, node: &NodeInfo, dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).await?;
    let texts = join_all(API_COMMANDS.iter().map(async |(file, arguments)| {
        let script = format!(
            "kubectl --kubeconfig {} --request-timeout=20s {arguments}",
            kubeadm::ADMIN
        );
        (dir.join(file), shell(engine, &node.name, &script).await)
    }));
    let mut files = Vec::new();
    for (path, text) in texts.await {
        fs::write(&path, text).await?;
        files.push(path);
    }
    Ok(files)
}

async fn shell(engine: &dyn Engine, node: &str, script: &str) -> String {
    let spec = ExecSpec::new(["sh", "-c", script]);
    let ended = tokio::time::timeout(LIMIT, engine.exec(node, spec, None)).await;
    text_of(ended.map(|result| result.map(|output| output.stdout + &output.stderr)))
}

fn text_of(result: Result<Result<String, EngineError>, tokio::time::error::Elapsed>) -> String {
    match result {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => format!("{error}\n"),
        Err(_) => format!("no answer within {} s\n", LIMIT.as_secs()),
    }
}
