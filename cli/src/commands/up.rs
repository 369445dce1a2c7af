//! `up`.

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_cluster::engine::Engine;
use kcluster_cluster::{Cluster, SnapshotError, StateDir, UpError, keep, start, up};
use kcluster_matrix::{ClusterSpec, Event, Sink, Step, exit};
use tokio_util::sync::CancellationToken;

use crate::config::{ClusterFlags, ImageFlags, Layer, NameFlag, ReportFlag, SourceFlags};
use crate::context::Context;
use crate::error::Told;
use crate::output::{Record, events_file};
use crate::{
    addons, emulation, engine, error, fold, image, interrupt, kubeconfig, registry, report,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    #[command(flatten)]
    report: ReportFlag,
    #[command(flatten)]
    cluster: ClusterFlags,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    source: SourceFlags,
    /// Write a timeline of the boot for chrome://tracing or Perfetto
    #[arg(long, value_name = "FILE")]
    trace: Option<Utf8PathBuf>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        let Self {
            name,
            report,
            cluster,
            image,
            source,
            trace: _,
        } = self;
        Layer::of([&name.0, &report.0, &cluster.0, &image.0, &source.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        // What cannot be is refused before anything is touched.
        image::version(&context.settings)?;
        image::source(&context.settings)?;
        addons::check(&context)?;
        registry::check(&context.settings)?;
        kubeconfig::check(&context.settings, &context.host)?;
        context.follow()?;
        let (result, events) = cluster(&context).await;
        context.hub.finish();
        if let Some(folder) = context.settings.report_dir.given() {
            let folder = context.host.folder.join(folder);
            let failure = result.as_ref().err().map(error::render);
            let suite = fold::with_failure(fold::boot_suite(&events, &report::host()), failure);
            report::write(&folder, &[suite])?;
        }
        if let Some(path) = &self.trace {
            // Of a boot that failed too: it shows what took long.
            let path = context.host.folder.join(path);
            fs_err::write(path, kcluster_reports::trace::render(&events))?;
        }
        let cluster = result?;
        let merged = kubeconfig::merge(&context.settings, &context.host);
        tell(
            &context,
            &cluster,
            &events,
            merged.as_ref().ok().and_then(Option::as_deref),
        );
        merged?;
        Ok(exit::PASSED)
    }
}

/// Makes the cluster, and keeps the record of its boot beside what is known of it.
pub(crate) async fn cluster(context: &Context) -> (anyhow::Result<Cluster>, Vec<Event>) {
    let result = interrupt::or_interrupted(boot(context).await, &context.cancel);
    let events = context.hub.events();
    if result.as_ref().is_ok_and(|cluster| !cluster.existed) {
        context.record(Record::create(&events_file(
            &context.settings.cluster_dir(),
        )));
    }
    (result, events)
}

async fn boot(context: &Context) -> anyhow::Result<Cluster> {
    let settings = &context.settings;
    let (engine, info) = engine::probe(settings, &context.hub).await?;
    let platform = settings.platform_on(info.arch)?;
    let request = image::request(settings, platform)?;
    let cell = settings.cell(request.version.clone(), platform);
    context.hub.enter(cell.id());
    if platform.is_foreign() {
        context.hub.note(&format_args!(
            "{} is emulated on {} ({}); native: {}",
            platform.arch(),
            platform.machine(),
            platform.emulation(),
            platform.emulation().runs_native()
        ));
    }
    emulation::ready(context, engine.as_ref(), platform).await?;
    let image = image::ensure(context, engine.as_ref(), &request);
    let image = engine::step(&context.hub, Step::NodeImage, image).await?;
    let addons = addons::all(context, engine.as_ref(), platform).await?;
    let spec = settings.cluster_spec(cell, image, addons)?;
    in_time(context, engine.as_ref(), &spec).await
}

/// Boots, and takes down again what does not come up within the time allowed.
async fn in_time(
    context: &Context,
    engine: &dyn Engine,
    spec: &ClusterSpec,
) -> anyhow::Result<Cluster> {
    let (settings, cancel) = (&context.settings, context.cancel.child_token());
    let state = StateDir::new(&settings.state_dir);
    let mut late = false;
    let mut work = std::pin::pin!(start_or_boot(context, engine, spec, &state, &cancel));
    let limit = tokio::time::sleep(settings.boot_timeout.0);
    let result = tokio::select! {
        result = &mut work => result,
        () = limit => {
            late = true;
            let then = if settings.retain { "stopping here" } else { "taking it down" };
            context.hub.warn(&format_args!("not up after {}; {then}", settings.boot_timeout));
            cancel.cancel();
            work.await
        }
    };
    match result {
        Err(SnapshotError::Up(UpError::Cancelled { removed, .. })) if late => {
            let (name, limit) = (&spec.name, settings.boot_timeout);
            let told = Told::cluster(format!("cluster `{name}` was not up after {limit}"));
            let longer =
                "give it longer with --boot-timeout, or look with -v 2 at what it waits for";
            let help = match removed {
                true => longer.to_owned(),
                false => format!(
                    "its nodes are still there to be looked into; `cargo kcluster down --name {name}` removes them, and \
                     so does the next `up`. Or {longer}"
                ),
            };
            Err(told.help(help).into())
        }
        // Whether it came from a snapshot is not what went wrong.
        Err(SnapshotError::Up(error)) => Err(error.into()),
        result => Ok(result?),
    }
}

/// From a snapshot if one fits; if not, by a boot after which one is kept.
async fn start_or_boot(
    context: &Context,
    engine: &dyn Engine,
    spec: &ClusterSpec,
    state: &StateDir,
    cancel: &CancellationToken,
) -> Result<Cluster, SnapshotError> {
    let (hub, automatic) = (&context.hub, context.settings.auto_snapshot);
    if let Some(cluster) = start(engine, spec, state, automatic, hub, cancel).await? {
        return Ok(cluster);
    }
    let cluster = up(engine, spec, state, hub, cancel).await?;
    if automatic
        && !cluster.existed
        && let Err(error) = keep(engine, &spec.name, state, hub).await
    {
        hub.warn(&format_args!("no snapshot is kept: {error}"));
    }
    Ok(cluster)
}

/// The table of phases, and what to do with the cluster.
fn tell(context: &Context, cluster: &Cluster, events: &[Event], merged: Option<&Utf8Path>) {
    let (printer, paint) = (&context.printer, context.printer.paint());
    if context.settings.verbosity > 0 {
        if !cluster.existed {
            printer.tell(&format!("\n{}", fold::phase_table(events)));
        }
        let name = &cluster.name;
        let kubeconfig = cluster.kubeconfig.display();
        printer.tell(&format!(
            "cluster `{name}` answers at {}; next:",
            cluster.server
        ));
        let use_it = match merged {
            Some(file) => {
                printer.tell(&format!("its context `kcluster-{name}` is in {file}"));
                format!("kubectl --context kcluster-{name} get nodes")
            }
            None => format!("export KUBECONFIG={kubeconfig}"),
        };
        for next in [
            use_it,
            format!("cargo kcluster kubectl --name {name} -- get pods --all-namespaces"),
            format!("cargo kcluster e2e --name {name} ConfigMap"),
            format!("cargo kcluster down --name {name}"),
        ] {
            printer.tell(&format!("  {}", paint.strong(&next)));
        }
    }
    printer.data(&cluster.kubeconfig.display().to_string());
}
