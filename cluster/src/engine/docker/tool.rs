//! Short-lived containers that do one thing on the engine's host and say how it went.

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{LogsOptionsBuilder, WaitContainerOptions};
use futures_util::{StreamExt, TryStreamExt};

use super::errors::Operation;
use super::{DockerEngine, node_body, probe, to_map};
use crate::engine::{EngineError, ExecOutput, ToolSpec};

impl DockerEngine {
    pub(super) async fn use_tool(&self, spec: &ToolSpec) -> Result<ExecOutput, EngineError> {
        let operation = Operation::new("run a tool of", "image", &spec.image);
        let name = format!("kcluster-tool-{:08x}", probe::fresh_number());
        let id = self.make_container(operation, &name, body(spec)).await?;
        let work = tokio::time::timeout(spec.limit, self.to_its_end(operation, &id));
        let output = work.await.unwrap_or_else(|_| {
            let seconds = spec.limit.as_secs();
            Err(operation.failed(format_args!("it did not end within {seconds} s")))
        });
        let removed = self.remove(&id).await;
        output.and_then(|output| removed.map(|()| output))
    }

    async fn to_its_end(
        &self,
        operation: Operation<'_>,
        id: &str,
    ) -> Result<ExecOutput, EngineError> {
        // Asked before the start, as it may be over in no time.
        let bulk = self.bulk();
        let mut ends = Box::pin(bulk.wait_container(
            id,
            Some(WaitContainerOptions {
                condition: "next-exit".to_owned(),
            }),
        ));
        // An exit code that is not 0 comes as an error; the container itself knows it better.
        let ((), _) = tokio::try_join!(self.start(id), async { Ok(ends.next().await) })?;
        let state = self
            .docker
            .inspect_container(id, None)
            .await
            .map_err(self.map(operation))?
            .state;
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .build();
        let pieces: Vec<LogOutput> = self
            .docker
            .logs(id, Some(options))
            .try_collect()
            .await
            .map_err(self.map(operation))?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        for piece in pieces {
            match piece {
                LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
                other => stdout.extend_from_slice(&other.into_bytes()),
            }
        }
        Ok(ExecOutput {
            code: state.and_then(|state| state.exit_code).unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }
}

fn body(spec: &ToolSpec) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: (!spec.argv.is_empty()).then(|| spec.argv.clone()),
        labels: Some(to_map(&spec.labels)),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            // Whatever the engine does with its other containers' logs, this one's are read.
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".to_owned()),
                config: None,
            }),
            ..node_body::powers(&spec.privilege)
        }),
        ..ContainerCreateBody::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Labels, Privilege};

    #[test]
    fn a_tool_may_what_a_node_may_but_sees_no_network() {
        let spec = ToolSpec {
            image: "tool:1".into(),
            argv: vec!["/tool".into(), "go".into()],
            privilege: Privilege::Capabilities(vec!["SYS_ADMIN".into()]),
            labels: Labels::from([("k".into(), "v".into())]),
            limit: std::time::Duration::from_secs(1),
        };
        let body = serde_json::to_value(body(&spec)).unwrap();
        assert_eq!(body["Entrypoint"], serde_json::json!(["/tool", "go"]));
        assert_eq!(body["Labels"]["k"], "v");
        let host = &body["HostConfig"];
        assert_eq!(host["NetworkMode"], "none");
        assert_eq!(host["LogConfig"]["Type"], "json-file");
        assert_eq!(host["Privileged"], false);
        assert_eq!(host["CapAdd"][0], "SYS_ADMIN");
        assert_eq!(host["ReadonlyPaths"], serde_json::json!([]));
        assert_eq!(host["SecurityOpt"][0], "seccomp=unconfined");
    }
}
