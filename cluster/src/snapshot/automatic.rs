//! Snapshots that nobody asked for: taken after a first boot, started from at the next.

use kcluster_matrix::{ClusterName, ClusterSpec, Sink};
use tokio_util::sync::CancellationToken;

use super::{Origin, Snapshot, SnapshotError, files, reasons, remove, restore, snapshots};
use crate::engine::Engine;
use crate::existing::{Existing, differences, existing};
use crate::state::StateDir;
use crate::up::{Cluster, UpError};

/// How many of a cluster are kept: one for each way it is made in, and not for ever.
const KEPT: usize = 3;

/// Starts the cluster of `spec` from a snapshot that fits it, if there is one and nothing of
/// the cluster exists. Those that a user imported come first; automatic ones count only if
/// `automatic`. Why one is not used is told to `sink`.
///
/// # Errors
/// When an imported snapshot fits and the cluster does not come up from it. An automatic one
/// from which it does not is removed.
pub async fn start(
    engine: &dyn Engine,
    spec: &ClusterSpec,
    state: &StateDir,
    automatic: bool,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Result<Option<Cluster>, SnapshotError> {
    let mut candidates = snapshots(state, &spec.name)?;
    candidates.retain(|one| match one.origin {
        Origin::Saved => false,
        Origin::Automatic => automatic,
        Origin::Imported => true,
    });
    if candidates.is_empty() {
        return Ok(None);
    }
    // Imported before automatic, then the newest.
    candidates.sort_by_key(|one| std::cmp::Reverse((one.origin == Origin::Imported, one.made)));
    if !matches!(
        existing(engine, spec, &state.cluster(&spec.name)).await?,
        Existing::Nothing
    ) {
        return Ok(None);
    }
    let mut refused = None;
    for one in &candidates {
        let reasons = unfit(engine, spec, one).await?;
        if !reasons.is_empty() {
            refused.get_or_insert((one, reasons));
            continue;
        }
        sink.note(&format_args!("starting from snapshot `{}`", one.name));
        return match restore(engine, &spec.name, &one.name, state, sink, cancel).await {
            Ok(cluster) => Ok(Some(cluster)),
            Err(error) if one.origin == Origin::Imported || is_cancelled(&error) => Err(error),
            Err(error) => {
                sink.warn(&format_args!(
                    "no cluster comes from snapshot `{}`, which is removed: {error}",
                    one.name
                ));
                remove(engine, state, &spec.name, &one.name).await?;
                Ok(None)
            }
        };
    }
    if let Some((one, reasons)) = refused {
        sink.note(&format_args!(
            "snapshot `{}` is not used: {}",
            one.name,
            reasons.join("; ")
        ));
    }
    Ok(None)
}

fn is_cancelled(error: &SnapshotError) -> bool {
    matches!(error, SnapshotError::Up(UpError::Cancelled { .. }))
}

/// Why the cluster of `spec` cannot come from the snapshot.
async fn unfit(
    engine: &dyn Engine,
    spec: &ClusterSpec,
    snapshot: &Snapshot,
) -> Result<Vec<String>, SnapshotError> {
    let differences = differences(&snapshot.spec, spec);
    if !differences.is_empty() {
        return Ok(differences.iter().map(ToString::to_string).collect());
    }
    let info = engine.info().await?;
    reasons::all(engine, &info, snapshot).await
}

/// Keeps a cluster that has just come up, to start from the next time. Of the automatic
/// ones, those that it replaces, that are of no use any more, and the oldest are removed.
///
/// # Errors
/// When it cannot be kept; the cluster goes on.
pub async fn keep(
    engine: &dyn Engine,
    cluster: &ClusterName,
    state: &StateDir,
    sink: &dyn Sink,
) -> Result<Snapshot, SnapshotError> {
    let taken = files::names(state, cluster)?;
    let name = (1..)
        .find_map(|number: u32| {
            let name: ClusterName = format!("auto-{number}").parse().ok()?;
            (!taken.contains(&name)).then_some(name)
        })
        .ok_or_else(|| SnapshotError::Unfit {
            cluster: cluster.clone(),
            reason: "there is no name left".to_owned(),
        })?;
    let snapshot =
        super::save::save_as(engine, cluster, &name, Origin::Automatic, state, sink).await?;
    let info = engine.info().await?;
    let mut others = snapshots(state, cluster)?;
    others.retain(|one| one.origin == Origin::Automatic && one.name != name);
    let mut room = KEPT - 1;
    for one in others.iter().rev() {
        let replaced = differences(&one.spec, &snapshot.spec).is_empty();
        let elsewhere = one.engine != info.endpoint;
        if !elsewhere
            && !replaced
            && room > 0
            && reasons::gone(engine, &info, one).await?.is_empty()
        {
            room -= 1;
        } else if !elsewhere {
            remove(engine, state, cluster, &one.name).await?;
        }
    }
    Ok(snapshot)
}
