//! Archives that go into and come out of the engine in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;

use crate::engine::{ImageInfo, Labels};

/// A path as archives hold it: without a root.
pub(super) fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

/// The files of an archive, by path.
pub(super) fn files(archive: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.insert(plain(&path).to_owned(), bytes);
    }
    Ok(files)
}

/// An archive of `files`, named as they are.
pub(super) fn of<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, bytes)?;
    }
    archive.into_inner()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    #[serde(default)]
    repo_tags: Vec<String>,
}

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    config: Inner,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Inner {
    #[serde(default)]
    labels: Option<Labels>,
}

/// The images that an archive in Docker's layout holds.
pub(super) fn images(archive: &[u8]) -> io::Result<Vec<ImageInfo>> {
    let files = files(archive)?;
    let file = |name: &str| {
        files
            .get(plain(name))
            .ok_or_else(|| io::Error::other(format!("the archive has no {name}")))
    };
    let manifests: Vec<Manifest> = serde_json::from_slice(file("manifest.json")?)?;
    manifests
        .into_iter()
        .map(|manifest| {
            let config: Config = serde_json::from_slice(file(&manifest.config)?)?;
            Ok(ImageInfo {
                id: format!("sha256:{}", manifest.config),
                references: manifest.repo_tags,
                labels: config.config.labels.unwrap_or_default(),
                size: archive.len() as u64,
                created: 0,
            })
        })
        .collect()
}
