//! The node image that the settings mean, and how the engine gets it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use camino::Utf8Path;
use kcluster_cluster::engine::Engine;
use kcluster_cluster::{ARCH, EMULATION, KUBERNETES};
use kcluster_images::{
    Builder, Cache, Download, HostTools, NodeImageRequest, Repository, Settings as BuildSettings,
    Source, is_hash, known_versions,
};
use kcluster_matrix::{Cell, Emulation, KubeVersion, Platform, Sink};
use tokio_util::sync::CancellationToken;

use crate::config::{E2eImages, Settings, SourceKind};
use crate::context::Context;
use crate::error::Told;

/// Where the project publishes its releases.
const RELEASES: &str = "https://dl.k8s.io";

/// Where releases are fetched from.
pub(crate) fn releases(settings: &Settings) -> &str {
    settings.source_url.given().map_or(RELEASES, String::as_str)
}

/// The exact version asked for; of a revision, the one that it says itself.
pub(crate) fn version(settings: &Settings) -> anyhow::Result<KubeVersion> {
    Ok(match settings.source {
        SourceKind::Git => revision(settings)?.version,
        _ => settings.kubernetes.resolve(&known_versions())?,
    })
}

/// A revision, looked up.
#[derive(Debug, Clone)]
struct Revision {
    commit: String,
    version: KubeVersion,
}

/// The revision asked for. It is looked up once: a branch that moves meanwhile must not make two of it.
fn revision(settings: &Settings) -> anyhow::Result<Revision> {
    static FOUND: Mutex<BTreeMap<(String, String), Revision>> = Mutex::new(BTreeMap::new());
    let Some(location) = settings.source_git.given() else {
        let told = Told::input("the source git has no repository");
        return Err(told.help("give --source-git").into());
    };
    let head = || "HEAD".to_owned();
    let wanted = settings
        .source_revision
        .given()
        .cloned()
        .unwrap_or_else(head);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (location.clone(), wanted.clone());
    if let Some(known) = found.get(&key) {
        return Ok(known.clone());
    }
    let cache = Cache::open(&settings.cache_dir)?;
    let repository = Repository::open(&cache, location)?;
    if !(is_hash(&wanted) && repository.resolve(&wanted).is_ok()) {
        repository.refresh(&cache)?;
    }
    let commit = repository.resolve(&wanted)?;
    let version = repository.version(&commit)?;
    let revision = Revision { commit, version };
    found.insert(key, revision.clone());
    Ok(revision)
}

/// Where Kubernetes comes from.
pub(crate) fn source(settings: &Settings) -> anyhow::Result<Source> {
    Ok(match settings.source {
        SourceKind::Module => Source::Module,
        SourceKind::Git => Source::Git {
            repository: settings.source_git.to_string(),
            revision: revision(settings)?.commit,
        },
        SourceKind::Release => Source::Release {
            base_url: releases(settings).to_owned(),
        },
        SourceKind::Url if settings.source_binaries.0.is_empty() => {
            return Err(Told::input("the source url has no binaries")
                .help("name each with --source-binaries NAME=URL#sha256=HEX")
                .into());
        }
        SourceKind::Url => Source::Url {
            binaries: settings
                .source_binaries
                .0
                .iter()
                .map(|(name, text)| Ok((name.clone(), download(name, text)?)))
                .collect::<Result<_, Told>>()?,
        },
        SourceKind::Dir => {
            let Some(path) = settings.source_dir.given() else {
                let told = Told::input("the source dir has no folder");
                return Err(told.help("give --source-dir").into());
            };
            Source::Dir { path: path.into() }
        }
    })
}

fn download(name: &str, text: &str) -> Result<Download, Told> {
    let parts = text.split_once("#sha256=");
    let sound =
        |sha256: &str| sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    match parts {
        Some((url, sha256)) if sound(sha256) => Ok(Download {
            url: url.to_owned(),
            sha256: sha256.to_lowercase(),
        }),
        _ => Err(
            Told::input(format!("source-binaries: `{name}` has no SHA-256"))
                .help("write URL#sha256= and its 64 hexadecimal digits"),
        ),
    }
}

/// The image for `platform` that the settings ask for.
pub(crate) fn request(settings: &Settings, platform: Platform) -> anyhow::Result<NodeImageRequest> {
    Ok(NodeImageRequest {
        source: source(settings)?,
        version: version(settings)?,
        platform,
        e2e: settings.e2e_images == E2eImages::Built,
        flannel: settings.cni.is_flannel(),
    })
}

/// What builds, with its cache.
pub(crate) fn builder(context: &Context) -> anyhow::Result<Builder> {
    let settings = BuildSettings {
        debian_mirror: context.settings.debian_mirror.given().cloned(),
        go: None,
    };
    let cache = Cache::open(&context.settings.cache_dir)?;
    Ok(Builder::new(cache, settings, Arc::new(context.hub.clone())))
}

