//! Images in a tar file: an OCI layout, or what `docker save` writes.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use fs_err::os::unix::fs::FileExt as _;
use serde::Deserialize;

use super::listed::{LayerRef, Listed};
use super::problem::Problem;
use crate::error::{Error, Result};
use crate::oci::manifest::{Descriptor, Document};
use crate::recipe::sha256;

/// Manifests and configurations are far shorter.
const DOCUMENT: u64 = 8 << 20;

/// Indexes inside indexes, before giving up.
const DEPTH: usize = 3;

/// All images of the file.
pub(super) fn list(path: &Path) -> Result<Vec<Listed>> {
    let archive = Archive::open(path)?;
    let index = archive.document("index.json");
    if let Ok(index) = &index {
        let document = Document::read(index).map_err(|why| archive.malformed("index.json", why))?;
        let mut listed = Vec::new();
        archive.walk(&document, &mut listed, DEPTH)?;
        return Ok(listed);
    }
    archive.docker()
}

struct Archive {
    file: Arc<Path>,
    /// Offset and length of each file, by its name.
    entries: BTreeMap<String, (u64, u64)>,
}

impl Archive {
    fn open(path: &Path) -> Result<Self> {
        let mut file = fs::File::open(path)?;
        let mut head = [0; 2];
        if file.read(&mut head)? == 2 && head == [0x1f, 0x8b] {
            return Err(Error::malformed(
                path.display().to_string(),
                "it is packed by gzip; unpack it first (`gunzip`)",
            ));
        }
        let mut tar = tar::Archive::new(fs::File::open(path)?);
        let mut entries = BTreeMap::new();
        let mut links = Vec::new();
        let broken = |error: std::io::Error| Error::malformed(path.display().to_string(), error);
        for entry in tar.entries_with_seek().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let name = clean(&String::from_utf8_lossy(&entry.path_bytes()));
            match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    entries.insert(name, (entry.raw_file_position(), entry.size()));
                }
                // Engines write layers that two images share once, and link to them.
                tar::EntryType::Symlink | tar::EntryType::Link => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    let target = String::from_utf8_lossy(&target).into_owned();
                    let hard = entry.header().entry_type() == tar::EntryType::Link;
                    links.push((name, target, hard));
                }
                _ => {}
            }
        }
        for (name, target, hard) in links {
            let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
            let target = if hard {
                clean(&target)
            } else {
                clean(&format!("{parent}/{target}"))
            };
            if let Some(place) = entries.get(&target).copied() {
                entries.insert(name, place);
            }
        }
        Ok(Self {
            file: path.into(),
            entries,
        })
    }

    fn malformed(&self, what: &str, why: impl std::fmt::Display) -> Error {
        Error::malformed(format!("{what} of {}", self.file.display()), why)
    }

    fn document(&self, name: &str) -> Result<Vec<u8>> {
        let Some((offset, len)) = self.entries.get(name).copied() else {
            return Err(self.malformed(name, "it is not there"));
        };
        if len > DOCUMENT {
            return Err(self.malformed(name, format!("{len} bytes are too many")));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(std::io::Error::other)?];
        fs::File::open(&*self.file)?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// A manifest or configuration, which must be what its digest says.
    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Problem> {
        let damaged = |why: String| Problem::Damaged {
            what: descriptor.digest.clone(),
            why,
        };
        let bytes = self
            .document(&place(&descriptor.digest))
            .map_err(|error| damaged(error.to_string()))?;
        let (found, _) = sha256(&bytes[..]).map_err(|error| damaged(error.to_string()))?;
        if format!("sha256:{found}") == descriptor.digest {
            Ok(bytes)
        } else {
            Err(damaged(format!(
                "its content has the digest sha256:{found}"
            )))
        }
    }

    fn layer(&self, name: &str) -> LayerRef {
        self.entries.get(name).map_or_else(
            || LayerRef::Missing(name.to_owned()),
            |(offset, len)| LayerRef::Slice {
                file: Arc::clone(&self.file),
                offset: *offset,
                len: *len,
            },
        )
    }

    fn walk(&self, document: &Document, listed: &mut Vec<Listed>, depth: usize) -> Result<()> {
        for descriptor in &document.manifests {
            if descriptor.is_attestation() {
                continue;
            }
            let refused = |problem: Problem| Listed {
                declared: descriptor.platform.clone(),
                digest: descriptor.digest.clone(),
                config: Err(problem),
                layers: Vec::new(),
            };
            let bytes = match self.blob(descriptor) {
                Ok(bytes) => bytes,
                Err(problem) => {
                    listed.push(refused(problem));
                    continue;
                }
            };
            let inner = match Document::read(&bytes) {
                Ok(inner) => inner,
                Err(why) => {
                    let what = descriptor.digest.clone();
                    listed.push(refused(Problem::Damaged { what, why }));
                    continue;
                }
            };
            if inner.is_index() {
                if depth == 0 {
                    return Err(self.malformed(&descriptor.digest, "indexes are nested too deep"));
                }
                self.walk(&inner, listed, depth - 1)?;
                continue;
            }
            let config = match &inner.config {
                Some(config) => self.blob(config),
                None => Err(Problem::Damaged {
                    what: descriptor.digest.clone(),
                    why: "the manifest names no configuration".to_owned(),
                }),
            };
            listed.push(Listed {
                declared: descriptor.platform.clone(),
                digest: descriptor.digest.clone(),
                config,
                layers: inner
                    .layers
                    .iter()
                    .map(|layer| self.layer(&place(&layer.digest)))
                    .collect(),
            });
        }
        Ok(())
    }

    /// Engines before version 25 write no index.
    fn docker(&self) -> Result<Vec<Listed>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Image {
            config: String,
            layers: Vec<String>,
        }
        let bytes = self.document("manifest.json").map_err(|_| {
            Error::malformed(
                self.file.display().to_string(),
                "it holds neither index.json nor manifest.json, so it is no archive of images",
            )
        })?;
        let images: Vec<Image> =
            serde_json::from_slice(&bytes).map_err(|why| self.malformed("manifest.json", why))?;
        Ok(images
            .into_iter()
            .map(|image| Listed {
                declared: None,
                digest: image
                    .config
                    .trim_end_matches(".json")
                    .trim_start_matches("blobs/sha256/")
                    .to_owned(),
                config: self
                    .document(&image.config)
                    .map_err(|error| Problem::Damaged {
                        what: image.config.clone(),
                        why: error.to_string(),
                    }),
                layers: image.layers.iter().map(|layer| self.layer(layer)).collect(),
            })
            .collect())
    }
}

/// Where an OCI layout keeps the blob of that digest.
fn place(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn clean(path: &str) -> String {
    let mut clean: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean.join("/")
}
