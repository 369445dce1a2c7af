//! `load IMAGE…`.

use std::path::Path;

use kcluster_cluster::engine::{Endpoint, connect};
use kcluster_cluster::{load_archive, load_images};
use kcluster_matrix::exit;

use crate::config::{Layer, NameFlag};
use crate::context::Context;
use crate::error::Told;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// Engine that has the images, if it is not the cluster's: unix:///run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST
    #[arg(long, value_name = "ENDPOINT")]
    from: Option<String>,
    /// References of images the engine has, or archive files (.tar)
    #[arg(required = true)]
    images: Vec<String>,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let name = &context.settings.name;
        let target = Target::find(&context.settings).await?;
        target.awake()?;
        let engine = target.engine.as_ref();
        let arch = match &target.spec {
            Some(spec) => Some(spec.cell.arch),
            None => engine.info().await?.arch,
        };
        let arch = arch.ok_or_else(|| {
            Told::input(
                "the engine's machine is of no architecture that Kubernetes is released for",
            )
        })?;
        let (archives, references): (Vec<String>, Vec<String>) =
            self.images.into_iter().partition(|image| is_archive(image));
        if self.from.is_some() && references.is_empty() {
            return Err(
                Told::input("--from names an engine, but no image of an engine is named").into(),
            );
        }
        for archive in &archives {
            let path = context.host.folder.join(archive);
            load_archive(engine, name, arch, path.as_std_path()).await?;
            context.printer.tell(&format!("loaded {archive}"));
        }
        if !references.is_empty() {
            let other = match &self.from {
                Some(from) => Some(connect(&Endpoint::from_env_or(Some(from))?).await?),
                None => None,
            };
            let from = other.as_deref().unwrap_or(engine);
            load_images(engine, from, name, arch, &references).await?;
            context
                .printer
                .tell(&format!("loaded {}", references.join(", ")));
        }
        Ok(exit::PASSED)
    }
}

/// A path or the name of an archive; `./x` is always one, `x` and `x:1` never.
fn is_archive(text: &str) -> bool {
    let extension = Path::new(text).extension();
    let packed = extension.is_some_and(|extension| extension == "tar" || extension == "tgz");
    packed || text.starts_with(['.', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_files_are_told_apart() {
        for file in ["a.tar", "./a", "/x/a", "../a.tgz"] {
            assert!(is_archive(file), "{file}");
        }
        for reference in ["a", "a:1.2", "host/a:1", "a@sha256:00"] {
            assert!(!is_archive(reference), "{reference}");
        }
    }
}
