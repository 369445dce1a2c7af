//! `reup`.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use kcluster_cluster::engine::Engine;
use kcluster_cluster::{
    Component, Phase, Replacement, Snapshot, SnapshotError, StateDir, restore, reup, snapshots,
};
use kcluster_matrix::{Cell, ClusterName, Emulation, exit};

use crate::config::{Layer, NameFlag, SourceFlags};
use crate::context::Context;
use crate::error::Told;
use crate::{engine, fold, image, kubeconfig};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    #[command(flatten)]
    source: SourceFlags,
    /// Only this one: kube-apiserver, kubelet, …; without it, all that come from the source
    #[arg(long, value_name = "NAME")]
    component: Option<Component>,
    /// Its binary, for the cluster's architecture; without it, the one from the source
    #[arg(long, value_name = "FILE", requires = "component")]
    binary: Option<Utf8PathBuf>,
    /// The snapshot to start from if the cluster is not up; without it, the newest
    #[arg(long, value_name = "SNAPSHOT")]
    snapshot: Option<ClusterName>,
}

/// What a source of Kubernetes has for a running cluster.
const FROM_SOURCE: [Component; 5] = [
    Component::ApiServer,
    Component::ControllerManager,
    Component::Scheduler,
    Component::Kubelet,
    Component::Proxy,
];

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0, &self.source.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let settings = &context.settings;
        let state = StateDir::new(&settings.state_dir);
        let name = &settings.name;
        let is_up = state
            .cluster(name)
            .status()?
            .is_some_and(|status| status.phase == Phase::Ready);
        let from = if is_up && self.snapshot.is_none() {
            None
        } else {
            Some(self.chosen(name, &state)?)
        };
        let spec = match &from {
            Some(snapshot) => Some(snapshot.spec.clone()),
            None => state.cluster(name).spec()?,
        };
        let spec = spec.with_context(|| format!("how cluster `{name}` was made is not known"))?;
        // All that can be wrong is found before anything changes.
        let replacements = self.replacements(&context, &spec.cell).await?;
        let engine = engine::open(settings).await?;
        context.follow()?;
        let result = self
            .apply(&context, engine.as_ref(), &state, from, &replacements)
            .await;
        let events = context.hub.events();
        context.hub.finish();
        result?;
        kubeconfig::refresh(settings, &context.host)?;
        if settings.verbosity > 0 {
            context
                .printer
                .tell(&format!("\n{}", fold::phase_table(&events)));
        }
        Ok(exit::PASSED)
    }

    async fn apply(
        &self,
        context: &Context,
        engine: &dyn Engine,
        state: &StateDir,
        from: Option<Snapshot>,
        replacements: &[Replacement],
    ) -> anyhow::Result<()> {
        let (hub, name) = (&context.hub, &context.settings.name);
        let cancel = context.cancel.child_token();
        if let Some(snapshot) = from {
            restore(engine, name, &snapshot.name, state, hub, &cancel).await?;
        }
        reup(engine, name, replacements, state, hub, &cancel).await?;
        Ok(())
    }

    fn chosen(&self, cluster: &ClusterName, state: &StateDir) -> anyhow::Result<Snapshot> {
        let mut all = snapshots(state, cluster)?;
        let Some(name) = &self.snapshot else {
            return all.pop().ok_or_else(|| {
                Told::input(format!(
                    "cluster `{cluster}` is not up, and has no snapshot"
                ))
                .help(format!("`cargo kcluster up --name {cluster}` makes it"))
                .into()
            });
        };
        all.retain(|one| one.name == *name);
        all.pop().ok_or_else(|| {
            SnapshotError::Missing {
                cluster: cluster.clone(),
                name: name.clone(),
            }
            .into()
        })
    }

    async fn replacements(
        &self,
        context: &Context,
        cell: &Cell,
    ) -> anyhow::Result<Vec<Replacement>> {
        if let (Some(component), Some(path)) = (self.component, &self.binary) {
            let binary = context.host.folder.join(path).into_std_path_buf();
            return Ok(vec![Replacement { component, binary }]);
        }
        if cell.emulation != Emulation::Native {
            return Err(Told::input(format!(
                "cell {} runs parts of several architectures, and a source gives those of one",
                cell.id()
            ))
            .help("give --component and its --binary")
            .into());
        }
        let wanted: Vec<Component> = match self.component {
            None => FROM_SOURCE.to_vec(),
            Some(one) if FROM_SOURCE.contains(&one) => vec![one],
            Some(one) => {
                return Err(Told::input(format!("no source of Kubernetes has {one}"))
                    .help("give its binary with --binary")
                    .into());
            }
        };
        let mut replacements = Vec::new();
        for component in wanted {
            let binary = image::command(context, cell, component.as_str()).await?;
            replacements.push(Replacement { component, binary });
        }
        Ok(replacements)
    }
}
