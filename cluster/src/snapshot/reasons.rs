//! Why a snapshot does not fit what there is now.

use jiff::{SignedDuration, Timestamp};

use super::{Snapshot, SnapshotError};
use crate::engine::{Engine, EngineInfo, Labels};
use crate::labels;

/// kubeadm's certificates are good for a year; those in a snapshot should not end soon.
const OLDEST: SignedDuration = SignedDuration::from_hours(300 * 24);

/// All that keeps it from being restored; empty if nothing does.
pub(super) async fn all(
    engine: &dyn Engine,
    info: &EngineInfo,
    snapshot: &Snapshot,
) -> Result<Vec<String>, SnapshotError> {
    let mut reasons = gone(engine, info, snapshot).await?;
    if !reasons.is_empty() {
        return Ok(reasons);
    }
    if Timestamp::now().duration_since(snapshot.made) > OLDEST {
        reasons.push("its certificates end soon, or have ended".to_owned());
    }
    let mine = labels::of_cluster(&snapshot.spec.name);
    let others = engine.networks(&Labels::new()).await?;
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

/// What it is made of and the engine has no more.
pub(super) async fn gone(
    engine: &dyn Engine,
    info: &EngineInfo,
    snapshot: &Snapshot,
) -> Result<Vec<String>, SnapshotError> {
    if info.endpoint != snapshot.engine {
        let (have, want) = (&info.endpoint, &snapshot.engine);
        return Ok(vec![format!(
            "it is in the engine at {want}, not in {have}"
        )]);
    }
    let mut reasons = image(engine, snapshot).await?;
    let own = labels::of_snapshot(&snapshot.spec.name, &snapshot.name);
    let volumes = engine.volumes(&own).await?;
    for node in &snapshot.nodes {
        let volume = snapshot.volume(&node.name);
        if !volumes.iter().any(|other| other.name == volume) {
            reasons.push(format!("the engine has its volume `{volume}` no more"));
        }
    }
    Ok(reasons)
}

/// Whether the image is the one it was taken from: volumes link into it.
pub(super) async fn image(
    engine: &dyn Engine,
    snapshot: &Snapshot,
) -> Result<Vec<String>, SnapshotError> {
    let image = &snapshot.spec.image;
    Ok(match engine.image(image).await? {
        None => vec![format!(
            "the engine does not have its image `{image}`; `cargo kcluster images build` makes it"
        )],
        Some(now) if now.id != snapshot.image => {
            vec![format!("image `{image}` is another one now")]
        }
        Some(_) => Vec::new(),
    })
}
