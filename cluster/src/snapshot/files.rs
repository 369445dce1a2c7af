//! A snapshot's folder: what it is, and an archive of files for each node.

use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::ClusterName;

use super::Snapshot;
use crate::state::{StateDir, StateError};

const DESCRIPTION: &str = "snapshot.json";

pub(super) fn folder(state: &StateDir, cluster: &ClusterName, name: &ClusterName) -> PathBuf {
    state.snapshots(cluster).join(name.as_str())
}

/// Snapshots that have a folder.
pub(super) fn names(
    state: &StateDir,
    cluster: &ClusterName,
) -> Result<Vec<ClusterName>, StateError> {
    let entries = match fs::read_dir(state.snapshots(cluster)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(|name| name.parse().ok()));
    }
    Ok(names)
}

/// What a snapshot is; none if there is none, or it was never finished.
pub(super) fn read(
    state: &StateDir,
    cluster: &ClusterName,
    name: &ClusterName,
) -> Result<Option<Snapshot>, StateError> {
    let path = folder(state, cluster, name).join(DESCRIPTION);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|source| StateError::Malformed { path, source })
}

/// Writes the archives, and at last what the snapshot is: with that it exists.
pub(super) fn write(
    state: &StateDir,
    snapshot: &Snapshot,
    archives: &[(String, Vec<u8>)],
) -> Result<(), StateError> {
    let folder = folder(state, &snapshot.spec.name, &snapshot.name);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)?;
    for (node, archive) in archives {
        private(&folder, &format!("{node}.tar"), archive)?;
    }
    let text = serde_json::to_vec_pretty(snapshot).map_err(io::Error::from)?;
    private(&folder, DESCRIPTION, &text)
}

/// The archive of one node.
pub(super) fn archive(
    state: &StateDir,
    snapshot: &Snapshot,
    node: &str,
) -> Result<Vec<u8>, StateError> {
    let folder = folder(state, &snapshot.spec.name, &snapshot.name);
    Ok(fs::read(folder.join(format!("{node}.tar")))?)
}

/// All of it or nothing, and for its owner only: there are private keys in it.
fn private(folder: &Path, name: &str, content: &[u8]) -> Result<(), StateError> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(folder.join(name))
        .map_err(|error| error.error)?;
    Ok(())
}
