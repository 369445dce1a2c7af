//! The engine that the settings mean.

use std::sync::Arc;

use kcluster_cluster::engine::{Endpoint, Engine, EngineInfo, connect};
use kcluster_matrix::{EventKind, Outcome, Sink, Step};

use crate::config::Settings;
use crate::doctor::EngineFacts;
use crate::output::Hub;

/// Where the engine is.
pub(crate) fn endpoint(settings: &Settings) -> anyhow::Result<Endpoint> {
    Ok(Endpoint::from_env_or(
        settings.engine.given().map(String::as_str),
    )?)
}

/// A connection to the engine.
pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Arc<dyn Engine>> {
    Ok(connect(&endpoint(settings)?).await?)
}

/// A connection to the engine and what it says of itself, as a step of a boot.
pub(crate) async fn probe(
    settings: &Settings,
    hub: &Hub,
) -> anyhow::Result<(Arc<dyn Engine>, EngineInfo)> {
    step(hub, Step::ProbeEngine, async {
        let engine = open(settings).await?;
        let info = engine.info().await?;
        Ok((engine, info))
    })
    .await
}

/// Runs `work` as a step: begun, timed and judged.
pub(crate) async fn step<T>(
    hub: &Hub,
    step: Step,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    hub.emit(EventKind::StepStarted { step, node: None });
    let started = std::time::Instant::now();
    let result = work.await;
    let outcome = match &result {
        Ok(_) => Outcome::Passed,
        Err(error) => Outcome::Errored {
            message: format!("{error:#}"),
        },
    };
    hub.emit(EventKind::StepFinished {
        step,
        node: None,
        took: started.elapsed(),
        outcome,
    });
    result
}

/// What the doctor wants to know of the engine.
pub(crate) async fn facts(endpoint: &Endpoint) -> Result<EngineFacts, String> {
    let ask = async { connect(endpoint).await?.info().await };
    let info = ask.await.map_err(|error| error.to_string())?;
    Ok(EngineFacts {
        endpoint: info.endpoint,
        version: info.version,
        storage: info.storage,
        cgroup_version: info.cgroup_version,
        data_root: info.local.then(|| info.data_root.into()),
    })
}
