//! Running commands, each shown before it runs and timed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo, as it was called.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// kcluster as built from this tree; [`build`] it first.
pub(crate) fn kcluster<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(root()).args(args);
    // A demo leaves nothing behind, and a bench measures boots that are boots.
    command.env("KCLUSTER_AUTO_SNAPSHOT", "false");
    command
}

/// Where [`build`] puts the binary.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), PathBuf::from)
        .join("debug/cargo-kcluster")
}

/// Builds kcluster.
pub(crate) fn build() -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--locked", "--package", "cargo-kcluster"]);
    check(&mut command).map(drop)
}

/// Runs a command to its end and returns its exit code and duration.
pub(crate) fn status(command: &mut Command) -> Result<(i32, Duration)> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("failed to start `{shown}`"))?;
    Ok((status.code().unwrap_or(-1), start.elapsed()))
}

/// Runs a command that has to succeed.
pub(crate) fn check(command: &mut Command) -> Result<Duration> {
    let (code, took) = status(command)?;
    if code != 0 {
        bail!("`{}` ended with exit code {code}", show(command));
    }
    Ok(took)
}

fn show(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
