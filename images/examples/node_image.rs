//! Builds a node image and writes its archive:
//! `cargo run -p kcluster-images --example node_image -- 1.36 --e2e --out node.tar`
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "an example shows what it does"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use kcluster_images::{
    Builder, Cache, NodeImageRequest, Settings, Source, host_arch, known_versions,
};
use kcluster_matrix::{EventKind, Platform, Sink, VersionRequest};

struct Lines;

impl Sink for Lines {
    fn emit(&self, kind: EventKind) {
        match kind {
            EventKind::BuildStarted { what } => eprintln!("     building {what}"),
            EventKind::BuildFinished { what, took, cached } => {
                eprintln!(
                    "{:>8.1}s {} {what}",
                    took.as_secs_f32(),
                    if cached { "have " } else { "built" }
                );
            }
            EventKind::Note { text } | EventKind::Warning { text } => eprintln!("{text}"),
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut version: VersionRequest = kcluster_images::default_version();
    let (mut e2e, mut out, mut arch, mut emulation, mut tools, mut source) =
        (false, None, host_arch()?, None, false, Source::Module);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--e2e" => e2e = true,
            "--tools" => tools = true,
            "--out" => out = Some(PathBuf::from(value()?)),
            "--arch" => arch = value()?.parse()?,
            "--emulation" => emulation = Some(value()?.parse()?),
            "--dir" => {
                source = Source::Dir {
                    path: value()?.into(),
                }
            }
            _ => version = arg.parse()?,
        }
    }
    let version = version.resolve(&known_versions())?;
    let builder = Builder::new(
        Cache::from_environment()?,
        Settings::default(),
        Arc::new(Lines),
    );
    let request = NodeImageRequest {
        source,
        version,
        platform: Platform::new(arch, host_arch()?, emulation)?,
        e2e,
        flannel: false,
    };
    println!("{}", request.reference()?);
    let started = Instant::now();
    let image = builder.node_image(&request).await?;
    eprintln!(
        "{:.1}s until the image was complete",
        started.elapsed().as_secs_f32()
    );
    println!(
        "{} {} bytes unpacked, layers {:?}",
        image.archive.id,
        image.archive.unpacked_size(),
        image.archive.layer_sizes()
    );
    for reference in &image.contains {
        println!("  {reference}");
    }
    if tools {
        println!(
            "{:#?}",
            builder
                .host_tools(&request.source, &request.version)
                .await?
        );
    }
    if let Some(out) = out {
        let mut file = tokio::fs::File::create(&out).await?;
        let size = tokio::io::copy(&mut image.archive.stream(), &mut file).await?;
        println!(
            "{size} bytes written to {} after {:.1}s",
            out.display(),
            started.elapsed().as_secs_f32()
        );
    }
    Ok(())
}
