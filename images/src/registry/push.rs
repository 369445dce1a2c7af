//! Images of several architectures, pushed as one index.

use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use fs_err as fs;
use futures_util::TryStreamExt as _;
use kcluster_matrix::Arch;
use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use reqwest::header::HeaderValue;
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::Registry;
use crate::builder::Builder;
use crate::cache::{Entry, blocking};
use crate::error::{Error, Result};
use crate::oci::manifest::{INDEX, MANIFEST};
use crate::oci::{ImageArchive, Layer, Meter};
use crate::recipe::{Recipe, sha256};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// To be raised when layers are packed otherwise.
const REVISION: u32 = 1;

/// Bytes of a layer sent at a time.
const CHUNK: usize = 1 << 20;

/// A layer as registries take it.
struct Packed {
    digest: String,
    size: u64,
    file: PathBuf,
    _entry: Entry,
}

/// Pushes the images, each for its architecture, and an index of them under `reference`; returns the index's
/// digest. What the registry has is not sent again.
///
/// # Errors
/// When the registry refuses or cannot be reached.
pub async fn push_index(
    builder: &Builder,
    reference: &str,
    images: &[(Arch, &ImageArchive)],
) -> Result<String> {
    let registry = Registry::open(reference)?;
    registry.enter().await?;
    let mut listed = Vec::new();
    for (arch, image) in images {
        let manifest = registry.push_image(builder, image).await?;
        let digest = format!("sha256:{}", sha256(&manifest[..])?.0);
        let place = registry.reference.clone_with_digest(digest.clone());
        let size = manifest.len();
        registry.push_document(&place, manifest, MANIFEST).await?;
        listed.push(json!({
            "mediaType": MANIFEST,
            "digest": digest,
            "size": size,
            "platform": { "os": "linux", "architecture": arch.as_str() },
        }));
    }
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": listed,
    }))
    .map_err(std::io::Error::from)?;
    let digest = format!("sha256:{}", sha256(&index[..])?.0);
    let place = registry.reference.clone();
    registry.push_document(&place, index, INDEX).await?;
    Ok(digest)
}

impl Registry {
    /// Asks to be let in for writing.
    async fn enter(&self) -> Result<()> {
        self.client
            .auth(&self.reference, &self.auth, RegistryOperation::Push)
            .await
            .map(drop)
            .map_err(|error| self.failed("log in", &error))
    }

    /// Sends an image's layers and configuration; returns its manifest, which is not sent yet.
    async fn push_image(&self, builder: &Builder, image: &ImageArchive) -> Result<Vec<u8>> {
        let mut layers = Vec::new();
        for layer in image.layers() {
            let packed = builder.packed(layer).await?;
            self.push_layer(&packed).await?;
            layers.push(json!({
                "mediaType": LAYER, "digest": packed.digest, "size": packed.size,
            }));
        }
        let config = image.config().ok_or_else(|| {
            Error::malformed(self.reference.whole(), "the image has no configuration")
        })?;
        let digest = image.id.clone();
        if !self.has(&digest).await? {
            self.client
                .push_blob(&self.reference, config.to_vec(), &digest)
                .await
                .map_err(|error| self.failed("push a configuration", &error))?;
        }
        serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest, "size": config.len() },
            "layers": layers,
        }))
        .map_err(|error| std::io::Error::from(error).into())
    }

    async fn has(&self, digest: &str) -> Result<bool> {
        self.client
            .blob_exists(&self.reference, digest)
            .await
            .map_err(|error| self.failed(&format!("look for {digest}"), &error))
    }

    async fn push_layer(&self, packed: &Packed) -> Result<()> {
        if self.has(&packed.digest).await? {
            return Ok(());
        }
        let file = tokio::fs::File::open(&packed.file).await?;
        let stream =
            ReaderStream::with_capacity(file, CHUNK).map_err(OciDistributionError::IoError);
        self.client
            .push_blob_stream(&self.reference, stream, &packed.digest, Some(packed.size))
            .await
            .map(drop)
            .map_err(|error| self.failed(&format!("push the layer {}", packed.digest), &error))
    }

    async fn push_document(
        &self,
        place: &oci_client::Reference,
        bytes: Vec<u8>,
        media_type: &'static str,
    ) -> Result<()> {
        self.client
            .push_manifest_raw(place, bytes, HeaderValue::from_static(media_type))
            .await
            .map(drop)
            .map_err(|error| self.failed("push a manifest", &error))
    }
}

impl Builder {
    /// A layer packed by gzip: made once, as it takes its time.
    async fn packed(&self, layer: &Layer) -> Result<Packed> {
        let key = Recipe::new("packed", REVISION)
            .with("layer", &layer.digest)
            .key();
        let what = format!(
            "packed layer {}",
            layer.digest.get(..12).unwrap_or_default()
        );
        let entry = self
            .cache
            .get(
                ("packed", &key),
                &what,
                &*self.sink,
                async |dir: PathBuf| {
                    let _slot = self.slot().await;
                    let tree = std::sync::Arc::clone(&layer.tree);
                    blocking(move || {
                        let file = fs::File::create(dir.join("layer.tar.gz"))?;
                        let mut meter =
                            Meter::new(std::io::BufWriter::with_capacity(1 << 18, file));
                        let mut packer = GzEncoder::new(&mut meter, Compression::fast());
                        tree.write(&mut packer)?;
                        packer.finish()?;
                        std::io::Write::flush(&mut meter)?;
                        let (digest, size) = meter.finish();
                        Ok(fs::write(dir.join("digest"), format!("{digest} {size}"))?)
                    })
                    .await
                },
            )
            .await?;
        let text = fs::read_to_string(entry.path("digest"))?;
        let (digest, size) = text
            .split_once(' ')
            .and_then(|(digest, size)| Some((digest, size.parse().ok()?)))
            .ok_or_else(|| Error::malformed(&what, format!("its digest reads `{text}`")))?;
        Ok(Packed {
            digest: format!("sha256:{digest}"),
            size,
            file: entry.path("layer.tar.gz"),
            _entry: entry,
        })
    }
}
