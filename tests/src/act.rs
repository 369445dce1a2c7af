//! Workflows run by act on this machine, not in containers; every action of the marketplace is a stand-in
//! (`tests/actions`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::process::run;

/// What stands in for what.
const STAND_INS: [&str; 3] = ["cache", "upload-artifact", "download-artifact"];

/// A run of a workflow, to be started.
#[derive(Debug)]
pub struct Workflow<'a> {
    /// act itself.
    pub program: &'a Path,
    /// What happened, such as `pull_request`.
    pub event: &'a str,
    /// Name of the file below `.github/workflows`.
    pub file: &'a str,
    /// Repository that it runs in.
    pub repository: &'a Path,
    /// What a person who starts it by hand gives.
    pub inputs: &'a [(&'a str, &'a str)],
    /// Variables of all jobs.
    pub environment: &'a [(&'a str, &'a str)],
    /// The token that jobs get, if they are to get one.
    pub token: Option<&'a str>,
}

/// How a workflow ended.
#[derive(Debug)]
pub struct WorkflowRun {
    /// act's exit code.
    pub code: i32,
    /// All that was printed.
    pub said: String,
    /// A folder for each artifact.
    pub artifacts: TempDir,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A repository with what this one holds, and `origin` as its remote.
///
/// # Errors
/// When git fails.
pub fn checkout(origin: &str, changed: &[(&str, &str)]) -> Result<TempDir> {
    let folder = TempDir::with_prefix("kcluster-action-")?;
    let path = folder.path();
    let files = run(Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root()))?;
    for file in files.lines() {
        let (from, to) = (root().join(file), path.join(file));
        fs_err::create_dir_all(to.parent().context("no folder")?)?;
        fs_err::copy(from, to)?;
    }
    for (file, content) in changed {
        fs_err::write(path.join(file), content)?;
    }
    let git = |args: &[&str]| run(Command::new("git").args(args).current_dir(path));
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["config", "user.name", "t"])?;
    git(&["config", "user.email", "t@localhost"])?;
    git(&["add", "."])?;
    git(&["commit", "--quiet", "--message", "t"])?;
    git(&["remote", "add", "origin", origin])?;
    Ok(folder)
}

impl Workflow<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When act cannot be started or an action has no stand-in.
    pub fn run(&self) -> Result<WorkflowRun> {
        let artifacts = TempDir::with_prefix("kcluster-artifacts-")?;
        let home = TempDir::with_prefix("kcluster-act-")?;
        let file = format!(".github/workflows/{}", self.file);
        let mut command = Command::new(self.program);
        command
            .args([self.event, "--workflows", &file])
            .args(["--platform", "ubuntu-latest=-self-hosted"])
            .args(["--platform", "ubuntu-24.04=-self-hosted"])
            // Two cores: a job at a time.
            .args(["--concurrent-jobs", "1"])
            .args(["--no-cache-server", "--pull=false"])
            .arg("--env")
            .arg(format!(
                "KCLUSTER_TEST_ARTIFACTS={}",
                artifacts.path().display()
            ))
            .env("XDG_CONFIG_HOME", home.path())
            .current_dir(self.repository);
        for (name, value) in self.inputs {
            command.args(["--input", &format!("{name}={value}")]);
        }
        for (name, value) in self.environment {
            command.args(["--env", &format!("{name}={value}")]);
        }
        if let Some(token) = self.token {
            // By its name alone: what stands in the arguments of a process everybody sees.
            command
                .args(["--secret", "GITHUB_TOKEN"])
                .env("GITHUB_TOKEN", token);
        }
        for (name, uses) in self.pinned()? {
            let stand_in = root().join("tests/actions").join(name);
            command.arg(format!("--local-repository={uses}={}", stand_in.display()));
        }
        let output = command.output().context("failed to start act")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        Ok(WorkflowRun {
            code: output.status.code().unwrap_or(-1),
            said,
            artifacts,
        })
    }

    /// Each `actions/NAME@COMMIT` that the workflow or the action uses and that has a stand-in.
    fn pinned(&self) -> Result<Vec<(&'static str, String)>> {
        let workflow = format!(".github/workflows/{}", self.file);
        let mut text = fs_err::read_to_string(root().join(workflow))?;
        text.push_str(&fs_err::read_to_string(root().join("action.yml"))?);
        let uses = |name: &str| {
            let begin = format!("actions/{name}@");
            let mut words = text.split_whitespace();
            words
                .find(|word| word.starts_with(&begin))
                .map(str::to_owned)
        };
        Ok(STAND_INS
            .into_iter()
            .filter_map(|name| Some((name, uses(name)?)))
            .collect())
    }
}
