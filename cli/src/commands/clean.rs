//! `clean`: what kcluster made, and nothing else.

use camino::Utf8Path;
use kcluster_cluster::{Removed, StateDir, clean};
use kcluster_matrix::exit;

use crate::config::Layer;
use crate::context::Context;
use crate::engine;
use crate::output::Printer;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep the folder of downloads and builds
    #[arg(long)]
    keep_cache: bool,
    /// Accepted for scripts; nothing is asked anyway
    #[arg(long, short, hide = true)]
    yes: bool,
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    /// Runs to its end even when a signal comes: half a removal helps nobody.
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        context.follow()?;
        let settings = &context.settings;
        let engine = engine::open(settings).await?;
        let state = StateDir::new(&settings.state_dir);
        let removed = clean(engine.as_ref(), &state, &context.hub).await?;
        context.hub.finish();
        tell_removed(&context.printer, &removed);
        if !self.keep_cache {
            remove_folder(&context.printer, &settings.cache_dir)?;
        }
        Ok(exit::PASSED)
    }
}

/// What was removed, by kind; that nothing was there is told too.
pub(super) fn tell_removed(printer: &Printer, removed: &Removed) {
    let kinds = [
        ("nodes", &removed.nodes),
        ("networks", &removed.networks),
        ("volumes", &removed.volumes),
        ("images", &removed.images),
    ];
    for (kind, names) in kinds.into_iter().filter(|(_, names)| !names.is_empty()) {
        printer.tell(&format!("removed {kind}: {}", names.join(", ")));
    }
    if removed.is_empty() {
        printer.tell("nothing of kcluster's is in the engine");
    }
}

fn remove_folder(printer: &Printer, folder: &Utf8Path) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    make_writable(folder)?;
    fs_err::remove_dir_all(folder)?;
    printer.tell(&format!("removed folder {folder}"));
    Ok(())
}

/// Go makes the folders of its module cache read-only, which only root can remove as they are.
fn make_writable(folder: &Utf8Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let mut permissions = entry.metadata()?.permissions();
            if permissions.mode() & 0o700 != 0o700 {
                permissions.set_mode(permissions.mode() | 0o700);
                fs_err::set_permissions(entry.path(), permissions)?;
            }
            if let Ok(path) = camino::Utf8PathBuf::from_path_buf(entry.path()) {
                make_writable(&path)?;
            }
        }
    }
    Ok(())
}
