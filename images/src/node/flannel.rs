//! The layer with flannel's image, for cells that have it as their network plugin.

use kcluster_matrix::cluster::FLANNEL_IMAGE;

use super::NodeImageRequest;
use super::programs::{bare_layer, config};
use super::store::{Batch, Store};
use crate::builder::Builder;
use crate::error::Result;
use crate::go::{Component, components_digest};
use crate::oci::ImageConfig;
use crate::recipe::{Key, Recipe};

const REVISION: u32 = 1;

/// The component, and so the part of a node image's recipe, that only these nodes have.
pub(super) const COMPONENT: &str = "flannel";

/// What the image is made of.
pub(super) fn digest() -> Key {
    Recipe::new("flannel", REVISION)
        .with("image", FLANNEL_IMAGE)
        .with("components", components_digest(&[COMPONENT]).as_str())
        .key()
}

/// The store with its image, on top of those in `bases`.
pub(super) async fn bake(
    builder: &Builder,
    request: &NodeImageRequest,
    bases: &[&Store],
) -> Result<Store> {
    // It is plumbing: the kernel it speaks to is the machine's.
    let machine = request.platform.machine();
    let version = FLANNEL_IMAGE
        .rsplit_once(":v")
        .map_or("", |(_, version)| version);
    let key = Recipe::new("flannel-store", REVISION)
        .with_all(
            "bases",
            bases
                .iter()
                .map(|base| base.entry.path("").into_os_string().into_encoded_bytes()),
        )
        .with("bake", components_digest(&["bake"]).as_str())
        .with("flannel", digest().as_str())
        .with("arch", machine.as_str())
        .key();
    let what = format!("image of flannel {version} ({machine})");
    builder
        .store(&what, &key, (machine, machine), bases, async || {
            let component = Component {
                name: COMPONENT,
                title: format!("flannel {version}"),
                requires: None,
                programs: &[(".", "flannel")],
                without: &[],
                tags: &[],
                ldflags: String::new(),
            };
            let entry = builder.component(&component, machine).await?;
            let mut tree = bare_layer();
            tree.file("flannel", 0o755, &entry.path("flannel"))?;
            let config = ImageConfig {
                entrypoint: vec!["/flannel".to_owned()],
                ..config()
            };
            let mut batch = Batch::default();
            let layer = batch.layer(tree);
            batch.image(vec![FLANNEL_IMAGE.to_owned()], config, &[layer]);
            Ok(batch)
        })
        .await
}
