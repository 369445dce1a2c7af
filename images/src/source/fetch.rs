//! Files from a server, kept only when they are what was promised.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use futures_util::StreamExt as _;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::{Binaries, Download};
use crate::builder::Builder;
use crate::cache::Entry;
use crate::error::{Error, Result};
use crate::recipe::{Recipe, hex};

/// A server that sends nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// Those of the files, each under its name in the cache.
pub(super) async fn each(
    builder: &Builder,
    source: &str,
    files: &BTreeMap<String, Download>,
    names: &[&str],
) -> Result<Binaries> {
    let mut binaries = Binaries {
        files: [].into(),
        _entries: Vec::new(),
    };
    for name in names {
        let file = files.get(*name).ok_or_else(|| Error::Missing {
            source_name: source.to_owned(),
            what: (*name).to_owned(),
            detail: "give its url and its sha256".to_owned(),
        })?;
        let entry = cached(builder, name, file).await?;
        binaries.files.insert((*name).to_owned(), entry.path(name));
        binaries._entries.push(entry);
    }
    Ok(binaries)
}

/// One file under that name, found by its digest: the address does not matter, and what several names are promised
/// is fetched and kept once.
pub(super) async fn cached(builder: &Builder, name: &str, file: &Download) -> Result<Entry> {
    const CONTENT: &str = "content";
    let content = async || {
        let recipe = Recipe::new("content", 1).with("sha256", file.sha256.to_lowercase());
        builder
            .cache
            .get(
                ("download", &recipe.key()),
                &file.url,
                &*builder.sink,
                async |dir: PathBuf| download(file, &dir.join(CONTENT)).await,
            )
            .await
    };
    let recipe = Recipe::new("download", 2)
        .with("name", name)
        .with("sha256", &file.sha256);
    builder
        .cache
        .get(
            ("download", &recipe.key()),
            &format!("{name} of {}", file.url),
            &*builder.sink,
            async |dir: PathBuf| {
                let content = content().await?;
                Ok(fs::hard_link(content.path(CONTENT), dir.join(name))?)
            },
        )
        .await
}

async fn download(file: &Download, to: &Path) -> Result<()> {
    let response = get(&file.url).await?;
    let promised = response.content_length();
    let mut stream = response.bytes_stream();
    let mut out = tokio::fs::File::create(to).await?;
    let mut hasher = Sha256::new();
    let mut received = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| {
            let of = promised
                .map(|length| format!(" of {length}"))
                .unwrap_or_default();
            failed(
                &file.url,
                format!(
                    "it broke off after {received}{of} bytes: {}",
                    causes(&error)
                ),
            )
        })?;
        received += chunk.len() as u64;
        hasher.update(&chunk);
        out.write_all(&chunk).await?;
    }
    out.flush().await?;
    let found = hex(&hasher.finalize());
    if found != file.sha256.to_lowercase() {
        return Err(Error::Digest {
            what: file.url.clone(),
            found,
            wanted: file.sha256.clone(),
        });
    }
    fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// A small text.
pub(crate) async fn text(url: &str) -> Result<String> {
    get(url)
        .await?
        .text()
        .await
        .map_err(|error| failed(url, causes(&error)))
}

async fn get(url: &str) -> Result<reqwest::Response> {
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(SILENCE)
        .build()
        .map_err(|error| failed(url, causes(&error)))?;
    let response = client
        .get(url)
        .send()
        .await
        .map_err(|error| failed(url, causes(&error)))?;
    let status = response.status();
    if !status.is_success() {
        return Err(failed(url, format!("the server answered {status}")));
    }
    Ok(response)
}

fn failed(url: &str, detail: impl Into<String>) -> Error {
    Error::Fetch {
        url: url.to_owned(),
        detail: detail.into(),
    }
}

/// The whole story: the outermost error of an HTTP client says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story.push_str(": ");
        story.push_str(&error.to_string());
        cause = error.source();
    }
    story
}
