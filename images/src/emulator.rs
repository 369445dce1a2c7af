//! An image that holds QEMU's user emulators, as a signed Debian package brings them, and the programs that
//! register and prove them. Containers of it do on any engine, near or far, what would need root here.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use fs_err as fs;
use futures_util::future::try_join_all;
use kcluster_matrix::Arch;
use kcluster_matrix::cluster::EMULATORS_REPOSITORY;

use crate::builder::Builder;
use crate::cache::{Entry, blocking};
use crate::catalogue::{Catalogue, Packages};
use crate::debian::PackageSet;
use crate::error::{Error, Result};
use crate::go::{Component, components_digest};
use crate::oci::{ImageArchive, ImageConfig, Layer, image};
use crate::recipe::{Key, Recipe};
use crate::tree::{Kind, Tree};

/// To be raised when the code here makes another image of the same parts.
const REVISION: u32 = 1;

/// Where everything lies in the image.
const FOLDER: &str = "kcluster";

const COMPONENT: &str = "emulator";

/// An image of emulators that is complete.
#[derive(Debug, Clone)]
pub struct EmulatorsImage {
    /// Its name and tag.
    pub reference: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Version of QEMU inside.
    pub version: String,
    /// Its bytes.
    pub archive: ImageArchive,
    _in_use: Vec<Entry>,
}

/// The name of the image for engines on machines of that architecture; it follows from this program alone.
#[must_use]
pub fn emulators_reference(host: Arch) -> String {
    let line = &Catalogue::get().emulator.line;
    format!(
        "{EMULATORS_REPOSITORY}:qemu{line}-{host}-{}",
        recipe(host).short()
    )
}

fn recipe(host: Arch) -> Key {
    Recipe::new("emulators-image", REVISION)
        .with("programs", components_digest(&[COMPONENT]).as_str())
        .with("qemu", qemu_recipe(host).as_str())
        .key()
}

fn qemu_recipe(host: Arch) -> Key {
    let emulator = &Catalogue::get().emulator;
    Recipe::new("qemu", REVISION)
        .with("package", &emulator.package)
        .with("line", &emulator.line)
        .with("set", package_set(&packages(), host).recipe().as_str())
        .key()
}

fn packages() -> Packages {
    Packages {
        include: vec![Catalogue::get().emulator.package.clone()],
        ..Packages::default()
    }
}

fn package_set(packages: &Packages, host: Arch) -> PackageSet<'_> {
    PackageSet {
        name: "emulators",
        packages,
        arch: host,
    }
}

/// The end of an emulator's name.
fn qemu_name(arch: Arch) -> String {
    // QEMU and the kernel agree on these four.
    format!("qemu-{}", arch.uname())
}

impl Builder {
    /// Builds the image of emulators for engines on machines of that architecture, or finds it in the cache.
    ///
    /// # Errors
    /// When something cannot be built, fetched or written, or the mirror's QEMU is of another line.
    pub async fn emulators(&self, host: Arch) -> Result<EmulatorsImage> {
        let (qemu, control, probes) = tokio::try_join!(
            self.qemu(host),
            self.emulator_program("control", host),
            try_join_all(Arch::ALL.map(|arch| self.emulator_program("probe", arch))),
        )?;
        let mut tree = Tree::default();
        let mut executable =
            |name: &str, from: &Path| tree.file(&format!("{FOLDER}/{name}"), 0o755, from);
        executable("control", &control.path("control"))?;
        for (arch, probe) in Arch::ALL.into_iter().zip(&probes) {
            executable(&format!("probe-{arch}"), &probe.path("probe"))?;
            if arch != host {
                executable(&qemu_name(arch), &qemu.path(qemu_name(arch)))?;
            }
        }
        tree.file(
            &format!("{FOLDER}/copyright"),
            0o644,
            &qemu.path("copyright"),
        )?;
        // An engine whose capabilities cannot be seen is asked by a container that runs this.
        tree.symlink("bin/cat", &format!("/{FOLDER}/control"));
        tree.dir("tmp", 0o1777);
        let version = fs::read_to_string(qemu.path("version"))?;

        let (reference, labels) = (emulators_reference(host), labels(host, &version));
        let config = ImageConfig {
            entrypoint: vec![format!("/{FOLDER}/control")],
            working_dir: "/".to_owned(),
            labels: labels.clone(),
            ..ImageConfig::default()
        };
        let layer = Layer::of(tree).await?;
        let archive = image(&reference, host.as_str(), &config, vec![layer])?;
        let mut in_use = vec![qemu, control];
        in_use.extend(probes);
        Ok(EmulatorsImage {
            reference,
            labels,
            version,
            archive,
            _in_use: in_use,
        })
    }

    async fn emulator_program(&self, name: &'static str, arch: Arch) -> Result<Entry> {
        let package = format!("./{name}");
        let component = Component {
            name: COMPONENT,
            title: format!("emulator {name}"),
            requires: None,
            programs: &[(&package, name)],
            without: &[],
            tags: &[],
            ldflags: String::new(),
        };
        self.component(&component, arch).await
    }

