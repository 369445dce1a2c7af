//! `images build`, `list`, `verify`, `push`, `sizes`, `remove`, `prune`.

mod push;
mod verify;

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use clap::Subcommand;
use jiff::Timestamp;
use kcluster_cluster::engine::{Engine, ImageInfo, Labels};
use kcluster_cluster::{ARCH, EMULATION, KUBERNETES, node_images};
use kcluster_images::{Cache, Made, Pruned};
use kcluster_matrix::{Emulation, Platform, Step, exit};

use crate::config::{E2eImages, ImageFlags, Layer, Settings, SourceFlags, Timeout};
use crate::context::Context;
use crate::output::Table;
use crate::{engine, image, interrupt};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Build the node image, and the programs that run specs, and load it into the engine
    Build(Build),
    /// List the node images of the engine, or the images that specs run
    List {
        /// List the images that the tests of this version name, and what nodes run for each
        #[arg(long)]
        e2e: bool,
        #[command(flatten)]
        image: ImageFlags,
        #[command(flatten)]
        source: SourceFlags,
    },
    /// Check each platform of an image against the programs in it, and run it
    Verify(verify::Verify),
    /// Push node images of several architectures to a registry, as one index
    Push(push::Push),
    /// Show what images and cached builds take on disk
    Sizes,
    /// Remove one node image, if no cluster uses it, and what was built of its version of Kubernetes for its architecture
    Remove {
        #[command(flatten)]
        image: ImageFlags,
        #[command(flatten)]
        source: SourceFlags,
    },
    /// Remove node images that no cluster uses, and builds that were not used for a while
    Prune {
        /// Remove builds that were not used for this long
        #[arg(long, value_name = "DURATION", default_value = "168h")]
        unused_for: Timeout,
    },
}

#[derive(Debug, clap::Args)]
struct Build {
    /// Write the image's archive to this file, without an engine
    #[arg(long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    source: SourceFlags,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        match &self.command {
            Sub::Build(build) => Layer::of([&build.image.0, &build.source.0]),
            Sub::List { image, source, .. } | Sub::Remove { image, source } => {
                Layer::of([&image.0, &source.0])
            }
            Sub::Verify(verify) => verify.layer(),
            Sub::Push(push) => push.layer(),
            _ => Layer::default(),
        }
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        match self.command {
            Sub::Build(build) => {
                image::version(&context.settings)?;
                image::source(&context.settings)?;
                context.follow()?;
                let result = match &build.output {
                    None => into_engine(&context).await,
                    Some(file) => into_file(&context, &context.host.folder.join(file)).await,
                };
                context.hub.finish();
                context
                    .printer
                    .data(&interrupt::or_interrupted(result, &context.cancel)?);
            }
            Sub::List { e2e: true, .. } => test_images(&context).await?,
            Sub::List { .. } => list(&context).await?,
            Sub::Verify(verify) => return verify.run(&context).await,
            Sub::Push(push) => push.run(&context).await?,
            Sub::Sizes => sizes(&context).await?,
            Sub::Remove { .. } => {
                image::version(&context.settings)?;
                image::source(&context.settings)?;
                remove(&context).await?;
            }
            Sub::Prune { unused_for } => prune(&context, unused_for).await?,
        }
        Ok(exit::PASSED)
    }
}

async fn into_engine(context: &Context) -> anyhow::Result<String> {
    let (engine, info) = engine::probe(&context.settings, &context.hub).await?;
    let request = image::request(&context.settings, context.settings.platform_on(info.arch)?)?;
    let ensure = image::ensure(context, engine.as_ref(), &request);
    let reference = engine::step(&context.hub, Step::NodeImage, ensure).await?;
    if request.e2e {
        // A run of specs must not begin with a build.
        image::host_tools(context, &request.version).await?;
    }
    Ok(reference)
}

/// A file is for machines of the architecture asked for, unless something is to be emulated.
fn into_file_for(settings: &Settings) -> anyhow::Result<Platform> {
    let machine = kcluster_images::host_arch()?;
    Ok(match (settings.arch.given(), settings.emulation.given()) {
        (Some(arch), None | Some(Emulation::Native)) => Platform::native(*arch),
        _ => settings.platform_on(Some(machine))?,
    })
}

async fn into_file(context: &Context, file: &Utf8PathBuf) -> anyhow::Result<String> {
    let request = image::request(&context.settings, into_file_for(&context.settings)?)?;
    image::write_archive(context, &request, file).await?;
    Ok(file.to_string())
}

async fn node_images_of(context: &Context) -> anyhow::Result<Vec<ImageInfo>> {
    let engine = engine::open(&context.settings).await?;
    Ok(engine.images(&node_images()).await?)
}

fn label(image: &ImageInfo, name: &str) -> String {
    image
        .labels
        .get(name)
        .cloned()
        .unwrap_or_else(|| "-".to_owned())
}

