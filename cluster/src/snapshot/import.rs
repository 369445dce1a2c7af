//! A snapshot that comes from a file, with new credentials.

use std::path::Path;

use jiff::Timestamp;
use kcluster_matrix::{ClusterName, Role};

use super::bundle::{self, Head};
use super::export::volumes;
use super::{Origin, Snapshot, SnapshotError, files, reasons, remove};
use crate::archive;
use crate::credentials::Credentials;
use crate::engine::{ApiReach, Engine};
use crate::kubeadm;
use crate::labels;
use crate::mirrors;
use crate::state::StateDir;

/// Takes the snapshot in the file at `path` into the engine, under the name it had or `name`.
///
/// Its certificates, keys and kubeconfigs are made anew, so that nobody who knew the cluster
/// before is known to it.
///
/// # Errors
/// When the file is no snapshot, it does not fit the engine, or the name is taken; then
/// nothing is kept.
pub async fn import(
    engine: &dyn Engine,
    state: &StateDir,
    path: &Path,
    name: Option<&ClusterName>,
) -> Result<Snapshot, SnapshotError> {
    let failed = |error: std::io::Error| SnapshotError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Beside the file if that may be, as there is room for it.
    let packed = tempfile::tempfile_in(folder).or_else(|_| tempfile::tempfile());
    let mut packed = packed.map_err(failed)?;
    let source = path.to_owned();
    let read = move || bundle::read(&source, &mut packed).map(|head| (head, packed));
    let (head, packed) = tokio::task::spawn_blocking(read)
        .await
        .map_err(|error| failed(std::io::Error::other(error)))?
        .map_err(failed)?;
    let Head {
        mut snapshot,
        archives,
    } = head;
    if let Some(name) = name {
        snapshot.name = name.clone();
    }
    let cluster = snapshot.spec.name.clone();
    if files::read(state, &cluster, &snapshot.name)?.is_some() {
        let name = snapshot.name;
        return Err(SnapshotError::Exists { cluster, name });
    }
    let control_planes = snapshot.nodes.iter();
    if control_planes
        .filter(|node| node.role == Role::ControlPlane)
        .count()
        > 1
    {
        // Their shared keys, and the load balancer that kubeconfigs name, are not made anew yet.
        let reason = "a cluster of several control planes cannot be imported yet".to_owned();
        return Err(SnapshotError::Unfit { cluster, reason });
    }
    let info = engine.info().await?;
    let reasons = reasons::image(engine, &snapshot).await?;
    if !reasons.is_empty() {
        let name = snapshot.name;
        return Err(SnapshotError::Mismatch { name, reasons });
    }
    snapshot.engine.clone_from(&info.endpoint);
    snapshot.origin = Origin::Imported;
    snapshot.made = Timestamp::now();
    let reach = info.api_host();
    let host = match &reach {
        ApiReach::Host(host) => Some(host.as_str()),
        ApiReach::Local | ApiReach::Tunnel(_) => None,
    };
    let archives = renewed(&snapshot, &archives, host).map_err(failed)?;
    // What a run that was killed left of it.
    remove(engine, state, &cluster, &snapshot.name).await?;
    let own = labels::for_snapshot(&cluster, &snapshot.name);
    let fill = async {
        for node in &snapshot.nodes {
            engine
                .create_volume(&snapshot.volume(&node.name), &own)
                .await?;
        }
        let archive = Box::new(tokio::fs::File::from_std(packed));
        let image = &snapshot.spec.image;
        engine
            .unpack_volumes(image, &volumes(&snapshot), archive, &own)
            .await?;
        files::write(state, &snapshot, &archives)?;
        Ok(())
    };
    let filled: Result<(), SnapshotError> = fill.await;
    if let Err(error) = filled {
        // What matters is why it could not be taken; `snapshot remove` finds the rest by label.
        let _ = remove(engine, state, &cluster, &snapshot.name).await;
        return Err(error);
    }
    Ok(snapshot)
}

/// The files of each node with new credentials.
fn renewed(
    snapshot: &Snapshot,
    archives: &[(String, Vec<u8>)],
    host: Option<&str>,
) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let Snapshot { spec, nodes, .. } = snapshot;
    if nodes
        .first()
        .is_none_or(|node| node.role != Role::ControlPlane)
    {
        let reason = "its first node is no control plane";
        return Err(std::io::Error::other(reason));
    }
    let credentials = Credentials::new().map_err(std::io::Error::other)?;
    let names = kubeadm::names(spec, host);
    nodes
        .iter()
        .map(|node| {
            let (_, files) = archives
                .iter()
                .find(|(name, _)| *name == node.name)
                .ok_or_else(|| {
                    std::io::Error::other(format!("there is no node {} in it", node.name))
                })?;
            let mut new = credentials
                .files(spec, nodes, node, &names)
                .map_err(std::io::Error::other)?;
            if node.is_member() {
                new.extend(mirrors::files(spec, snapshot.subnet));
            }
            Ok((node.name.clone(), archive::extended(files, &new)?))
        })
        .collect()
}
