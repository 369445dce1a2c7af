//! A cluster from a snapshot.

use kcluster_matrix::{ClusterName, Sink};
use tokio_util::sync::CancellationToken;

use super::{Origin, SnapshotError, files, reasons};
use crate::archive;
use crate::down::remove;
use crate::engine::Engine;
use crate::kubeadm;
use crate::labels;
use crate::reach;
use crate::state::{Phase, StateDir, Status};
use crate::steps::{self, Context, Machine, Restore};
use crate::timeouts::Timeouts;
use crate::up::{Cluster, UpError, cluster, undo};

/// Makes the cluster as it was when snapshot `name` was taken. What there is of the cluster
/// now is removed first, once it is known that the snapshot fits.
///
/// # Errors
/// When there is no such snapshot, it does not fit, or the cluster does not come up.
pub async fn restore(
    engine: &dyn Engine,
    of: &ClusterName,
    name: &ClusterName,
    state: &StateDir,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Cluster, SnapshotError> {
    let Some(snapshot) = files::read(state, of, name)? else {
        let (cluster, name) = (of.clone(), name.clone());
        return Err(SnapshotError::Missing { cluster, name });
    };
    let dir = state.cluster(of);
    let _lock = dir.lock()?;
    let info = engine.info().await?;
    let reasons = reasons::all(engine, &info, &snapshot).await?;
    if !reasons.is_empty() {
        let name = name.clone();
        return Err(SnapshotError::Mismatch { name, reasons });
    }
    let foreign = snapshot.origin == Origin::Imported;
    let mut authority = None;
    let mut nodes = Vec::new();
    for node in &snapshot.nodes {
        let archive = files::archive(state, &snapshot, &node.name)?;
        if foreign && authority.is_none() {
            authority = archive::file(&archive, kubeadm::CA_CERTIFICATE)?;
        }
        nodes.push((node.clone(), snapshot.volume(&node.name), archive));
    }
    let spec = &snapshot.spec;
    remove(engine, &labels::of_cluster(of), sink).await?;
    reach::close(&dir).await?;
    let begun = Status {
        phase: Phase::Starting,
        session: labels::session().to_owned(),
        engine: info.endpoint.clone(),
        subnet: Some(snapshot.subnet),
        nodes: snapshot.nodes.clone(),
        server: None,
    };
    dir.write_spec(spec)?;
    dir.write_status(&begun)?;
    let context = Context {
        engine,
        reach: info.api_host(),
        spec,
        dir: &dir,
        sink,
        cancel,
        timeouts: Timeouts::of(spec.cell.emulation),
        machine: Machine::of(&info),
    };
    let work = Restore {
        subnet: snapshot.subnet,
        nodes,
        stale: snapshot.stale.clone(),
        authority,
    };
    let server = match steps::restore(&context, work).await {
        Ok(server) => server,
        Err(error) => return Err(undo(&context, error).await.into()),
    };
    let status = Status {
        phase: Phase::Ready,
        server: Some(server),
        ..begun
    };
    dir.write_status(&status).map_err(UpError::from)?;
    Ok(cluster(&dir, spec, status, false))
}
