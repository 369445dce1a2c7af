//! What is known without asking: versions, and the packages that file trees are made of.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kcluster_matrix::{KubeVersion, VersionRequest};
use serde::Deserialize;

/// The embedded `catalogue.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Catalogue {
    pub(crate) kubernetes: Kubernetes,
    pub(crate) debian: Debian,
    pub(crate) emulator: Emulator,
    pub(crate) tests: Tests,
    packages: BTreeMap<String, Packages>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kubernetes {
    pub(crate) default: String,
    pub(crate) versions: Vec<KubeVersion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debian {
    pub(crate) suite: String,
}

/// QEMU's user emulators.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emulator {
    /// The Debian package.
    pub(crate) package: String,
    /// The line of releases that it must be of.
    pub(crate) line: String,
}

/// Images that end-to-end tests name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tests {
    /// By the end of a name, what makes it.
    pub(crate) images: BTreeMap<String, Standin>,
    /// Ends of names, or folders, that nothing here has a use for.
    pub(crate) others: Vec<String>,
}

/// How an image that tests run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standin {
    Agnhost,
    Busybox,
    Etcd,
    GlibcDns,
    Httpd,
    Kitten,
    Nautilus,
    Nginx,
    Nonewprivs,
    Nonroot,
    Pause,
    SampleApiserver,
}

/// One set of Debian packages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packages {
    pub(crate) include: Vec<String>,
    #[serde(default)]
    pub(crate) drop: Vec<String>,
    #[serde(default)]
    pub(crate) links: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) busybox_links: bool,
}

#[expect(
    clippy::expect_used,
    reason = "the file is part of the program, and a test reads it"
)]
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    toml::from_str(include_str!("../catalogue.toml")).expect("the embedded catalogue.toml")
});

impl Catalogue {
    pub(crate) fn get() -> &'static Self {
        &CATALOGUE
    }

    /// A set that the code names itself.
    pub(crate) fn packages(&self, name: &str) -> &Packages {
        &self.packages[name]
    }
}

/// The version of each line that is known to be had and tested.
#[must_use]
pub fn known_versions() -> Vec<KubeVersion> {
    CATALOGUE.kubernetes.versions.clone()
}

/// What is used when no version is asked for.
#[must_use]
#[expect(clippy::expect_used, reason = "as above")]
pub fn default_version() -> VersionRequest {
    CATALOGUE
        .kubernetes
        .default
        .parse()
        .expect("the default of the embedded catalogue.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_complete() {
        for name in ["node", "kube-proxy", "agnhost", "busybox", "nginx"] {
            assert!(
                !Catalogue::get().packages(name).include.is_empty(),
                "{name}"
            );
        }
        let known = known_versions();
        assert_eq!(
            default_version().resolve(&known).unwrap(),
            "1.36.3".parse().unwrap()
        );
        let mut lines: Vec<u64> = known.iter().map(KubeVersion::minor).collect();
        lines.dedup();
        assert_eq!(lines.len(), known.len(), "one version for each line");
    }
}
