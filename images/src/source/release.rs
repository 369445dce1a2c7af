//! Kubernetes from a server laid out as the project's own downloads are.

use std::path::PathBuf;

use flate2::read::GzDecoder;
use fs_err as fs;
use kcluster_matrix::version::VersionError;
use kcluster_matrix::{Arch, KubeVersion};

use super::{Binaries, Download, fetch};
use crate::builder::Builder;
use crate::cache::{Entry, blocking};
use crate::error::{Error, Result};
use crate::recipe::Recipe;

fn folder(base_url: &str, version: &KubeVersion) -> Result<String> {
    let base = base_url.trim_end_matches('/');
    if base.is_empty() {
        return Err(Error::Missing {
            source_name: "the release source".into(),
            what: "address".into(),
            detail:
                "set `source-url` in kcluster.toml, or pass --source-url or KCLUSTER_SOURCE_URL"
                    .into(),
        });
    }
    let kind = if version.is_build() { "ci" } else { "release" };
    Ok(format!("{base}/{kind}/{version}"))
}

/// The version that a marker of such a server names: `ci/latest` stands for what is in `ci/latest.txt`.
///
/// # Errors
/// When the server does not have it, or it names no version.
pub async fn marked_version(base_url: &str, marker: &str) -> Result<KubeVersion> {
    let url = format!("{}/{marker}.txt", base_url.trim_end_matches('/'));
    let text = fetch::text(&url).await?;
    let line = text.lines().next().unwrap_or_default().trim();
    line.parse()
        .map_err(|error: VersionError| Error::malformed(url, error.to_string()))
}

pub(super) async fn files(
    builder: &Builder,
    base_url: &str,
    version: &KubeVersion,
    arch: Arch,
    names: &[&str],
) -> Result<Binaries> {
    let folder = folder(base_url, version)?;
    let mut binaries = Binaries {
        files: [].into(),
        _entries: Vec::new(),
    };
    for name in names {
        let entry = checked(builder, name, &format!("{folder}/bin/linux/{arch}/{name}")).await?;
        binaries.files.insert((*name).to_owned(), entry.path(name));
        binaries._entries.push(entry);
    }
    Ok(binaries)
}

/// The file at that address, of the digest that the file beside it names.
async fn checked(builder: &Builder, name: &str, url: &str) -> Result<Entry> {
    let beside = format!("{url}.sha256");
    let text = fetch::text(&beside).await?;
    let sha256 = text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_lowercase();
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::malformed(beside, "it holds no SHA-256"));
    }
    fetch::cached(
        builder,
        name,
        &Download {
            url: url.to_owned(),
            sha256,
        },
    )
    .await
}

/// The tests come in an archive of their own.
pub(super) async fn test_programs(
    builder: &Builder,
    base_url: &str,
    version: &KubeVersion,
    arch: Arch,
) -> Result<Binaries> {
    let name = format!("kubernetes-test-linux-{arch}.tar.gz");
    let archive = checked(
        builder,
        &name,
        &format!("{}/{name}", folder(base_url, version)?),
    )
    .await?;
    let path = archive.path(&name);
    let recipe =
        Recipe::new("test-programs", 1).with("archive", path.as_os_str().as_encoded_bytes());
    let entry = builder
        .cache
        .get(
            ("test-programs", &recipe.key()),
            &format!("tests of {version} ({arch})"),
            &*builder.sink,
            async |dir: PathBuf| blocking(move || unpack(&path, &dir)).await,
        )
        .await?;
    let files = PROGRAMS
        .iter()
        .map(|program| ((*program).to_owned(), entry.path(program)))
        .collect();
    Ok(Binaries {
        files,
        _entries: vec![entry],
    })
}

const PROGRAMS: [&str; 2] = ["e2e.test", "ginkgo"];

fn unpack(archive: &std::path::Path, dir: &std::path::Path) -> Result<()> {
    let mut found = Vec::new();
    let mut tar = tar::Archive::new(GzDecoder::new(fs::File::open(archive)?));
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(program) = PROGRAMS
            .into_iter()
            .find(|name| path.ends_with(format!("test/bin/{name}")))
        else {
            continue;
        };
        entry.unpack(dir.join(program))?;
        found.push(program);
    }
    match PROGRAMS
        .into_iter()
        .find(|program| !found.contains(program))
    {
        Some(missing) => Err(Error::malformed(
            archive.display().to_string(),
            format!("it holds no test/bin/{missing}"),
        )),
        None => Ok(()),
    }
}
