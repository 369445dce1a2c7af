//! Following a list of the API as it changes, by the helper in the control plane.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use kcluster_matrix::Step;
use tokio::sync::mpsc;

use super::context::Context;
use crate::engine::{ExecSpec, OutputLine, Stream};
use crate::error::{StepError, StepFailure};

/// How often a watch may break off before something must be wrong.
const RESTARTS: usize = 20;
/// Between two attempts: an API server that answers and refuses is not to be hammered.
const PAUSE: Duration = Duration::from_millis(250);

/// What came from the API.
pub(super) enum Update {
    /// The watch began (anew): what was known of `0` may be gone.
    Begun(&'static str),
    /// One event, as JSON.
    Event(String),
}

/// A watch in the control plane. [`stop`](Self::stop) ends its process: dropping the
/// future only stops listening to it.
pub(super) struct Watch<'a> {
    context: &'a Context<'a>,
    node: &'a str,
    kind: &'static str,
    path: String,
    pid: Cell<Option<u32>>,
}

impl<'a> Watch<'a> {
    /// A watch of `path`, whose objects are of `kind`.
    pub(super) fn new(
        context: &'a Context<'a>,
        node: &'a str,
        kind: &'static str,
        path: &str,
    ) -> Self {
        // The server ends it in any case, so that no process is left if we are killed.
        let limit = context.timeouts.ready.as_secs();
        Self {
            context,
            node,
            kind,
            path: format!("{path}?watch=true&timeoutSeconds={limit}"),
            pid: Cell::new(None),
        }
    }

    /// Sends every change until dropped. Ends only by an error.
    pub(super) async fn follow(
        &self,
        updates: mpsc::UnboundedSender<Update>,
    ) -> Result<Infallible, StepError> {
        let mut last = String::new();
        for _ in 0..RESTARTS {
            // Nobody listens only when we are about to be dropped.
            let _ = updates.send(Update::Begun(self.kind));
            last = self.once(&updates).await;
            self.pid.set(None);
            tokio::time::sleep(PAUSE).await;
        }
        Err(StepError::Failed(Box::new(StepFailure {
            command: Some(format!("kcluster-node watch {}", self.path)),
            output: last.lines().map(str::to_owned).collect(),
            ..StepFailure::new(Step::Ready, Some(self.node), "broke off again and again")
        })))
    }

    /// One watch to its end; what comes back is what it complained of. The helper waits for
    /// the API server, so nothing is asked in vain.
    async fn once(&self, updates: &mpsc::UnboundedSender<Update>) -> String {
        let limit = format!("{}s", self.context.timeouts.ready.as_secs());
        let argv = ["kcluster-node", "watch", "--timeout", &limit, &self.path];
        let spec = ExecSpec::new(argv);
        let (sender, mut lines) = mpsc::unbounded_channel();
        let exec = self.context.engine.exec(self.node, spec, Some(sender));
        tokio::pin!(exec);
        let take = |line: OutputLine| match line.stream {
            Stream::Err => {}
            Stream::Out if self.pid.get().is_none() => {
                self.pid.set(line.text.trim().parse().ok());
            }
            Stream::Out => {
                let _ = updates.send(Update::Event(line.text));
            }
        };
        let ended = loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => take(line),
                ended = &mut exec => break ended,
            }
        };
        while let Ok(line) = lines.try_recv() {
            take(line);
        }
        match ended {
            Ok(output) => output.stderr,
            Err(error) => error.to_string(),
        }
    }

    /// The process to end, if there is one.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid.get()
    }
}

/// Ends the watches' processes.
pub(super) async fn stop(context: &Context<'_>, node: &str, watches: &[&Watch<'_>]) {
    let pids: Vec<String> = watches
        .iter()
        .filter_map(|watch| watch.pid())
        .map(|pid| pid.to_string())
        .collect();
    if !pids.is_empty() {
        let script = format!("kill {} 2>/dev/null; true", pids.join(" "));
        let spec = ExecSpec::new(["sh", "-c", &script]);
        if let Err(error) = context.engine.exec(node, spec, None).await {
            // They end by themselves at the limit they were given.
            tracing::debug!(node, %error, "could not end watches");
        }
    }
}
