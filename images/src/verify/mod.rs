//! Whether each platform of an image is what it says: manifest and configuration against the programs inside.
//!
//! An image comes from an archive or a registry ([`ImageSource`]); its layers are read once, and of each file only
//! what decides whether programs start is kept. The judgement itself (`check`) is pure.

mod archive;
mod check;
mod elf;
mod export;
pub(crate) mod listed;
pub(crate) mod problem;
mod rootfs;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use fs_err as fs;
use serde::Deserialize;

pub use elf::Machine;
pub use export::export;
pub use problem::{Finding, Problem};

use crate::cache::blocking;
use crate::error::{Error, Result};
use crate::registry::Registry;
use listed::{LayerRef, Listed};
use rootfs::Rootfs;

pub use crate::oci::manifest::Platform;

/// One platform of an image, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformVerdict {
    /// As the index names it, or the configuration where there is no index.
    pub platform: Platform,
    /// Digest of its manifest, or its configuration's where there is none.
    pub digest: String,
    /// All that does not agree.
    pub findings: Vec<Finding>,
}

impl PlatformVerdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.findings.iter().any(|finding| finding.wrong)
    }
}

/// Where an image is looked for.
#[derive(Debug, Clone)]
pub enum ImageSource {
    /// An OCI layout or what `docker save` writes, as a tar file.
    Archive(PathBuf),
    /// A reference in a registry.
    Registry(String),
}

/// What an image's configuration says of running it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    os: String,
    architecture: String,
    variant: Option<String>,
    env: Vec<String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    working_dir: String,
    diff_ids: Vec<String>,
}

impl Config {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            os: String,
            #[serde(default)]
            architecture: String,
            #[serde(default)]
            variant: Option<String>,
            #[serde(default)]
            config: Option<Run>,
            #[serde(default)]
            rootfs: Layers,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Run {
            env: Option<Vec<String>>,
            entrypoint: Option<Vec<String>>,
            cmd: Option<Vec<String>>,
            working_dir: Option<String>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Layers {
            diff_ids: Vec<String>,
        }
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let run = document.config.unwrap_or_default();
        Ok(Self {
            os: document.os,
            architecture: document.architecture,
            variant: document.variant,
            env: run.env.unwrap_or_default(),
            entrypoint: run.entrypoint.unwrap_or_default(),
            cmd: run.cmd.unwrap_or_default(),
            working_dir: run.working_dir.unwrap_or_default(),
            diff_ids: document.rootfs.diff_ids,
        })
    }

    fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone(),
        }
    }
}

/// Looks into every platform of an image.
///
/// # Errors
/// When the image cannot be found or reached. What is wrong inside is no error: it is in the verdicts.
pub async fn verify(source: &ImageSource) -> Result<Vec<PlatformVerdict>> {
    let (registry, listed) = images_of(source).await?;
    if listed.is_empty() {
        return Err(Error::malformed(
            source.to_string(),
            "there is no image for any platform in it",
        ));
    }
    let mut verdicts = Vec::new();
    for image in listed {
        verdicts.push(judge(image, registry.as_ref()).await?);
    }
    Ok(verdicts)
}

/// What a source stands for, and the registry to ask for layers if it is one.
async fn images_of(source: &ImageSource) -> Result<(Option<Registry>, Vec<Listed>)> {
    match source {
        ImageSource::Archive(path) => {
            let path = path.clone();
            Ok((None, blocking(move || archive::list(&path)).await?))
        }
        ImageSource::Registry(reference) => {
            let registry = Registry::open(reference)?;
            let listed = registry.list().await?;
            Ok((Some(registry), listed))
        }
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(path) => write!(f, "{}", path.display()),
            Self::Registry(reference) => f.write_str(reference),
        }
    }
}

async fn judge(image: Listed, registry: Option<&Registry>) -> Result<PlatformVerdict> {
    let Listed {
        declared,
        digest,
        config,
        layers,
    } = image;
    let damaged = |what: String, why: String| Finding::wrong(Problem::Damaged { what, why });
    let refused = |finding: Finding| PlatformVerdict {
        platform: declared.clone().unwrap_or_default(),
        digest: digest.clone(),
        findings: vec![finding],
    };
    let config = match config {
        Ok(bytes) => match Config::read(&bytes) {
            Ok(config) => config,
            Err(why) => return Ok(refused(damaged("its configuration".into(), why))),
        },
        Err(problem) => return Ok(refused(Finding::wrong(problem))),
    };
    let platform = declared.clone().unwrap_or_else(|| config.platform());
    let mut rootfs = Rootfs::default();
    let mut findings = Vec::new();
    for (number, layer) in (1..).zip(&layers) {
        let (name, read) = match layer {
            LayerRef::Missing(name) => {
                findings.push(damaged(
                    format!("layer {number} ({name})"),
                    "it is not there".into(),
                ));
                continue;
            }
            LayerRef::Slice { file, offset, len } => {
                let mut opened = fs::File::open(&**file)?;
                opened.seek(SeekFrom::Start(*offset))?;
                let read: Box<dyn Read + Send> = Box::new(opened.take(*len));
                (format!("layer {number}"), read)
            }
            LayerRef::Blob { digest, size } => {
                let Some(registry) = registry else { continue };
                match registry.blob(digest, *size).await {
                    Ok(file) => {
                        let read: Box<dyn Read + Send> = Box::new(file);
                        (format!("layer {number} ({digest})"), read)
                    }
                    Err(error @ Error::Digest { .. }) => {
                        findings.push(damaged(
                            format!("layer {number} ({digest})"),
                            error.to_string(),
                        ));
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        let (laid, unpacked) = blocking(move || {
            let unpacked = rootfs.apply(read);
            Ok((rootfs, unpacked))
        })
        .await?;
        rootfs = laid;
        match (unpacked, config.diff_ids.get(number - 1)) {
            (Ok(found), Some(wanted)) if *wanted != format!("sha256:{found}") => {
                findings.push(Finding::wrong(Problem::OtherLayer {
                    number,
                    found,
                    wanted: wanted.clone(),
                }));
            }
            (Ok(found), None) => findings.push(Finding::wrong(Problem::OtherLayer {
                number,
                found,
                wanted: "none".into(),
            })),
            (Ok(_), Some(_)) => {}
            (Err(error), _) => findings.push(damaged(name, error.to_string())),
        }
    }
    // Programs in layers that cannot be read would be said to be missing, which is not the point.
    if findings.is_empty() {
        findings = check::check(declared.as_ref(), &config, &rootfs);
    }
    Ok(PlatformVerdict {
        platform,
        digest,
        findings,
    })
}
