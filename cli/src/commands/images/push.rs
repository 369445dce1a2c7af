//! `images push REF…`: node images of several architectures as one index in a registry.

use kcluster_images::{NodeImage, push_index};
use kcluster_matrix::{Arch, Platform, Sink};

use crate::config::{ImageFlags, Layer, SourceFlags};
use crate::context::Context;
use crate::error::Told;
use crate::{image, interrupt};

#[derive(Debug, clap::Args)]
pub(super) struct Push {
    /// Names to push to, such as registry.example/kcluster/node:v1.36.3
    #[arg(value_name = "REF", required = true)]
    references: Vec<String>,
    /// Architectures of the index; each image is for machines of its own
    #[arg(long, value_name = "ARCH,…", value_delimiter = ',', default_values_t = Arch::ALL)]
    platforms: Vec<Arch>,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    source: SourceFlags,
}

impl Push {
    pub(super) fn layer(&self) -> Layer {
        Layer::of([&self.image.0, &self.source.0])
    }

    pub(super) async fn run(self, context: &Context) -> anyhow::Result<()> {
        image::version(&context.settings)?;
        image::source(&context.settings)?;
        let mut platforms = self.platforms.clone();
        platforms.sort();
        platforms.dedup();
        if platforms.len() != self.platforms.len() {
            return Err(Told::input("--platforms names an architecture twice").into());
        }
        context.follow()?;
        let result = self.push(context, &platforms).await;
        context.hub.finish();
        let pushed = interrupt::or_interrupted(result, &context.cancel)?;
        context.printer.data(&pushed.join("\n"));
        Ok(())
    }

    async fn push(&self, context: &Context, platforms: &[Arch]) -> anyhow::Result<Vec<String>> {
        let builder = image::builder(context)?;
        image::until_cancelled(&context.cancel, async {
            let mut images: Vec<(Arch, NodeImage)> = Vec::new();
            for arch in platforms {
                // Not one with native plumbing of this machine: it boots on machines of its own architecture.
                let request = image::request(&context.settings, Platform::native(*arch))?;
                images.push((*arch, builder.node_image(&request).await?));
            }
            let parts: Vec<(Arch, &kcluster_images::ImageArchive)> = images
                .iter()
                .map(|(arch, image)| (*arch, &image.archive))
                .collect();
            let mut pushed = Vec::new();
            for reference in &self.references {
                context.hub.note(&format_args!("pushing {reference}"));
                let digest = push_index(&builder, reference, &parts).await?;
                pushed.push(format!("{reference}@{digest}"));
            }
            Ok(pushed)
        })
        .await
    }
}
