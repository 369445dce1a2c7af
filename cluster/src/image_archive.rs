//! An image archive cut down to what nodes of one platform run. Pure.
//!
//! `docker save` of Docker's containerd store, and tools that copy whole indices, write an
//! index of many platforms, of which some have no content in the archive. What a node would
//! complain about by a digest is decided, and named, here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use kcluster_matrix::Arch;
use serde_json::{Value, json};
use thiserror::Error;

/// Why nodes cannot take an archive.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It is no tar archive.
    #[error("it is no tar archive: {0}")]
    Tar(#[from] io::Error),
    /// It is an archive of something else.
    #[error("it holds no images: neither index.json (OCI) nor manifest.json (Docker) is in it")]
    NoImages,
    /// One of its files is not what it should be.
    #[error("{0} in it cannot be read")]
    Malformed(String),
    /// None of its platforms is the nodes'.
    #[error("image {image} is for {}, and the nodes are linux/{wanted}; build or save it for linux/{wanted} too", found.join(", "))]
    OtherPlatform {
        /// The image.
        image: String,
        /// What there is.
        found: Vec<String>,
        /// What the nodes are.
        wanted: Arch,
    },
    /// The index names the platform, but its content was not there.
    #[error(
        "image {image} names linux/{wanted}, but its {part} ({digest}) is not there; pull it for that platform, as with `docker pull --platform linux/{wanted}`, and save it again if this is a file"
    )]
    Absent {
        /// The image.
        image: String,
        /// Manifest, configuration or layer.
        part: &'static str,
        /// Which.
        digest: String,
        /// What the nodes are.
        wanted: Arch,
    },
}

/// The part of `archive` for `arch`, as an archive that holds nothing else. One in Docker's
/// older layout is of one platform and stays as it is.
///
/// # Errors
/// Names the image, and what is missing of it.
pub(crate) fn for_platform(archive: Vec<u8>, arch: Arch) -> Result<Vec<u8>, ArchiveError> {
    let archive = unpacked(archive)?;
    let files = Files::read(&archive)?;
    match (files.json("index.json")?, files.json("manifest.json")?) {
        (Some(index), _) => files.oci(&index, arch),
        (None, Some(manifest)) => {
            files.docker(&manifest, arch)?;
            Ok(archive)
        }
        (None, None) => Err(ArchiveError::NoImages),
    }
}

/// The archive as it was before it was compressed, if it was.
fn unpacked(archive: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    if archive.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(&archive[..]).read_to_end(&mut plain)?;
    } else if archive.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        zstd::Decoder::new(&archive[..])?.read_to_end(&mut plain)?;
    } else {
        return Ok(archive);
    }
    Ok(plain)
}

/// The files of an archive by path.
struct Files<'a>(BTreeMap<String, &'a [u8]>);

impl<'a> Files<'a> {
    fn read(archive: &'a [u8]) -> Result<Self, ArchiveError> {
        let mut files: BTreeMap<String, &[u8]> = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries()? {
            let entry = entry?;
            let path = plain(&entry.path()?.to_string_lossy());
            if entry.link_name()?.is_some() {
                // Docker's older layout links layers that several images have; nobody reads them here.
                files.entry(path).or_default();
                continue;
            }
            let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
            let end = start.saturating_add(usize::try_from(entry.size()).unwrap_or(usize::MAX));
            let content = archive.get(start..end);
            let content = content.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            files.insert(path, content);
        }
        Ok(Self(files))
    }

    fn json(&self, path: &str) -> Result<Option<Value>, ArchiveError> {
        let Some(content) = self.0.get(path) else {
            return Ok(None);
        };
        serde_json::from_slice(content)
            .map(Some)
            .map_err(|_| ArchiveError::Malformed(path.to_owned()))
    }

    fn blob(&self, digest: &str) -> Result<Option<Value>, ArchiveError> {
        self.json(&blob(digest))
    }

