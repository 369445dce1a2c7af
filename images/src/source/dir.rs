//! Kubernetes from a folder of binaries.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::Arch;

use super::Binaries;
use crate::error::{Error, Result};
use crate::go::Bundle;
use crate::recipe::Recipe;

fn places(folder: &Path, arch: Arch) -> [PathBuf; 3] {
    [
        folder.join("linux").join(arch.as_str()),
        folder.join(arch.as_str()),
        folder.to_owned(),
    ]
}

/// The binaries of those names, each checked to be for that architecture.
pub(super) fn find(folder: &Path, arch: Arch, names: &[&str]) -> Result<Binaries> {
    let mut binaries = Binaries {
        files: [].into(),
        _entries: Vec::new(),
    };
    for name in names {
        let found = places(folder, arch)
            .into_iter()
            .map(|place| place.join(name))
            .find(|path| path.is_file());
        let path = found.ok_or_else(|| Error::Missing {
            source_name: format!("the folder {}", folder.display()),
            what: format!("{name} for {arch}"),
            detail: format!("looked for linux/{arch}/{name}, {arch}/{name} and {name} in it"),
        })?;
        // By its own name: a program of many names goes by the one it is called.
        let path = std::path::absolute(path)?;
        check_machine(&path, arch)?;
        binaries.files.insert((*name).to_owned(), path);
    }
    Ok(binaries)
}

/// Reads the machine out of an ELF file's header.
fn check_machine(path: &Path, arch: Arch) -> Result<()> {
    use std::io::Read as _;
    let mut header = [0_u8; 20];
    let read = fs::File::open(path)?.read_exact(&mut header);
    if read.is_err() || &header[..4] != b"\x7fELF" {
        return Err(Error::malformed(
            path.display().to_string(),
            "it is not an ELF program",
        ));
    }
    let bytes = [header[18], header[19]];
    let machine = if header[5] == 2 {
        u16::from_be_bytes(bytes)
    } else {
        u16::from_le_bytes(bytes)
    };
    if machine != arch.elf_machine() {
        let is = Arch::ALL
            .into_iter()
            .find(|other| other.elf_machine() == machine);
        let is = is.map_or_else(|| format!("machine {machine}"), |other| other.to_string());
        return Err(Error::malformed(
            path.display().to_string(),
            format!("it is for {is}, but {arch} is wanted"),
        ));
    }
    Ok(())
}

/// Sizes and times stand for contents: reading a gigabyte on each run would cost more than they could mistake.
pub(super) fn identify(folder: &Path, mut recipe: Recipe) -> Result<Recipe> {
    recipe = recipe.with(
        "folder",
        fs::canonicalize(folder)?.as_os_str().as_encoded_bytes(),
    );
    for place in Arch::ALL.into_iter().flat_map(|arch| places(folder, arch)) {
        for name in Bundle::All.names().iter().chain(&["e2e.test"]) {
            if let Ok(metadata) = std::fs::metadata(place.join(name)) {
                let stamp = format!(
                    "{} {}.{}",
                    metadata.len(),
                    metadata.mtime(),
                    metadata.mtime_nsec()
                );
                recipe = recipe.with(&place.join(name).to_string_lossy(), stamp);
            }
        }
    }
    Ok(recipe)
}