async fn list(context: &Context) -> anyhow::Result<()> {
    let mut table = Table::new(["image", "kubernetes", "arch", "emulation", "size"]).numbers(4);
    for image in node_images_of(context).await? {
        let name = image.references.first().unwrap_or(&image.id).clone();
        table.row([
            name,
            label(&image, KUBERNETES),
            label(&image, ARCH),
            match image.labels.get(EMULATION) {
                Some(emulation) => emulation.clone(),
                None => Emulation::Native.to_string(),
            },
            mib(image.size),
        ]);
    }
    if table.is_empty() {
        context
            .printer
            .tell("no node images; `cargo kcluster images build` makes one");
    } else {
        context.printer.data(&table.to_string());
    }
    Ok(())
}

/// Says of each image that tests name whether ours or the official one runs.
async fn test_images(context: &Context) -> anyhow::Result<()> {
    let (version, source) = (
        image::version(&context.settings)?,
        image::source(&context.settings)?,
    );
    context.follow()?;
    let listing = async {
        let builder = image::builder(context)?;
        Ok(builder.test_images(&source, &version).await?)
    };
    let images = image::until_cancelled(&context.cancel, listing).await;
    context.hub.finish();
    let official = context.settings.e2e_images == E2eImages::Official;
    let mut table = Table::new(["image", "runs", "from"]);
    for image in images? {
        let (runs, from) = match image.made {
            Made::From(source) if !official => ("built", source),
            Made::From(_) => ("official", "its registry"),
            Made::Unused => ("official", "its registry; no conformance spec runs it"),
            Made::Unknown => ("official", "its registry; nothing here makes it"),
        };
        table.row([image.reference, runs.to_owned(), from.to_owned()]);
    }
    context.printer.data(&table.to_string());
    Ok(())
}

async fn sizes(context: &Context) -> anyhow::Result<()> {
    let mut table = Table::new(["what", "size", "last used"]).numbers(1);
    for image in node_images_of(context).await? {
        let name = image.references.first().unwrap_or(&image.id).clone();
        table.row([name, mib(image.size), "in the engine".to_owned()]);
    }
    let listed = Cache::open(&context.settings.cache_dir)?.list()?;
    let total: u64 = listed.iter().map(|entry| entry.size).sum();
    for entry in listed {
        let used = Timestamp::try_from(entry.used).map_or_else(
            |_| "-".to_owned(),
            |used| used.strftime("%Y-%m-%d %H:%M").to_string(),
        );
        table.row([entry.what, mib(entry.size), used]);
    }
    table.row(["all cached builds".to_owned(), mib(total), String::new()]);
    context.printer.data(&table.to_string());
    Ok(())
}

/// Images that a node was made from stay, whoever's node it is.
async fn remove_unused(
    context: &Context,
    engine: &dyn Engine,
    images: impl IntoIterator<Item = ImageInfo>,
) -> anyhow::Result<()> {
    let nodes = engine.nodes(&Labels::new()).await?;
    let used: BTreeSet<String> = nodes.into_iter().map(|node| node.image).collect();
    for image in images {
        let name = image.references.first().unwrap_or(&image.id).clone();
        if used.contains(&image.id)
            || image
                .references
                .iter()
                .any(|reference| used.contains(reference))
        {
            context
                .printer
                .tell(&format!("kept {name}: a cluster uses it"));
        } else {
            engine.remove_image(&name).await?;
            context.printer.tell(&format!("removed {name}"));
        }
    }
    Ok(())
}

fn tell_pruned(context: &Context, pruned: &Pruned) {
    let freed: u64 = pruned.removed.iter().map(|entry| entry.size).sum();
    let (count, kept) = (pruned.removed.len(), pruned.in_use.len());
    context.printer.tell(&format!(
        "removed {count} cached builds, {}; {kept} are in use",
        mib(freed)
    ));
}

async fn prune(context: &Context, unused_for: Timeout) -> anyhow::Result<()> {
    let engine = engine::open(&context.settings).await?;
    let images = engine.images(&node_images()).await?;
    remove_unused(context, engine.as_ref(), images).await?;
    let pruned = Cache::open(&context.settings.cache_dir)?.prune(unused_for.0)?;
    tell_pruned(context, &pruned);
    Ok(())
}

async fn remove(context: &Context) -> anyhow::Result<()> {
    let settings = &context.settings;
    let (engine, info) = engine::probe(settings, &context.hub).await?;
    let request = image::request(settings, settings.platform_on(info.arch)?)?;
    let reference = match settings.image.given() {
        Some(given) => given.clone(),
        None => request.reference()?,
    };
    // What was not made here is not ours to remove, whatever its name.
    let mut images = engine.images(&node_images()).await?;
    images.retain(|image| image.references.contains(&reference));
    if images.is_empty() {
        let told = format!("the engine has no node image {reference}");
        context.printer.tell(&told);
    }
    remove_unused(context, engine.as_ref(), images).await?;
    let pruned =
        Cache::open(&settings.cache_dir)?.remove(&request.version, request.platform.arch())?;
    tell_pruned(context, &pruned);
    Ok(())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