    /// The emulators of all other architectures that run on `host`.
    async fn qemu(&self, host: Arch) -> Result<Entry> {
        let catalogue = Catalogue::get();
        let (suite, line) = (&catalogue.debian.suite, &catalogue.emulator.line);
        let what = format!("QEMU {line} from Debian {suite} ({host})");
        self.cache
            .get(
                ("qemu", &qemu_recipe(host)),
                &what,
                &*self.sink,
                async |dir: PathBuf| {
                    let raw = dir.join("extracted.tar");
                    let packages = packages();
                    self.extract(&package_set(&packages, host), suite, &dir, &raw)
                        .await?;
                    blocking(move || {
                        unpack(&Tree::from_tar(&raw)?, host, &dir)?;
                        Ok(fs::remove_file(&raw)?)
                    })
                    .await
                },
            )
            .await
    }
}

fn labels(host: Arch, version: &str) -> BTreeMap<String, String> {
    [
        ("dev.kcluster.image", "emulators"),
        ("dev.kcluster.arch", host.as_str()),
        ("dev.kcluster.qemu", version),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Takes what is wanted out of the package's files.
fn unpack(tree: &Tree, host: Arch, dir: &Path) -> Result<()> {
    let package = &Catalogue::get().emulator.package;
    let doc = format!("usr/share/doc/{package}");
    let version = version(&content(tree, &format!("{doc}/changelog.Debian.gz"))?)?;
    for arch in Arch::ALL.into_iter().filter(|arch| *arch != host) {
        let name = qemu_name(arch);
        let program = content(tree, &format!("usr/bin/{name}"))?;
        fs::write(dir.join(name), program)?;
    }
    fs::write(
        dir.join("copyright"),
        content(tree, &format!("{doc}/copyright"))?,
    )?;
    fs::write(dir.join("version"), version)?;
    Ok(())
}

fn content(tree: &Tree, path: &str) -> Result<Vec<u8>> {
    match tree.get(path).map(|node| &node.kind) {
        Some(Kind::File(content)) => content.read(),
        _ => Err(Error::malformed(
            format!("Debian's package {}", Catalogue::get().emulator.package),
            format!("it holds no file {path}"),
        )),
    }
}

/// QEMU's version from the first line of a changelog, such as `qemu (1:10.0.13+ds-0+deb13u1) trixie; urgency=medium`.
fn version(changelog: &[u8]) -> Result<String> {
    let emulator = &Catalogue::get().emulator;
    let mut text = String::new();
    GzDecoder::new(changelog)
        .take(256)
        .read_to_string(&mut text)?;
    let of_package = text
        .lines()
        .next()
        .and_then(|line| line.split_once('(')?.1.split_once(')'))
        .map(|(version, _)| version);
    let upstream = of_package.and_then(|version| {
        let version = version
            .split_once(':')
            .map_or(version, |(_, version)| version);
        version.split(['+', '-']).next()
    });
    match upstream {
        Some(version) if version.starts_with(&format!("{}.", emulator.line)) => {
            Ok(version.to_owned())
        }
        _ => Err(Error::malformed(
            format!("Debian's package {}", emulator.package),
            format!(
                "QEMU {}.x is wanted, but the mirror brings {}",
                emulator.line,
                of_package.unwrap_or("one whose changelog cannot be read"),
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn changelog(line: &str) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let text = format!("{line}\n\n{}", "  * New upstream release.\n".repeat(100));
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    }

    fn package(line: &str) -> Tree {
        let mut tree = Tree::default();
        for arch in Arch::ALL {
            tree.text(
                &format!("usr/bin/{}", qemu_name(arch)),
                0o755,
                arch.as_str(),
            );
        }
        tree.text("usr/share/doc/qemu-user/copyright", 0o644, "GPL");
        tree.text(
            "usr/share/doc/qemu-user/changelog.Debian.gz",
            0o644,
            changelog(line),
        );
        tree
    }

    const LINE: &str = "qemu (1:10.0.13+ds-0+deb13u1) trixie; urgency=medium";

    #[test]
    fn emulators_of_all_other_architectures_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        unpack(&package(LINE), Arch::Arm64, folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name));
        assert_eq!(read("version").unwrap(), "10.0.13");
        assert_eq!(read("qemu-x86_64").unwrap(), "amd64");
        assert_eq!(read("qemu-ppc64le").unwrap(), "ppc64le");
        assert!(read("qemu-aarch64").is_err(), "the machine's own");
    }

    #[test]
    fn another_line_of_qemu_is_refused() {
        for line in [
            "qemu (1:7.2+dfsg-7+deb12u18) bookworm; urgency=medium",
            "qemu (1:10.1.2+ds-1) unstable; urgency=medium",
            "qemu (1:100.0+ds-1) unstable; urgency=medium",
            "nonsense",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let error = unpack(&package(line), Arch::Amd64, folder.path())
                .unwrap_err()
                .to_string();
            assert!(error.contains("QEMU 10.0.x is wanted"), "{error}");
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                0,
                "something was kept"
            );
        }
    }

    #[test]
    fn a_package_without_an_emulator_is_refused_by_name() {
        let mut tree = package(LINE);
        tree.remove("usr/bin/qemu-s390x");
        let folder = tempfile::tempdir().unwrap();
        let error = unpack(&tree, Arch::Amd64, folder.path())
            .unwrap_err()
            .to_string();
        assert!(error.contains("no file usr/bin/qemu-s390x"), "{error}");
    }

    #[test]
    fn the_reference_says_for_which_machines_it_is() {
        let reference = emulators_reference(Arch::Amd64);
        assert!(
            reference.starts_with("kcluster/emulators:qemu10.0-amd64-"),
            "{reference}"
        );
        assert_ne!(reference, emulators_reference(Arch::Arm64));
    }
}
