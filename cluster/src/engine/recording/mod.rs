//! An engine in memory: it keeps what is made, answers commands from a script, fails where
//! told to, and writes down every call. The whole pipeline runs on it without an engine.
//!
//! What it refuses (names in use, overlapping subnets, absent images, taken ports), a real
//! engine refuses too, with the same errors.

mod archive;
mod engine;
mod state;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kcluster_matrix::Arch;

use super::{EngineError, EngineInfo, ExecOutput, ExecSpec, ImageInfo, Labels, Privilege};
use state::{Failure, State};

/// How a scripted command goes.
#[derive(Debug)]
pub enum Answer {
    /// It prints this and ends.
    Output(ExecOutput),
    /// The engine breaks it off.
    Fail(EngineError),
    /// It never ends.
    Hang,
}

type Script = Box<dyn Fn(&str, &ExecSpec) -> Option<Answer> + Send + Sync>;

/// An engine in memory; see the [module](self).
pub struct Recorder {
    info: EngineInfo,
    privilege: Privilege,
    shares_files: bool,
    scripts: Mutex<Vec<Script>>,
    state: Mutex<State>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// An empty engine on which every command prints nothing and succeeds.
    #[must_use]
    pub fn new() -> Self {
        Self {
            info: EngineInfo {
                endpoint: "unix:///recording.sock".into(),
                version: "28.1.1".into(),
                arch: Some(Arch::Amd64),
                cgroup_version: 2,
                storage: "overlay2".into(),
                data_root: "/var/lib/docker".into(),
                cpus: 2,
                memory: 8 << 30,
                local: true,
            },
            privilege: Privilege::Privileged,
            shares_files: true,
            scripts: Mutex::default(),
            state: Mutex::default(),
        }
    }

    /// It says it is this.
    #[must_use]
    pub fn with_info(mut self, info: EngineInfo) -> Self {
        self.shares_files = info.local;
        self.info = info;
        self
    }

    /// It lets nodes do this much.
    #[must_use]
    pub fn with_privilege(mut self, privilege: Privilege) -> Self {
        self.privilege = privilege;
        self
    }

    /// It has this image.
    #[must_use]
    pub fn with_image(self, reference: &str, labels: &Labels) -> Self {
        self.state().images.push(ImageInfo {
            id: format!("sha256:{reference}"),
            references: vec![reference.to_owned()],
            labels: labels.clone(),
            size: 1 << 20,
            created: 0,
        });
        self
    }

    /// Commands that begin with `argv` go like `output`. What is scripted later wins.
    pub fn on_exec(&self, argv: &[&str], output: ExecOutput) {
        let begins: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        self.script(move |_, spec| {
            spec.argv
                .starts_with(&begins)
                .then(|| Answer::Output(output.clone()))
        });
    }

    /// Commands for which `script` has an answer go like that; it is given the node's name.
    pub fn script(
        &self,
        script: impl Fn(&str, &ExecSpec) -> Option<Answer> + Send + Sync + 'static,
    ) {
        lock(&self.scripts).push(Box::new(script));
    }

    /// The next call whose line begins with the words of `call` fails with `error`.
    pub fn fail_on(&self, call: &str, error: EngineError) {
        self.state().failures.push(Failure {
            call: call.to_owned(),
            error: Box::new(once(error)),
        });
    }

    /// Every call whose line begins with the words of `call` fails.
    pub fn fail_always(&self, call: &str, error: impl Fn() -> EngineError + Send + Sync + 'static) {
        self.state().failures.push(Failure {
            call: call.to_owned(),
            error: Box::new(move || Some(error())),
        });
    }

    /// All calls so far, each a line such as `start_node a-worker-1`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Paths of all files copied into a node, also when it is gone.
    #[must_use]
    pub fn files(&self, node: &str) -> Vec<String> {
        let state = self.state();
        let files = state.files.get(node);
        files
            .map(|files| files.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// A file copied into a node.
    #[must_use]
    pub fn file(&self, node: &str, path: &str) -> Option<Vec<u8>> {
        self.state()
            .files
            .get(node)?
            .get(archive::plain(path))
            .cloned()
    }

    /// A node that runs ends, as if it had been killed.
    pub fn kill_node(&self, node: &str) {
        if let Some(node) = self.state().nodes.get_mut(node) {
            node.state = super::NodeState::Exited;
        }
    }

    /// Everything that would be left behind, as `network x`, `volume y`, `node z`.
    #[must_use]
    pub fn leftovers(&self) -> BTreeSet<String> {
        let state = self.state();
        let networks = state.networks.keys().map(|name| format!("network {name}"));
        let volumes = state.volumes.keys().map(|name| format!("volume {name}"));
        let nodes = state.nodes.keys().map(|name| format!("node {name}"));
        networks.chain(volumes).chain(nodes).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Writes a call down, and fails it if it is to fail.
    fn called(&self, line: String) -> Result<(), EngineError> {
        self.state().called(line)
    }

    /// How a command goes.
    fn answer(&self, node: &str, spec: &ExecSpec) -> Answer {
        lock(&self.scripts)
            .iter()
            .rev()
            .find_map(|script| script(node, spec))
            .unwrap_or(Answer::Output(ExecOutput::default()))
    }
}

fn once(error: EngineError) -> impl Fn() -> Option<EngineError> + Send + Sync {
    let error = Mutex::new(Some(error));
    move || lock(&error).take()
}

/// A test that panicked while it held the lock has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
