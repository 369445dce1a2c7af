//! An image as one stream that is an OCI layout and what `docker save` writes at the same time.

use std::collections::BTreeMap;
use std::io::{self, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::layer::{Layer, Meter};
use crate::error::Result;
use crate::recipe::sha256;

/// How the engine starts a container of the image; field names are OCI's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ImageConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) exposed_ports: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) working_dir: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
}

/// A complete image; [`stream`](Self::stream) gives its bytes.
#[derive(Debug, Clone)]
pub struct ImageArchive {
    documents: Vec<(String, Vec<u8>)>,
    layers: Vec<Layer>,
    /// Digest of the image's configuration, which engines call the image's id.
    pub id: String,
}

const CHUNK: usize = 1 << 18;

/// An image of these layers, the lowest first.
pub(crate) fn image(
    reference: &str,
    architecture: &str,
    config: &ImageConfig,
    layers: Vec<Layer>,
) -> Result<ImageArchive> {
    let diff_ids: Vec<String> = layers
        .iter()
        .map(|layer| format!("sha256:{}", layer.digest))
        .collect();
    let mut config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    if layers.iter().any(|layer| layer.what.is_some()) {
        let told = layers.iter().map(|layer| {
            json!({
                "created": "1970-01-01T00:00:00Z",
                "created_by": layer.what.unwrap_or_default(),
            })
        });
        config["history"] = told.collect();
    }
    let config = to_vec(&config)?;
    let config_digest = digest(&config)?;
    let manifest = to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config_digest, config.len() as u64),
        "layers": layers.iter().map(|layer| {
            descriptor("application/vnd.oci.image.layer.v1.tar", &layer.digest, layer.size)
        }).collect::<Vec<_>>(),
    }))?;
    let manifest_digest = digest(&manifest)?;
    let mut listed = descriptor(
        "application/vnd.oci.image.manifest.v1+json",
        &manifest_digest,
        manifest.len() as u64,
    );
    let tag = reference.rsplit_once(':').map_or(reference, |(_, tag)| tag);
    listed["platform"] = json!({ "os": "linux", "architecture": architecture });
    listed["annotations"] = json!({
        "io.containerd.image.name": format!("docker.io/{reference}"),
        "org.opencontainers.image.ref.name": tag,
    });
    let index = to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [listed],
    }))?;
    let docker = to_vec(&json!([{
        "Config": blob(&config_digest),
        "RepoTags": [reference],
        "Layers": layers.iter().map(|layer| blob(&layer.digest)).collect::<Vec<_>>(),
    }]))?;
    Ok(ImageArchive {
        documents: vec![
            (
                "oci-layout".into(),
                br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
            ),
            ("index.json".into(), index),
            ("manifest.json".into(), docker),
            (blob(&config_digest), config),
            (blob(&manifest_digest), manifest),
        ],
        layers,
        id: format!("sha256:{config_digest}"),
    })
}

fn blob(digest: &str) -> String {
    format!("blobs/sha256/{digest}")
}

fn digest(bytes: &[u8]) -> Result<String> {
    Ok(sha256(bytes)?.0)
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

fn to_vec(value: &serde_json::Value) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value).map_err(io::Error::from)?)
}

impl ImageArchive {
    /// Its configuration, as it is written.
    pub(crate) fn config(&self) -> Option<&[u8]> {
        let place = blob(self.id.strip_prefix("sha256:")?);
        let found = self.documents.iter().find(|(name, _)| *name == place);
        found.map(|(_, bytes)| bytes.as_slice())
    }

    /// Its layers, the lowest first.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of all files in all layers.
    #[must_use]
    pub fn unpacked_size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.tree.size()).sum()
    }

    /// Bytes of files in each layer, the lowest first.
    #[must_use]
    pub fn layer_sizes(&self) -> Vec<u64> {
        self.layers.iter().map(|layer| layer.tree.size()).collect()
    }

    /// What the archive holds, by name: for small images.
    pub(crate) fn files(&self) -> io::Result<BTreeMap<String, Vec<u8>>> {
        let mut files: BTreeMap<String, Vec<u8>> = self.documents.iter().cloned().collect();
        for layer in &self.layers {
            let mut bytes = Vec::new();
            layer.tree.write(&mut bytes)?;
            files.insert(blob(&layer.digest), bytes);
        }
        Ok(files)
    }

    /// The archive's bytes. Reading ends with an error when a file it is made of has changed meanwhile.
    #[must_use]
    pub fn stream(&self) -> impl AsyncRead + Send + Unpin + use<> {
        let (sender, receiver) = mpsc::channel(4);
        let archive = self.clone();
        tokio::task::spawn_blocking(move || {
            let out = io::BufWriter::with_capacity(CHUNK, Pipe(sender.clone()));
            if let Err(error) = archive.write(out) {
                // Nobody reads any more when this fails, so nobody misses the error.
                let _ = sender.blocking_send(Err(error));
            }
        });
        let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        StreamReader::new(Box::pin(stream))
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// When it cannot be written, or a file it is made of has changed.
    pub fn write(&self, to: impl Write) -> io::Result<()> {
        let mut tar = tar::Builder::new(to);
        for (name, bytes) in &self.documents {
            let mut header = header(bytes.len() as u64);
            tar.append_data(&mut header, name, &bytes[..])?;
        }
        let mut written = Vec::new();
        for layer in &self.layers {
            // Two layers may be the same, but a tar file should name a file once.
            if written.contains(&&layer.digest) {
                continue;
            }
            written.push(&layer.digest);
            let mut header = header(layer.size);
            header.set_path(blob(&layer.digest))?;
            header.set_cksum();
            let out = tar.get_mut();
            out.write_all(header.as_bytes())?;
            let mut meter = Meter::new(out);
            layer.tree.write(&mut meter)?;
            let (digest, size) = meter.finish();
            if digest != layer.digest {
                return Err(io::Error::other(format!(
                    "a layer has changed since it was made: it was {}, now it is {digest}; build the image again",
                    layer.digest
                )));
            }
            let padding = usize::try_from(size.next_multiple_of(512) - size).unwrap_or_default();
            tar.get_mut().write_all(&[0; 512][..padding])?;
        }
        tar.into_inner()?.flush()
    }
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

/// The writing end of a stream.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .blocking_send(Ok(Bytes::copy_from_slice(bytes)))
            .map_err(|_| {
                io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the image any more")
            })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
