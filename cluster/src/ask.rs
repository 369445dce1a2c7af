//! Questions to an existing cluster, asked in its control plane.

use std::time::Duration;

use serde_json::Value;

use crate::engine::{Engine, ExecSpec};
use crate::error::ClusterError;
use crate::kubeadm;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs a command to a good end; what comes back is what it printed.
pub(crate) async fn ask(
    engine: &dyn Engine,
    node: &str,
    spec: ExecSpec,
) -> Result<String, ClusterError> {
    let command = spec.argv.join(" ");
    let failed = |reason: String| ClusterError::Command {
        node: node.to_owned(),
        command: command.clone(),
        reason,
    };
    match tokio::time::timeout(LIMIT, engine.exec(node, spec, None)).await {
        Ok(Ok(output)) if output.code == 0 => Ok(output.stdout),
        Ok(Ok(output)) => Err(failed(format!(
            "ended with code {}: {}",
            output.code,
            output.stderr.trim()
        ))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(failed(format!("did not end within {} s", LIMIT.as_secs()))),
    }
}

/// Waits until the API server answers; the node's own helper watches it.
pub(crate) async fn api_answers(engine: &dyn Engine, node: &str) -> Result<(), ClusterError> {
    let spec = ExecSpec::new(["kcluster-node", "wait", "apiserver", "--timeout", "25s"]);
    ask(engine, node, spec).await.map(drop)
}

/// What the API has at `path`.
pub(crate) async fn get(
    engine: &dyn Engine,
    node: &str,
    path: &str,
) -> Result<Value, ClusterError> {
    let spec = raw(path);
    let command = spec.argv.join(" ");
    let text = ask(engine, node, spec).await?;
    serde_json::from_str(&text).map_err(|error| ClusterError::Command {
        node: node.to_owned(),
        command,
        reason: format!("printed no JSON: {error}"),
    })
}

/// kubectl asking for `path`.
pub(crate) fn raw(path: &str) -> ExecSpec {
    ExecSpec::new([
        "kubectl",
        "--kubeconfig",
        kubeadm::ADMIN,
        "get",
        "--raw",
        path,
    ])
}
