//! One platform of an image as an archive that every engine takes.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err as fs;
use serde_json::json;

use super::listed::LayerRef;
use super::{ImageSource, images_of};
use crate::cache::blocking;
use crate::error::{Error, Result};

/// Writes the image of that digest (of those that `source` stands for) into the file `to`, named `reference`.
///
/// # Errors
/// When it cannot be read or written.
pub async fn export(source: &ImageSource, digest: &str, reference: &str, to: &Path) -> Result<()> {
    let (registry, images) = images_of(source).await?;
    let gone = |what: &str| {
        Error::malformed(
            format!("{digest} of {source}"),
            format!("{what} is not there any more"),
        )
    };
    let image = images
        .into_iter()
        .find(|image| image.digest == digest)
        .ok_or_else(|| gone("it"))?;
    let config = image
        .config
        .map_err(|problem| Error::malformed(digest, problem))?;
    let mut layers: Vec<(Box<dyn Read + Send>, u64)> = Vec::new();
    for layer in &image.layers {
        layers.push(match layer {
            LayerRef::Missing(name) => return Err(gone(name)),
            LayerRef::Slice { file, offset, len } => {
                let mut opened = fs::File::open(&**file)?;
                opened.seek(SeekFrom::Start(*offset))?;
                (Box::new(opened.take(*len)), *len)
            }
            LayerRef::Blob { digest, size } => {
                let registry = registry.as_ref().ok_or_else(|| gone("its registry"))?;
                let file = registry.blob(digest, *size).await?;
                let len = file.metadata()?.len();
                (Box::new(file), len)
            }
        });
    }
    let names: Vec<String> = (1..=layers.len())
        .map(|number| format!("{number}/layer.tar"))
        .collect();
    let list = json!([{ "Config": "config.json", "RepoTags": [reference], "Layers": names }]);
    let file = fs::File::create(to)?;
    blocking(move || {
        let mut tar = tar::Builder::new(io::BufWriter::new(file));
        let list = list.to_string().into_bytes();
        append(&mut tar, "manifest.json", list.len() as u64, &list[..])?;
        append(&mut tar, "config.json", config.len() as u64, &config[..])?;
        for (name, (read, len)) in names.iter().zip(layers) {
            append(&mut tar, name, len, read)?;
        }
        Ok(tar.into_inner()?.flush()?)
    })
    .await
}

fn append(
    tar: &mut tar::Builder<impl Write>,
    name: &str,
    size: u64,
    read: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    tar.append_data(&mut header, name, read)
}
