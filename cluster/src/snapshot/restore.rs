//! A cluster from a snapshot.

use kcluster_matrix::{ClusterName, Sink};
use tokio_util::sync::CancellationToken;

use super::{Snapshot, SnapshotError, files};
use crate::down::remove;
use crate::engine::{Engine, EngineInfo};
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
    let reasons = reasons(engine, &info, &snapshot).await?;
    if !reasons.is_empty() {
        let name = name.clone();
        return Err(SnapshotError::Mismatch { name, reasons });
    }
    let mut nodes = Vec::new();
    for node in &snapshot.nodes {
        nodes.push((
            node.clone(),
            snapshot.volume(&node.name),
            files::archive(state, &snapshot, &node.name)?,
        ));
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

/// Why the snapshot does not fit what there is now.
async fn reasons(
    engine: &dyn Engine,
    info: &EngineInfo,
    snapshot: &Snapshot,
) -> Result<Vec<String>, SnapshotError> {
    let mut reasons = Vec::new();
    if info.endpoint != snapshot.engine {
        let (have, want) = (&info.endpoint, &snapshot.engine);
        reasons.push(format!("it is in the engine at {want}, not in {have}"));
        return Ok(reasons);
    }
    let image = &snapshot.spec.image;
    match engine.image(image).await? {
        None => reasons.push(format!("the engine has its image `{image}` no more")),
        Some(now) if now.id != snapshot.image => {
            reasons.push(format!("image `{image}` is another one now"));
        }
        Some(_) => {}
    }
    let own = labels::of_snapshot(&snapshot.spec.name, &snapshot.name);
    let volumes = engine.volumes(&own).await?;
    for node in &snapshot.nodes {
        let volume = snapshot.volume(&node.name);
        if !volumes.iter().any(|other| other.name == volume) {
            reasons.push(format!("the engine has its volume `{volume}` no more"));
        }
    }
    let mine = labels::of_cluster(&snapshot.spec.name);
    let others = engine.networks(&crate::engine::Labels::new()).await?;
    let clash = others.iter().find(|network| {
        let own = mine
            .iter()
            .all(|(key, value)| network.labels.get(key) == Some(value));
        let overlaps = |other: &ipnet::Ipv4Net| {
            other.contains(&snapshot.subnet) || snapshot.subnet.contains(other)
        };
        !own && network.subnets.iter().any(overlaps)
    });
    if let Some(network) = clash {
        reasons.push(format!(
            "its addresses {} are those of network `{}` by now",
            snapshot.subnet, network.name
        ));
    }
    Ok(reasons)
}
