//! The engines that carry cells, and what their machines have.

use std::sync::Arc;
use std::time::Duration;

use kcluster_cluster::engine::{Endpoint, Engine, EngineInfo, connect};
use kcluster_e2e::capacity;
use kcluster_matrix::Sink;
use kcluster_matrix::plan::{Carrier, Demand};

use crate::context::Context;
use crate::engine;
use crate::error::Told;

/// An engine that answers.
#[derive(Clone)]
pub(crate) struct Station {
    pub(crate) endpoint: String,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) info: EngineInfo,
}

/// How long an engine may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How often one is asked whether it is there.
const EVERY: Duration = Duration::from_secs(2);

/// Questions without answer after which it is lost.
const PATIENCE: u8 = 3;

/// All engines of the settings that answer.
///
/// # Errors
/// When none does, or an endpoint is malformed.
pub(crate) async fn stations(context: &Context) -> anyhow::Result<Vec<Station>> {
    let settings = &context.settings;
    let endpoints: Vec<Endpoint> = match &settings.engines.0[..] {
        [] => vec![engine::endpoint(settings)?],
        many => many
            .iter()
            .map(|text| Endpoint::from_env_or(Some(text)))
            .collect::<Result<_, _>>()?,
    };
    let asked = endpoints.iter().map(|endpoint| async move {
        let engine = connect(endpoint).await?;
        let info = engine.info().await?;
        let endpoint = endpoint.to_string();
        anyhow::Ok(Station {
            endpoint,
            engine,
            info,
        })
    });
    let mut found = Vec::new();
    let mut last = None;
    for (endpoint, answer) in endpoints
        .iter()
        .zip(futures_util::future::join_all(asked).await)
    {
        match answer {
            Ok(station) => found.push(station),
            Err(error) => {
                context
                    .hub
                    .warn(&format_args!("engine {endpoint} is left out: {error:#}"));
                last = Some(error);
            }
        }
    }
    match (found.is_empty(), last) {
        (true, Some(error)) => Err(error),
        (true, None) => Err(Told::input("there is no engine to run cells on").into()),
        (false, _) => Ok(found),
    }
}

impl Station {
    /// What its machine has for cells. Engines of this machine share it.
    pub(crate) fn carrier(&self) -> Carrier {
        let info = &self.info;
        let (cores, memory) = self.machine();
        let disk = info
            .local
            .then(|| rustix::fs::statvfs(info.data_root.as_str()).ok())
            .flatten()
            .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
        let machine = if info.local {
            "this machine".to_owned()
        } else {
            self.endpoint.clone()
        };
        Carrier {
            machine,
            capacity: Demand {
                millicores: u64::try_from(cores).unwrap_or(1) * 1000,
                // What is free changes while cells run; some stays for the machine itself.
                memory: memory.saturating_sub(RESERVED),
                disk: disk.map_or(u64::MAX, |free| free.saturating_sub(RESERVED)),
            },
        }
    }

    /// Cores and bytes of memory.
    pub(crate) fn machine(&self) -> (usize, u64) {
        if self.info.local {
            capacity::here()
        } else {
            (
                usize::try_from(self.info.cpus).unwrap_or(1),
                self.info.memory,
            )
        }
    }

    /// Whether it answers now.
    pub(crate) async fn answers(&self) -> bool {
        let asked = tokio::time::timeout(ANSWER, self.engine.info()).await;
        matches!(asked, Ok(Ok(_)))
    }

    /// Returns when the engine is lost.
    pub(crate) async fn lost(&self) {
        let mut silent = 0;
        while silent < PATIENCE {
            tokio::time::sleep(EVERY).await;
            silent = if self.answers().await { 0 } else { silent + 1 };
        }
    }
}

/// Left to the machine itself.
const RESERVED: u64 = 1 << 30;
