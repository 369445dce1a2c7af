//! `snapshot save`, `list`, `restore`, `remove`, `export`, `import`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use kcluster_cluster::{
    Origin, StateDir, export_snapshot, import_snapshot, remove_snapshot, restore, save, snapshots,
};
use kcluster_matrix::{ClusterName, exit};

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::error::Told;
use crate::output::Table;
use crate::{engine, fold, kubeconfig};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Keep all that a running cluster holds; its nodes stand still for a moment
    Save(One),
    /// List the snapshots of a cluster
    List {
        #[command(flatten)]
        name: NameFlag,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a cluster as it was when a snapshot was taken; what it is now is removed
    Restore(One),
    /// Remove a snapshot
    Remove(One),
    /// Write a snapshot to a file for a cache, without any key of the cluster
    Export {
        #[command(flatten)]
        one: One,
        /// The file, a tar archive compressed by zstd
        #[arg(value_name = "FILE")]
        file: Utf8PathBuf,
    },
    /// Take a snapshot from a file; its cluster gets new certificates and keys
    ///
    /// `up` starts from it if it fits.
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: Utf8PathBuf,
        /// What to call it instead of the name it had
        #[arg(long = "as", value_name = "SNAPSHOT")]
        name: Option<ClusterName>,
    },
}

#[derive(Debug, clap::Args)]
struct One {
    #[command(flatten)]
    name: NameFlag,
    /// The snapshot's name
    #[arg(value_name = "SNAPSHOT")]
    snapshot: ClusterName,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        match &self.command {
            Sub::Save(one) | Sub::Restore(one) | Sub::Remove(one) => Layer::of([&one.name.0]),
            Sub::Export { one, .. } => Layer::of([&one.name.0]),
            Sub::List { name, .. } => Layer::of([&name.0]),
            Sub::Import { .. } => Layer::default(),
        }
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let settings = &context.settings;
        let (cluster, printer) = (&settings.name, &context.printer);
        let state = StateDir::new(&settings.state_dir);
        let one = match self.command {
            Sub::List { json, .. } => return list(&context, &state, json),
            Sub::Export { ref one, ref file } => {
                return export(&context, &state, &one.snapshot, file).await;
            }
            Sub::Import { ref file, ref name } => {
                return import(&context, &state, file, name.as_ref()).await;
            }
            Sub::Save(ref one) | Sub::Restore(ref one) | Sub::Remove(ref one) => one,
        };
        let (engine, snapshot) = (engine::open(settings).await?, &one.snapshot);
        let engine = engine.as_ref();
        if matches!(self.command, Sub::Remove(_)) {
            if !remove_snapshot(engine, &state, cluster, snapshot).await? {
                let none = format!("cluster `{cluster}` has no snapshot `{snapshot}`");
                return Err(Told::input(none).into());
            }
            printer.tell(&format!("removed snapshot `{snapshot}`"));
            return Ok(exit::PASSED);
        }
        context.follow()?;
        if matches!(self.command, Sub::Save(_)) {
            save(engine, cluster, snapshot, &state, &context.hub).await?;
            context.hub.finish();
            let told = format!(
                "`cargo kcluster snapshot restore --name {cluster} {snapshot}` brings it back"
            );
            printer.tell(&told);
            return Ok(exit::PASSED);
        }
        let cancel = context.cancel.child_token();
        let back = restore(engine, cluster, snapshot, &state, &context.hub, &cancel).await;
        let events = context.hub.events();
        context.hub.finish();
        let back = back?;
        // Its server, and after an import its keys, are others than those in the user's file.
        kubeconfig::refresh(settings, &context.host)?;
        if settings.verbosity > 0 {
            printer.tell(&format!("\n{}", fold::phase_table(&events)));
            printer.tell(&format!("cluster `{cluster}` answers at {}", back.server));
        }
        printer.data(&back.kubeconfig.display().to_string());
        Ok(exit::PASSED)
    }
}

async fn export(
    context: &Context,
    state: &StateDir,
    snapshot: &ClusterName,
    file: &Utf8Path,
) -> anyhow::Result<u8> {
    let settings = &context.settings;
    let engine = engine::open(settings).await?;
    let path = context.host.folder.join(file);
    let size = export_snapshot(
        engine.as_ref(),
        &settings.name,
        snapshot,
        state,
        path.as_std_path(),
    );
    let size = size.await?.div_ceil(1 << 20);
    context.printer.tell(&format!("{file}: {size} MiB"));
    Ok(exit::PASSED)
}

async fn import(
    context: &Context,
    state: &StateDir,
    file: &Utf8Path,
    name: Option<&ClusterName>,
) -> anyhow::Result<u8> {
    let engine = engine::open(&context.settings).await?;
    let path = context.host.folder.join(file);
    let taken = import_snapshot(engine.as_ref(), state, path.as_std_path(), name).await?;
    let (cluster, name) = (&taken.spec.name, &taken.name);
    context.printer.tell(&format!(
        "snapshot `{name}` of cluster `{cluster}`; `cargo kcluster snapshot restore --name {cluster} {name}` starts it, \
and so does `up` with the settings it was made with"
    ));
    Ok(exit::PASSED)
}

fn list(context: &Context, state: &StateDir, json: bool) -> anyhow::Result<u8> {
    let found = snapshots(state, &context.settings.name)?;
    if json {
        let objects: Vec<_> = found
            .iter()
            .map(|one| {
                serde_json::json!({
                    "name": one.name,
                    "cluster": one.spec.name,
                    "cell": one.spec.cell.id().to_string(),
                    "nodes": one.nodes.len(),
                    "made": one.made,
                    "origin": one.origin,
                    "image": one.spec.image,
                })
            })
            .collect();
        let text = serde_json::to_string_pretty(&objects)?;
        context.printer.data(&text);
        return Ok(exit::PASSED);
    }
    let mut table = Table::new(["snapshot", "cell", "nodes", "origin", "made"]).numbers(2);
    for one in found {
        table.row([
            one.name.to_string(),
            one.spec.cell.id().to_string(),
            one.nodes.len().to_string(),
            origin(one.origin).to_owned(),
            one.made.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        ]);
    }
    if table.is_empty() {
        let name = &context.settings.name;
        context.printer.tell(&format!(
            "no snapshots of cluster `{name}`; `cargo kcluster snapshot save --name {name} SNAPSHOT` takes one"
        ));
    } else {
        context.printer.data(&table.to_string());
    }
    Ok(exit::PASSED)
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Saved => "saved",
        Origin::Automatic => "automatic",
        Origin::Imported => "imported",
    }
}
