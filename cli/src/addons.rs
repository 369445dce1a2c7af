//! What the settings ask for beyond Kubernetes itself: read, fetched, built, and in the engine.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use kcluster_cluster::engine::Engine;
use kcluster_cluster::known_addon;
use kcluster_images::{AddonImage, Builder, sha256_of};
use kcluster_matrix::{Addon, AddonContent, Chart, Platform, Sink};

use crate::config::{AddonEntry, is_address};
use crate::context::Context;
use crate::error::Told;
use crate::image;

/// Refuses what is not there, before anything is touched.
pub(crate) fn check(context: &Context) -> Result<(), Told> {
    for entry in &context.settings.addons.0 {
        let chart = entry.chart.as_ref().filter(|_| entry.is_local_chart());
        let manifest = entry.manifest.as_ref().filter(|place| !is_address(place));
        for place in chart.into_iter().chain(manifest) {
            let path = context.host.folder.join(place);
            if !path.exists() {
                return Err(named(entry, &format!("there is no `{path}`")));
            }
        }
    }
    Ok(())
}

fn named(entry: &AddonEntry, reason: &str) -> Told {
    Told::input(format!("addon `{}`: {reason}", entry.called()))
}

/// All addons, each with what it is made of; the engine has the images of those that kcluster knows.
pub(crate) async fn all(
    context: &Context,
    engine: &dyn Engine,
    platform: Platform,
) -> anyhow::Result<Vec<Addon>> {
    let mut addons = Vec::new();
    for entry in &context.settings.addons.0 {
        let what = || format!("addon `{}`", entry.called());
        let addon = image::until_cancelled(&context.cancel, one(context, engine, platform, entry));
        addons.push(addon.await.with_context(what)?);
    }
    Ok(addons)
}

async fn one(
    context: &Context,
    engine: &dyn Engine,
    platform: Platform,
    entry: &AddonEntry,
) -> anyhow::Result<Addon> {
    let mut images = entry.images.clone();
    let content = if let Some(known) = entry.known() {
        let image = ensure(context, engine, AddonImage::Known(known), platform).await?;
        let manifests = known_addon(known, &image);
        images.push(image);
        AddonContent::Manifests(manifests)
    } else if let Some(chart) = &entry.chart {
        let archive = packed(context, entry, chart).await?;
        let helm = ensure(context, engine, AddonImage::Helm, platform).await?;
        images.push(helm.clone());
        AddonContent::Chart(Box::new(Chart {
            release: entry.called(),
            namespace: entry
                .namespace
                .clone()
                .unwrap_or_else(|| "default".to_owned()),
            archive,
            values: values(context, entry)?,
            helm,
        }))
    } else {
        AddonContent::Manifests(manifest(context, entry).await?)
    };
    Ok(Addon {
        name: entry.called(),
        digest: digest(&content, &images),
        images,
        content: Some(content),
    })
}

/// What tells an addon from one of the same name.
fn digest(content: &AddonContent, images: &[String]) -> String {
    let mut all: Vec<&[u8]> = images.iter().map(String::as_bytes).collect();
    match content {
        AddonContent::Manifests(text) => all.push(text.as_bytes()),
        AddonContent::Chart(chart) => {
            all.extend([chart.release.as_bytes(), chart.namespace.as_bytes()]);
            all.push(&chart.archive);
            all.extend(chart.values.iter().map(String::as_bytes));
        }
    }
    let whole = sha256_of(all);
    whole.get(..12).unwrap_or(&whole).to_owned()
}

/// Sees to it that the engine has the image, and returns its reference.
async fn ensure(
    context: &Context,
    engine: &dyn Engine,
    which: AddonImage,
    platform: Platform,
) -> anyhow::Result<String> {
    let reference = which.reference(platform)?;
    let _one_at_a_time = context.images.lock().await;
    if engine.image(&reference).await?.is_none() {
        let image = image::builder(context)?.addon(which, platform).await?;
        context
            .hub
            .note(&format_args!("loading {reference} into the engine"));
        engine.load_image(Box::new(image.archive.stream())).await?;
    }
    Ok(reference)
}

