//! A snapshot that leaves the machine, as a file for a cache.

use std::path::Path;

use kcluster_matrix::ClusterName;
use tempfile::NamedTempFile;

use super::bundle::{self, Head};
use super::{Snapshot, SnapshotError, files};
use crate::archive;
use crate::engine::Engine;
use crate::labels;
use crate::mirrors;
use crate::state::{StateDir, StateError};

/// What of a node's `/var` stays here: keys of its kubelet, and credentials.
const OWN: [&str; 2] = ["./*/lib/kubelet/pki", mirrors::PACKED_LOGINS];

/// Writes a snapshot to `path`, whole or not at all; what comes back is its size. No key or
/// certificate of the cluster is in it: importing makes new ones.
///
/// # Errors
/// When there is no such snapshot, its volumes are gone, or the file cannot be written.
pub async fn export(
    engine: &dyn Engine,
    cluster: &ClusterName,
    name: &ClusterName,
    state: &StateDir,
    path: &Path,
) -> Result<u64, SnapshotError> {
    let Some(snapshot) = files::read(state, cluster, name)? else {
        let (cluster, name) = (cluster.clone(), name.clone());
        return Err(SnapshotError::Missing { cluster, name });
    };
    let info = engine.info().await?;
    let reasons = super::reasons::gone(engine, &info, &snapshot).await?;
    if !reasons.is_empty() {
        let name = name.clone();
        return Err(SnapshotError::Mismatch { name, reasons });
    }
    let failed = |error: std::io::Error| SnapshotError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut archives = Vec::new();
    for node in &snapshot.nodes {
        let all = files::archive(state, &snapshot, &node.name)?;
        let kept = archive::filtered(&all, |path| !is_secret(path)).map_err(failed)?;
        archives.push((node.name.clone(), kept));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let part = NamedTempFile::new_in(folder).map_err(failed)?;
    let packed = tempfile::tempfile_in(folder).map_err(failed)?;
    let copy = packed.try_clone().map_err(failed)?;
    let own = labels::for_snapshot(cluster, name);
    let mut to = tokio::fs::File::from_std(copy);
    engine
        .pack_volumes(
            &snapshot.spec.image,
            &volumes(&snapshot),
            &OWN.map(str::to_owned),
            &own,
            &mut to,
        )
        .await?;
    tokio::io::AsyncWriteExt::flush(&mut to)
        .await
        .map_err(failed)?;
    let head = Head { snapshot, archives };
    let target = path.to_owned();
    let write = move || {
        let file = part.reopen()?;
        bundle::write(file, head, packed)?;
        let file = part.persist(&target).map_err(|error| error.error)?;
        Ok(file.metadata()?.len())
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(|error| failed(std::io::Error::other(error)))?
        .map_err(failed)
}

/// The volumes of a snapshot, and the folder that each has in an archive.
pub(super) fn volumes(snapshot: &Snapshot) -> Vec<(String, String)> {
    snapshot
        .nodes
        .iter()
        .map(|node| (snapshot.volume(&node.name), node.name.clone()))
        .collect()
}

/// Whether a file of a node proves who somebody is.
fn is_secret(path: &Path) -> bool {
    // Mirrors are this machine's own, and may have credentials with them.
    if path.starts_with(mirrors::MIRRORS.trim_start_matches('/')) {
        return true;
    }
    path.strip_prefix("etc/kubernetes").is_ok_and(|below| {
        below.starts_with("pki") || below.extension().is_some_and(|it| it == "conf")
    })
}

impl From<std::io::Error> for SnapshotError {
    fn from(error: std::io::Error) -> Self {
        StateError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_at_home() {
        for secret in ["pki/ca.key", "pki", "admin.conf", "kubelet.conf"] {
            assert!(
                is_secret(&Path::new("etc/kubernetes").join(secret)),
                "{secret}"
            );
        }
        let mirrors = "etc/containerd/certs.d/r.invalid/hosts.toml";
        assert!(is_secret(Path::new(mirrors)));
        for plain in ["etc/kubernetes/manifests/etcd.yaml", "kcluster/node.json"] {
            assert!(!is_secret(Path::new(plain)), "{plain}");
        }
    }
}
