//! The built binary with a state folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::docker;

/// A kcluster whose state is its own, so that tests neither see nor disturb others'
/// clusters. The build cache is shared: builds are by content.
#[derive(Debug)]
pub struct Kcluster {
    state: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Output {
    /// The output, if the exit code is the one expected.
    ///
    /// # Errors
    /// With all that was printed, when it is another.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        if self.code != code {
            bail!(
                "exit code {} instead of {code}\n--- stdout\n{}\n--- stderr\n{}",
                self.code,
                self.stdout,
                self.stderr
            );
        }
        Ok(self)
    }
}

impl Kcluster {
    /// A kcluster with an empty state folder.
    ///
    /// # Errors
    /// When no temporary folder can be made.
    pub fn new() -> Result<Self> {
        Ok(Self {
            state: TempDir::with_prefix("kcluster-state-")?,
        })
    }

    /// The binary that is tested.
    #[must_use]
    pub fn binary() -> PathBuf {
        if let Some(path) = std::env::var_os("KCLUSTER_BIN") {
            return path.into();
        }
        // This test stands in <target>/<profile>/deps.
        let test = std::env::current_exe().unwrap_or_default();
        let profile = test
            .parent()
            .and_then(Path::parent)
            .unwrap_or(Path::new("."));
        profile.join("cargo-kcluster")
    }

    /// The state folder.
    #[must_use]
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// A command of kcluster's, not started.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Self::binary());
        command
            .args(args)
            .env("KCLUSTER_STATE_DIR", self.state.path())
            .env("KCLUSTER_EGRESS", "closed")
            .env("CI", "true")
            .current_dir(self.state.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        let start = Instant::now();
        let output = self
            .command(args)
            .output()
            .with_context(|| format!("failed to start {}", Self::binary().display()))?;
        Ok(Output {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: start.elapsed(),
        })
    }

    /// Starts a command with its output in a file of the state folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, args: &[&str]) -> Result<Child> {
        let log = fs_err::File::create(self.state.path().join("spawned.log"))?
            .into_parts()
            .0;
        Ok(self
            .command(args)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?)
    }
}

impl Drop for Kcluster {
    /// Removes what a failed test left of the clusters in this state folder.
    fn drop(&mut self) {
        let Ok(clusters) = fs_err::read_dir(self.state.path().join("clusters")) else {
            return;
        };
        for cluster in clusters.flatten() {
            let name = cluster.file_name();
            let _ = self.run(&["down", "--name", &name.to_string_lossy()]);
        }
        let _ = docker(&["version"]);
    }
}
