//! One set of packages, extracted, finished and packed as a layer.

use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::Arch;

use super::{Mirrors, finish};
use crate::builder::Builder;
use crate::cache::blocking;
use crate::catalogue::{Catalogue, Packages};
use crate::command::{Run, Tool};
use crate::error::{Error, Result};
use crate::oci::Layer;
use crate::recipe::{Key, Recipe};
use crate::tree::Tree;

const TOOL: Tool = Tool {
    purpose: "extract Debian packages",
    package: "mmdebstrap",
};

/// Where Debian and Ubuntu put the keys that Debian signs with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Packages of the catalogue under the name they have there.
pub(crate) struct PackageSet<'a> {
    pub(crate) name: &'a str,
    pub(crate) packages: &'a Packages,
    pub(crate) arch: Arch,
}

impl PackageSet<'_> {
    /// Hash of what decides how it looks, apart from what the mirror has today.
    pub(crate) fn recipe(&self) -> Key {
        Recipe::new("debian", finish::REVISION)
            .with("suite", &Catalogue::get().debian.suite)
            .with("arch", self.arch.debian())
            .with_all("packages", &self.packages.include)
            .with_all("drop", &self.packages.drop)
            .with_all(
                "links",
                self.packages
                    .links
                    .iter()
                    .map(|(from, to)| format!("{from} {to}")),
            )
            .with(
                "busybox",
                if self.packages.busybox_links {
                    "all"
                } else {
                    ""
                },
            )
            .key()
    }
}

impl Builder {
    /// The finished tree of a set of packages, on which more can be laid.
    pub(crate) async fn packages(
        &self,
        set: &PackageSet<'_>,
    ) -> Result<(Tree, crate::cache::Entry)> {
        let suite = &Catalogue::get().debian.suite;
        let what = format!("Debian {suite} packages for {} ({})", set.name, set.arch);
        let entry = self
            .cache
            .get(
                ("debian", &set.recipe()),
                &what,
                &*self.sink,
                async |dir: PathBuf| {
                    let raw = dir.join("extracted.tar");
                    self.extract(set, suite, &dir, &raw).await?;
                    let packages = set.packages.clone();
                    let tree = blocking({
                        let raw = raw.clone();
                        move || finish::finish(Tree::from_tar(&raw)?, &packages)
                    })
                    .await?;
                    Layer::save(tree, &dir.join("tree.tar")).await?;
                    fs::remove_file(&raw)?;
                    Ok(())
                },
            )
            .await?;
        let tar = entry.path("tree.tar");
        let tree = blocking(move || Tree::from_tar(&tar)).await?;
        Ok((tree, entry))
    }

    /// Writes the packages of a set, as they are, into the tar file `to`.
    pub(crate) async fn extract(
        &self,
        set: &PackageSet<'_>,
        suite: &str,
        dir: &Path,
        to: &Path,
    ) -> Result<()> {
        let keyring = Path::new(KEYRING);
        if !keyring.exists() {
            return Err(Error::NoKeyring {
                path: keyring.to_owned(),
                package: "debian-archive-keyring",
            });
        }
        let mirrors = Mirrors::find(
            self.settings.debian_mirror.as_deref(),
            Path::new("/etc/apt"),
            suite,
        )?;
        let _slot = self.slot().await;
        let lines = mirrors.lines(suite, keyring);
        let Err(error) = mmdebstrap(set, suite, dir, to, &lines).await else {
            return Ok(());
        };
        // Mirrors that hold few architectures' updates in good order hold the release itself all the same.
        let Some(release) = lines.get(..1).filter(|_| lines.len() > 1) else {
            return Err(error);
        };
        if mmdebstrap(set, suite, dir, to, release).await.is_err() {
            return Err(error);
        }
        let said = match &error {
            Error::Command(failed) => failed.tail.first().map_or_else(String::new, String::clone),
            error => error.to_string(),
        };
        self.sink.warn(&format_args!(
            "the mirror's updates of Debian {suite} for {} cannot be used, so packages for {} are those of the release alone: {said}",
            set.arch, set.name
        ));
        Ok(())
    }
}

async fn mmdebstrap(
    set: &PackageSet<'_>,
    suite: &str,
    dir: &Path,
    to: &Path,
    sources: &[String],
) -> Result<()> {
    let scratch = dir.join("scratch");
    fs::create_dir_all(&scratch)?;
    Run::new("mmdebstrap", dir)
        .brought_by(TOOL)
        // Extracting runs no maintainer script, so it needs no emulator for another architecture.
        .args(["--variant=extract", "--format=tar", "--quiet"])
        .arg(format!("--architectures={}", set.arch.debian()))
        .arg(format!("--include={}", set.packages.include.join(",")))
        .arg("--aptopt=Acquire::Languages \"none\"")
        .arg("--aptopt=Acquire::Retries \"3\"")
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg(suite)
        .arg(to)
        .args(sources)
        .env("TMPDIR", &scratch)
        .output()
        .await?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}
