//! Running a command in a node as part of a step.

use std::collections::VecDeque;
use std::time::Duration;

use kcluster_matrix::Step;
use tokio::sync::mpsc;

use super::context::Context;
use crate::engine::{ExecOutput, ExecSpec};
use crate::error::{StepError, StepFailure};
use crate::token;

/// Lines of output that an error shows.
const TAIL: usize = 15;

impl Context<'_> {
    /// Runs `spec` in `node` to a good end. Each line, without secrets, goes to the sink
    /// and to `on_line`.
    pub(crate) async fn run(
        &self,
        step: Step,
        node: &str,
        spec: ExecSpec,
        limit: Duration,
        mut on_line: impl FnMut(&str),
    ) -> Result<ExecOutput, StepError> {
        let command = spec.argv.join(" ");
        let mut tail = VecDeque::new();
        let (sender, mut lines) = mpsc::unbounded_channel();
        let mut take = |text: &str| {
            let line = token::mask(text);
            on_line(&line);
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line.clone());
            self.line(step, Some(node), line);
        };
        let exec = self.engine.exec(node, spec, Some(sender));
        tokio::pin!(exec);
        let deadline = tokio::time::sleep(limit);
        tokio::pin!(deadline);
        let ended = loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(StepError::Cancelled),
                Some(line) = lines.recv() => take(&line.text),
                ended = &mut exec => break Some(ended),
                () = &mut deadline => break None,
            }
        };
        while let Ok(line) = lines.try_recv() {
            take(&line.text);
        }
        let reason = match ended {
            Some(Ok(output)) if output.code == 0 => return Ok(output),
            Some(Ok(output)) => format!("ended with code {}", output.code),
            Some(Err(error)) => format!("could not be run: {error}"),
            None => format!("did not end within {} s", limit.as_secs()),
        };
        Err(StepError::Failed(Box::new(StepFailure {
            command: Some(token::mask(&command)),
            output: tail.into(),
            ..StepFailure::new(step, Some(node), reason)
        })))
    }

    /// Runs a command whose output is for us, not for the user.
    pub(crate) async fn ask(
        &self,
        step: Step,
        node: &str,
        spec: ExecSpec,
        limit: Duration,
    ) -> Result<ExecOutput, StepError> {
        let command = token::mask(&spec.argv.join(" "));
        let exec = tokio::time::timeout(limit, self.engine.exec(node, spec, None));
        let ended = tokio::select! {
            () = self.cancel.cancelled() => return Err(StepError::Cancelled),
            ended = exec => ended,
        };
        let (reason, output) = match ended {
            Ok(Ok(output)) if output.code == 0 => return Ok(output),
            Ok(Ok(output)) => (format!("ended with code {}", output.code), output.stderr),
            Ok(Err(error)) => (format!("could not be run: {error}"), String::new()),
            Err(_) => (
                format!("did not end within {} s", limit.as_secs()),
                String::new(),
            ),
        };
        Err(StepError::Failed(Box::new(StepFailure {
            command: Some(command),
            output: output.lines().map(token::mask).collect(),
            ..StepFailure::new(step, Some(node), reason)
        })))
    }

    /// Blocks until `what` of `node` answers (the node's own helper watches it).
    pub(crate) async fn wait_for(
        &self,
        step: Step,
        node: &str,
        what: &str,
        limit: Duration,
    ) -> Result<(), StepError> {
        let timeout = format!("{}s", limit.as_secs());
        let spec = ExecSpec::new(["kcluster-node", "wait", what, "--timeout", &timeout]);
        // The helper's own limit comes first, so that its words are in the error.
        self.ask(step, node, spec, limit + Duration::from_secs(5))
            .await
            .map(drop)
    }
}