    /// Every image of the index, each by the one manifest that nodes of `arch` run.
    fn oci(&self, index: &Value, arch: Arch) -> Result<Vec<u8>, ArchiveError> {
        let mut kept = BTreeSet::new();
        let mut manifests = Vec::new();
        for image in list(&index["manifests"]) {
            let name = name(image);
            let Some((mut chosen, manifest)) = self.choose(image, &name, arch)? else {
                continue;
            };
            let digest = text(&chosen["digest"]);
            kept.insert(blob(&digest));
            for (part, descriptor) in parts(&manifest) {
                let digest = text(&descriptor["digest"]);
                let path = blob(&digest);
                if !self.0.contains_key(&path) {
                    return Err(ArchiveError::Absent {
                        image: name,
                        part,
                        digest,
                        wanted: arch,
                    });
                }
                kept.insert(path);
            }
            // The image keeps its name, which stands beside the index.
            chosen["annotations"] = image["annotations"].clone();
            manifests.push(chosen);
        }
        if manifests.is_empty() {
            return Err(ArchiveError::NoImages);
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        let mut builder = tar::Builder::new(Vec::new());
        let layout = br#"{"imageLayoutVersion":"1.0.0"}"#;
        append(&mut builder, "oci-layout", layout)?;
        append(&mut builder, "index.json", index.to_string().as_bytes())?;
        for path in &kept {
            if let Some(content) = self.0.get(path) {
                append(&mut builder, path, content)?;
            }
        }
        Ok(builder.into_inner()?)
    }

    /// The descriptor and the manifest of the image for `arch`; none if it is no image, such
    /// as the attestation of how one was built.
    fn choose(
        &self,
        image: &Value,
        name: &str,
        arch: Arch,
    ) -> Result<Option<(Value, Value)>, ArchiveError> {
        let mut found = Vec::new();
        let mut waiting = vec![image.clone()];
        let mut chosen = None;
        while let Some(descriptor) = waiting.pop() {
            let digest = text(&descriptor["digest"]);
            let content = self.blob(&digest)?;
            let nested = content.as_ref().map(|content| list(&content["manifests"]));
            if let Some(nested) = nested.filter(|nested| !nested.is_empty()) {
                waiting.extend(nested.iter().cloned());
                continue;
            }
            let Some(platform) = self.platform(&descriptor, content.as_ref())? else {
                continue;
            };
            if platform == format!("linux/{arch}") {
                chosen = Some((descriptor, content, digest));
            }
            found.push(platform);
        }
        match chosen {
            Some((descriptor, Some(manifest), _)) => Ok(Some((descriptor, manifest))),
            Some((_, None, digest)) => Err(ArchiveError::Absent {
                image: name.to_owned(),
                part: "manifest",
                digest,
                wanted: arch,
            }),
            None if found.is_empty() => Ok(None),
            None => {
                found.sort();
                Err(ArchiveError::OtherPlatform {
                    image: name.to_owned(),
                    found,
                    wanted: arch,
                })
            }
        }
    }

    /// What a manifest is for: as its descriptor says, or else its configuration.
    fn platform(
        &self,
        descriptor: &Value,
        manifest: Option<&Value>,
    ) -> Result<Option<String>, ArchiveError> {
        let mut said = descriptor["platform"].clone();
        if said.is_null()
            && let Some(manifest) = manifest
            && let Some(config) = self.blob(&text(&manifest["config"]["digest"]))?
        {
            said = config;
        }
        let (os, arch) = (text(&said["os"]), text(&said["architecture"]));
        let known = !arch.is_empty() && arch != "unknown";
        Ok(known.then(|| format!("{os}/{arch}")))
    }

    /// Whether each image of Docker's older layout is for `arch`.
    fn docker(&self, manifest: &Value, arch: Arch) -> Result<(), ArchiveError> {
        for image in list(manifest) {
            let config = text(&image["Config"]);
            let name = list(&image["RepoTags"])
                .first()
                .map_or_else(|| config.clone(), text);
            let Some(said) = self.json(&plain(&config))? else {
                return Err(ArchiveError::Absent {
                    image: name,
                    part: "configuration",
                    digest: config,
                    wanted: arch,
                });
            };
            let found = format!("{}/{}", text(&said["os"]), text(&said["architecture"]));
            if found != format!("linux/{arch}") {
                return Err(ArchiveError::OtherPlatform {
                    image: name,
                    found: vec![found],
                    wanted: arch,
                });
            }
        }
        Ok(())
    }
}

fn parts(manifest: &Value) -> Vec<(&'static str, &Value)> {
    let layers = list(&manifest["layers"]).iter();
    let config = ("configuration", &manifest["config"]);
    std::iter::once(config)
        .chain(layers.map(|layer| ("layer", layer)))
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What an image of an index is called.
fn name(image: &Value) -> String {
    let notes = &image["annotations"];
    [
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ]
    .iter()
    .find_map(|key| notes[key].as_str())
    .map_or_else(|| text(&image["digest"]), str::to_owned)
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn plain(path: &str) -> String {
    path.trim_start_matches("./")
        .trim_end_matches('/')
        .to_owned()
}

fn append(builder: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, path, content)
}

#[cfg(test)]
mod tests;
