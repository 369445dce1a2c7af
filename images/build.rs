//! Embeds the sources of the Go programs, so that an installed binary can build them anywhere.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let components = root.join("components");
    let mut files = Vec::new();
    collect(&components, &mut files)?;
    files.sort();

    let mut code = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&components).map_err(io::Error::other)?;
        let _ = writeln!(
            code,
            "    ({:?}, include_bytes!({file:?})),",
            name.display().to_string()
        );
    }
    code.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    fs::write(out.join("components.rs"), code)
}

/// Go sources and module files, without tests: those are of no use to a build, and
/// a changed test should not build anything anew.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    // Without this line cargo would not notice files that are added.
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if name != "testdata" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if name == "go.mod"
            || name == "go.sum"
            || (name.ends_with(".go") && !name.ends_with("_test.go"))
        {
            files.push(path);
        }
    }
    Ok(())
}
