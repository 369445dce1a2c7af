//! What is there already under the name of a cluster to be.

use std::collections::BTreeSet;
use std::time::Duration;

use kcluster_matrix::ClusterSpec;
use serde_json::Value;

use crate::engine::{Engine, EngineError, ExecSpec, Labels, NodeState};
use crate::error::Difference;
use crate::labels;
use crate::state::{ClusterDir, Phase, StateError, Status};
use crate::steps::var_volume;

/// What was found.
pub(crate) enum Existing {
    /// Nothing.
    Nothing,
    /// The very cluster, and it works.
    Healthy(Status),
    /// The very cluster, and these of its nodes do not run.
    Stopped(Status, BTreeSet<String>),
    /// It is frozen.
    Suspended,
    /// A cluster made from another specification.
    Different(Vec<Difference>),
    /// One that works, made with another state folder.
    Elsewhere,
    /// Something that is of no use, and why.
    Leftover(String),
}

/// Looks at the engine and at what is remembered.
pub(crate) async fn existing(
    engine: &dyn Engine,
    spec: &ClusterSpec,
    dir: &ClusterDir,
) -> Result<Existing, EngineError> {
    let own = labels::of_cluster(&spec.name);
    let nodes = engine.nodes(&own).await?;
    if nodes.is_empty()
        && engine.networks(&own).await?.is_empty()
        && engine.volumes(&own).await?.is_empty()
    {
        return Ok(Existing::Nothing);
    }
    if nodes.iter().any(|node| node.state == NodeState::Paused) {
        return Ok(Existing::Suspended);
    }
    let runs = nodes.iter().find(|node| node.state == NodeState::Running);
    if let (Ok(None), Some(node)) = (dir.status(), runs)
        && answers(engine, &node.name).await
    {
        return Ok(Existing::Elsewhere);
    }
    let (status, made_from) = match remembered(dir) {
        Ok(Some(both)) => both,
        Ok(None) => return Ok(Existing::Leftover("an earlier run did not end".into())),
        Err(error) => return Ok(Existing::Leftover(error.to_string())),
    };
    let differences = differences(&made_from, spec);
    if !differences.is_empty() {
        return Ok(Existing::Different(differences));
    }
    let mut stopped = BTreeSet::new();
    for planned in &status.nodes {
        match nodes.iter().find(|node| node.name == planned.name) {
            Some(node) if node.state == NodeState::Running => {}
            Some(_) => drop(stopped.insert(planned.name.clone())),
            None => {
                let reason = format!("node {} is gone", planned.name);
                return Ok(Existing::Leftover(reason));
            }
        }
    }
    if !stopped.is_empty() {
        return Ok(match missing(engine, &own, &status).await? {
            Some(what) => Existing::Leftover(format!("{what} is gone")),
            None => Existing::Stopped(status, stopped),
        });
    }
    if let Some(control_plane) = status.nodes.first()
        && answers(engine, &control_plane.name).await
    {
        return Ok(Existing::Healthy(status));
    }
    Ok(Existing::Leftover("its API server does not answer".into()))
}

/// What of a cluster's network and volumes is no longer there.
async fn missing(
    engine: &dyn Engine,
    own: &Labels,
    status: &Status,
) -> Result<Option<String>, EngineError> {
    if engine.networks(own).await?.is_empty() {
        return Ok(Some("its network".to_owned()));
    }
    let volumes = engine.volumes(own).await?;
    let mut wanted = status.nodes.iter().map(|node| var_volume(&node.name));
    let gone = wanted.find(|name| !volumes.iter().any(|volume| volume.name == *name));
    Ok(gone.map(|name| format!("volume {name}")))
}

/// What a run that ended well left behind.
fn remembered(dir: &ClusterDir) -> Result<Option<(Status, ClusterSpec)>, StateError> {
    // One that was about to be suspended when the process ended is whole.
    let status = dir
        .status()?
        .filter(|status| status.phase != Phase::Starting);
    Ok(status.zip(dir.spec()?))
}

/// Whether the API server that `node` knows of answers.
async fn answers(engine: &dyn Engine, node: &str) -> bool {
    let spec = ExecSpec::new(["kcluster-node", "wait", "apiserver", "--timeout", "10s"]);
    let asked = engine.exec(node, spec, None);
    matches!(
        tokio::time::timeout(Duration::from_secs(15), asked).await,
        Ok(Ok(output)) if output.code == 0
    )
}

/// Settings in which two specifications differ; whether to keep what failed is none.
pub(crate) fn differences(have: &ClusterSpec, want: &ClusterSpec) -> Vec<Difference> {
    let mut found = Vec::new();
    if let (Ok(have), Ok(want)) = (serde_json::to_value(have), serde_json::to_value(want)) {
        compare("", &have, &want, &mut found);
    }
    found.retain(|difference| difference.key != "retain");
    found
}

fn compare(key: &str, have: &Value, want: &Value, found: &mut Vec<Difference>) {
    match (have, want) {
        (Value::Object(have), Value::Object(want)) => {
            let none = Value::Null;
            let keys = have
                .keys()
                .chain(want.keys().filter(|key| !have.contains_key(*key)));
            for name in keys {
                let key = match key {
                    "" => name.clone(),
                    outer => format!("{outer}.{name}"),
                };
                let (have, want) = (have.get(name), want.get(name));
                compare(&key, have.unwrap_or(&none), want.unwrap_or(&none), found);
            }
        }
        (have, want) if have != want => found.push(Difference {
            key: key.to_owned(),
            have: plain(have),
            want: plain(want),
        }),
        _ => {}
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "unset".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::spec;

    #[test]
    fn only_what_differs_is_named() {
        let have = spec("a", 1);
        let mut want = have.clone();
        want.retain = true;
        assert_eq!(differences(&have, &want), []);
        want.workers = 2;
        want.cell.kubernetes = "1.37.1".parse().unwrap();
        want.feature_gates.insert("New".into(), true);
        let mut texts: Vec<String> = differences(&have, &want)
            .iter()
            .map(Difference::to_string)
            .collect();
        texts.sort();
        assert_eq!(
            texts,
            [
                "cell.kubernetes is v1.36.3, not v1.37.1",
                "feature_gates.New is unset, not true",
                "workers is 1, not 2",
            ]
        );
    }
}