/// The objects of a file, of all files of a folder, or behind an address.
async fn manifest(context: &Context, entry: &AddonEntry) -> anyhow::Result<String> {
    let place = entry.manifest.as_deref().unwrap_or_default();
    let text = if is_address(place) {
        let builder = image::builder(context)?;
        builder.fetch_text(place, entry.sha256.as_deref()).await?
    } else {
        let path = context.host.folder.join(place);
        read(&path).map_err(|error| named(entry, &error.to_string()))?
    };
    Ok(text)
}

fn read(path: &Utf8Path) -> std::io::Result<String> {
    if !path.is_dir() {
        return fs_err::read_to_string(path);
    }
    let mut files: Vec<Utf8PathBuf> = Vec::new();
    for file in path.read_dir_utf8()? {
        let file = file?.into_path();
        if matches!(file.extension(), Some("yaml" | "yml" | "json")) {
            files.push(file);
        }
    }
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .map(fs_err::read_to_string)
        .collect::<Result<_, _>>()?;
    if texts.is_empty() {
        let text = format!("no file in `{path}` ends in .yaml, .yml or .json");
        return Err(std::io::Error::other(text));
    }
    Ok(texts.join("\n---\n"))
}

/// A chart as one archive, wherever it is.
async fn packed(context: &Context, entry: &AddonEntry, chart: &str) -> anyhow::Result<Vec<u8>> {
    if !entry.is_local_chart() {
        return pulled(context, entry, chart).await;
    }
    let path = context.host.folder.join(chart);
    let archive = if path.is_dir() {
        pack(path.as_std_path())
    } else {
        fs_err::read(&path)
    };
    Ok(archive.map_err(|error| named(entry, &error.to_string()))?)
}

/// The archive of a folder, the same for the same files.
fn pack(folder: &Path) -> std::io::Result<Vec<u8>> {
    if !folder.join("Chart.yaml").exists() {
        let text = format!(
            "`{}` has no Chart.yaml, so it is no chart",
            folder.display()
        );
        return Err(std::io::Error::other(text));
    }
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for inside in fs_err::read_dir(&next)? {
            let path = inside?.path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        let content = fs_err::read(&file)?;
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        let inside = file.strip_prefix(folder).unwrap_or(&file);
        tar.append_data(&mut header, Path::new("chart").join(inside), &content[..])?;
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&tar.into_inner()?)?;
    packed.finish()
}

/// What Helm fetches, with its own settings and credentials.
async fn pulled(context: &Context, entry: &AddonEntry, chart: &str) -> anyhow::Result<Vec<u8>> {
    let builder: Builder = image::builder(context)?;
    let archive = builder
        .pull_chart(
            chart,
            entry.repository.as_deref(),
            entry.version.as_deref(),
            entry.sha256.as_deref(),
        )
        .await?;
    Ok(archive)
}

/// What is set for a chart. JSON is YAML too.
fn values(context: &Context, entry: &AddonEntry) -> anyhow::Result<Vec<String>> {
    Ok(match &entry.values {
        None => Vec::new(),
        Some(toml::Value::String(path)) => {
            let path = context.host.folder.join(path);
            let text = fs_err::read_to_string(path);
            vec![text.map_err(|error| named(entry, &error.to_string()))?]
        }
        Some(values) => vec![serde_json::to_string(values)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_packed_the_same_each_time_and_without_what_is_hidden() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(
            pack(folder.path())
                .unwrap_err()
                .to_string()
                .contains("no Chart.yaml")
        );
        fs_err::create_dir_all(at("templates")).unwrap();
        fs_err::create_dir_all(at(".git")).unwrap();
        for name in ["Chart.yaml", "templates/a.yaml", ".git/x", ".helmignore"] {
            fs_err::write(at(name), name).unwrap();
        }
        let archive = pack(folder.path()).unwrap();
        assert_eq!(archive, pack(folder.path()).unwrap());
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
        let mut names: Vec<String> = tar
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "chart/.helmignore",
                "chart/Chart.yaml",
                "chart/templates/a.yaml"
            ]
        );
    }

    #[test]
    fn all_that_an_addon_is_made_of_is_in_its_digest() {
        let text = |text: &str| AddonContent::Manifests(text.to_owned());
        let image = ["a:1".to_owned()];
        assert_eq!(digest(&text("x"), &[]), digest(&text("x"), &[]));
        assert_ne!(digest(&text("x"), &[]), digest(&text("y"), &[]));
        assert_ne!(digest(&text("x"), &[]), digest(&text("x"), &image));
    }
}
