//! What a long suite leaves behind: its reports, and what its record in `docs/suites.md` says.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Adds to what the record of the running suite says beside its verdict; without a suite the text is only printed.
///
/// # Errors
/// When the file that `cargo xtask test NAME` named cannot be written.
pub fn note(text: &str) -> Result<()> {
    eprintln!("{text}");
    let Some(file) = std::env::var_os("KCLUSTER_SUITE_NOTE") else {
        return Ok(());
    };
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(PathBuf::from(file))?;
    writeln!(file, "{text}").context("failed to write the note")
}

/// An empty folder for reports that outlive the test, `target/suites/NAME`.
///
/// # Errors
/// When it cannot be made.
pub fn folder(name: &str) -> Result<PathBuf> {
    let folder = target("suites")?.join(name);
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&folder)?;
    Ok(folder)
}

/// Puts a suite's JUnit beside its record, `docs/junit/NAME.xml`, whatever its verdict.
///
/// # Errors
/// When there is none, or it cannot be copied.
pub fn keep_junit(name: &str, junit: &Path) -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/junit");
    fs_err::create_dir_all(&docs)?;
    fs_err::copy(junit, docs.join(format!("{name}.xml")))?;
    Ok(())
}

/// Where programs that suites fetch are kept for the next run, `target/tools`.
///
/// # Errors
/// When it cannot be made.
pub fn tools() -> Result<PathBuf> {
    target("tools")
}

fn target(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target")
        .join(name);
    fs_err::create_dir_all(&folder)?;
    Ok(folder.canonicalize()?)
}
