//! Emulators of other architectures, for `up` and `doctor`.

use std::path::Path;

use anyhow::Context as _;
use kcluster_cluster::emulation::{self, Emulators};
use kcluster_cluster::engine::{Engine, EngineInfo};
use kcluster_images::emulators_reference;
use kcluster_matrix::{Arch, Platform, Sink};

use crate::context::Context;
use crate::error::Told;
use crate::image;

/// Sees to it that the programs of a cell run on the engine's host. Costs a second where they do.
pub(crate) async fn ready(
    context: &Context,
    engine: &dyn Engine,
    platform: Platform,
) -> anyhow::Result<()> {
    if !platform.is_foreign() {
        return Ok(());
    }
    let arch = platform.arch();
    keep(context, &engine.info().await?).await;
    let image = ensure_image(context, engine, platform.machine()).await?;
    let found = image::until_cancelled(&context.cancel, async {
        emulation::ready(engine, &image, arch)
            .await
            .map_err(anyhow::Error::from)
    })
    .await
    .with_context(|| format!("no emulator for {arch}; `cargo kcluster doctor` says more"))?;
    tell(context, &found);
    Ok(())
}

/// Where a host's own view of what it runs by which interpreter is mounted.
const TABLE: &str = "/proc/sys/fs/binfmt_misc";

/// The kernel forgets all registrations with the last mount of that table. Where systemd runs there is one; elsewhere
/// it is made, or the emulators would be gone with the container that registers them.
pub(crate) async fn keep(context: &Context, info: &EngineInfo) {
    if !info.local || Path::new(TABLE).join("register").exists() {
        return;
    }
    let argv = ["mount", "-t", "binfmt_misc", "binfmt_misc", TABLE];
    let line = argv.join(" ");
    let done = tokio::process::Command::new(argv[0])
        .args(&argv[1..])
        .output()
        .await;
    let why = match done {
        Ok(output) if output.status.success() => {
            context
                .hub
                .note(&format_args!("mounted, so that registrations stay: {line}"));
            return;
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    context.hub.warn(&format_args!(
        "emulators may be forgotten at once: `{line}` failed ({why}); run it as root"
    ));
}

/// Says what was registered, and why.
pub(crate) fn tell(context: &Context, found: &Emulators) {
    for machine in &found.machines {
        if !machine.instead.is_empty() {
            context.hub.note(&format_args!(
                "registered QEMU {} for {} ({})",
                machine.version,
                machine.arch,
                machine.instead.join("; ")
            ));
        }
    }
}

/// The engine's own architecture.
pub(crate) fn host(info: &EngineInfo) -> Result<Arch, Told> {
    info.arch.ok_or_else(|| {
        Told::input("the engine's machine is of no architecture that Kubernetes is released for")
    })
}

/// Sees to it that the engine has the image of emulators, and returns its reference.
pub(crate) async fn ensure_image(
    context: &Context,
    engine: &dyn Engine,
    host: Arch,
) -> anyhow::Result<String> {
    let reference = emulators_reference(host);
    if engine.image(&reference).await?.is_some() {
        return Ok(reference);
    }
    let builder = image::builder(context)?;
    image::until_cancelled(&context.cancel, async {
        let image = builder.emulators(host).await?;
        context
            .hub
            .note(&format_args!("loading {reference} into the engine"));
        engine.load_image(Box::new(image.archive.stream())).await?;
        Ok(())
    })
    .await?;
    Ok(reference)
}