/// Sees to it that the engine has the image, and returns its reference.
pub(crate) async fn ensure(
    context: &Context,
    engine: &dyn Engine,
    request: &NodeImageRequest,
) -> anyhow::Result<String> {
    if let Some(given) = context.settings.image.given() {
        return take_given(engine, given, request).await;
    }
    let reference = request.reference()?;
    let _one_at_a_time = context.images.lock().await;
    if engine.image(&reference).await?.is_some() {
        return Ok(reference);
    }
    let builder = builder(context)?;
    until_cancelled(&context.cancel, async {
        let image = builder.node_image(request).await?;
        context
            .hub
            .note(&format_args!("loading {reference} into the engine"));
        engine.load_image(Box::new(image.archive.stream())).await?;
        match engine.image(&reference).await? {
            Some(_) => Ok(()),
            None => Err(Told::cluster(format!(
                "the engine took the archive of {reference}, but has no such image"
            ))
            .into()),
        }
    })
    .await?;
    Ok(reference)
}

/// The image named by the user, which must be there and of the version asked for.
async fn take_given(
    engine: &dyn Engine,
    given: &str,
    request: &NodeImageRequest,
) -> anyhow::Result<String> {
    let Some(image) = engine.image(given).await? else {
        return Err(Told::input(format!("the engine has no image `{given}`"))
            .help("`cargo kcluster images list` shows what there is; without --image it is built")
            .into());
    };
    let of = |label: &str| image.labels.get(label).map(String::as_str);
    let version = request.version.to_string();
    if let Some(other) = of(KUBERNETES).filter(|other| *other != version) {
        return Err(Told::input(format!(
            "image `{given}` is of Kubernetes {other}, not {version}"
        ))
        .help(format!("add --kubernetes {other}"))
        .into());
    }
    let platform = request.platform;
    let emulation = of(EMULATION).unwrap_or(Emulation::Native.as_str());
    if let Some(arch) = of(ARCH)
        && (arch, emulation) != (platform.arch().as_str(), platform.emulation().as_str())
    {
        return Err(Told::input(format!(
            "image `{given}` is of {arch} ({emulation}), not {} ({})",
            platform.arch(),
            platform.emulation()
        ))
        .help(format!("add --arch {arch} --emulation {emulation}"))
        .into());
    }
    Ok(given.to_owned())
}

/// Writes the image's archive to `file`, whole or not at all.
pub(crate) async fn write_archive(
    context: &Context,
    request: &NodeImageRequest,
    file: &Utf8Path,
) -> anyhow::Result<()> {
    let builder = builder(context)?;
    let image = until_cancelled(&context.cancel, async {
        Ok(builder.node_image(request).await?)
    })
    .await?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_str().is_empty())
        .unwrap_or(Utf8Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("failed to write into {folder}"))?;
    let part = tokio::task::spawn_blocking(move || {
        image
            .archive
            .write(std::io::BufWriter::new(&mut part))
            .map(|()| part)
    });
    part.await??
        .persist(file)
        .with_context(|| format!("failed to write {file}"))?;
    Ok(())
}

/// kubectl, e2e.test and ginkgo of `version`, for this machine.
pub(crate) async fn host_tools(
    context: &Context,
    version: &KubeVersion,
) -> anyhow::Result<HostTools> {
    let (builder, source) = (builder(context)?, source(&context.settings)?);
    until_cancelled(&context.cancel, async {
        Ok(builder.host_tools(&source, version).await?)
    })
    .await
}

/// One of Kubernetes' commands for the nodes of `cell`, from the source that the settings name.
pub(crate) async fn command(
    context: &Context,
    cell: &Cell,
    name: &str,
) -> anyhow::Result<std::path::PathBuf> {
    let (builder, source) = (builder(context)?, source(&context.settings)?);
    until_cancelled(&context.cancel, async {
        Ok(builder
            .command(&source, &cell.kubernetes, cell.arch, name)
            .await?)
    })
    .await
}

/// Drops `work` when a signal comes; builds end their processes then.
pub(crate) async fn until_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        result = work => result,
        () = cancel.cancelled() => Err(Told::interrupted().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_need_a_whole_digest() {
        let digest = "AB".repeat(32);
        let download = download("kubelet", &format!("http://x/kubelet#sha256={digest}")).unwrap();
        assert_eq!(download.url, "http://x/kubelet");
        assert_eq!(download.sha256, "ab".repeat(32));
        for bad in ["http://x/kubelet", "http://x#sha256=12", "http://x#sha256="] {
            assert!(super::download("kubelet", bad).is_err(), "{bad}");
        }
    }
}
