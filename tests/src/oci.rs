//! Image archives as Docker's containerd store saves them: an index of many platforms, of
//! which some have content.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Writes an archive of image `name` to `file`. Its index names a manifest for each of `arches`; those of `held` are
/// there, each with `program` as `/program`.
///
/// # Errors
/// When the file cannot be written.
pub fn index_of_many(
    file: &Path,
    name: &str,
    program: &[u8],
    arches: &[&str],
    held: &[&str],
) -> Result<()> {
    let mut archive = tar::Builder::new(fs_err::File::create(file)?);
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "program", 0o755, program)?;
    let layer = layer.into_inner()?;
    append(&mut archive, &path(&layer), 0o644, &layer)?;
    let mut manifests = Vec::new();
    for arch in arches {
        // Stores are by content: an image has nothing of another's but the layer.
        let config = json!({
            "os": "linux", "architecture": arch, "config": { "Labels": { "image": name } },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        })
        .to_string()
        .into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer)],
        })
        .to_string()
        .into_bytes();
        let mut descriptor = described("application/vnd.oci.image.manifest.v1+json", &manifest);
        descriptor["platform"] = json!({ "os": "linux", "architecture": arch });
        manifests.push(descriptor);
        if held.contains(arch) {
            for blob in [&config, &manifest] {
                append(&mut archive, &path(blob), 0o644, blob)?;
            }
        }
    }
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": manifests });
    let index = index.to_string().into_bytes();
    append(&mut archive, &path(&index), 0o644, &index)?;
    let mut image = described(kind, &index);
    image["annotations"] = json!({ "io.containerd.image.name": name });
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [image] });
    append(
        &mut archive,
        "index.json",
        0o644,
        index.to_string().as_bytes(),
    )?;
    let layout = br#"{"imageLayoutVersion":"1.0.0"}"#;
    append(&mut archive, "oci-layout", 0o644, layout)?;
    archive.into_inner()?;
    Ok(())
}

/// Of the one image in an archive, each architecture that its index names, and whether its manifest is there.
///
/// # Errors
/// When it is no such archive.
pub fn named_and_held(file: &Path) -> Result<BTreeMap<String, bool>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(fs_err::File::open(file)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(name, content);
    }
    let json = |path: &str| -> Result<Value> {
        let content = files.get(path).with_context(|| format!("no {path}"))?;
        Ok(serde_json::from_slice(content)?)
    };
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        format!("blobs/{}", digest.replace(':', "/"))
    };
    let index = json(&blob(&json("index.json")?["manifests"][0]))?;
    let manifests = index["manifests"].as_array().context("it is no index")?;
    let of = |manifest: &Value| {
        let arch = manifest["platform"]["architecture"].as_str()?;
        Some((arch.to_owned(), files.contains_key(&blob(manifest))))
    };
    Ok(manifests.iter().filter_map(of).collect())
}

/// Writes an archive of image `name` for one `arch` to `file`, as `docker save` of an engine
/// without containerd's store does.
///
/// # Errors
/// When the file cannot be written.
pub fn plain_image(file: &Path, name: &str, program: &[u8], arch: &str) -> Result<()> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "program", 0o755, program)?;
    let layer = layer.into_inner()?;
    let config = json!({
        "os": "linux", "architecture": arch, "config": { "Entrypoint": ["/program"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    })
    .to_string();
    let hex = digest(config.as_bytes()).replace("sha256:", "");
    let config_path = format!("{hex}.json");
    let manifest =
        json!([{ "Config": config_path, "RepoTags": [name], "Layers": ["1/layer.tar"] }]);
    let mut archive = tar::Builder::new(fs_err::File::create(file)?);
    append(&mut archive, "1/layer.tar", 0o644, &layer)?;
    append(&mut archive, &config_path, 0o644, config.as_bytes())?;
    append(
        &mut archive,
        "manifest.json",
        0o644,
        manifest.to_string().as_bytes(),
    )?;
    archive.into_inner()?;
    Ok(())
}

fn described(kind: &str, content: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest(content), "size": content.len() })
}

/// What content is called by: `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let hex: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

fn path(content: &[u8]) -> String {
    format!("blobs/{}", digest(content).replace(':', "/"))
}

fn append<W: std::io::Write>(
    archive: &mut tar::Builder<W>,
    path: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    Ok(archive.append_data(&mut header, path, content)?)
}
