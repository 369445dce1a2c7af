//! Where Kubernetes comes from. What comes out is the same set, whichever source it is.

mod dir;
mod fetch;
mod module;
mod release;
mod requirements;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use kcluster_matrix::{Arch, KubeVersion};
use serde::{Deserialize, Serialize};

use crate::builder::{Builder, host_arch};
use crate::cache::Entry;
use crate::command::Run;
use crate::error::{Error, Result};
use crate::git::Repository;
use crate::go::{Bundle, KubernetesModule, Product};
use crate::recipe::Recipe;

pub(crate) use fetch::text as fetch_text;
pub use release::marked_version;
pub(crate) use requirements::Requirements;

/// Where Kubernetes comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, tag = "kind")]
pub enum Source {
    /// Go modules, checked by Go's checksum database and built here.
    Module,
    /// A server that is laid out as the project's own downloads are, checked by the SHA-256 files beside them.
    Release {
        /// What comes before `/release/v1.36.3/…`, and before `/ci/v1.38.0-alpha.1.12+5f4a7c9d/…`.
        #[serde(rename = "base-url")]
        base_url: String,
    },
    /// One address for each binary, each with its SHA-256.
    Url {
        /// By the name of the binary; `e2e.test` and `ginkgo` are wanted for tests only.
        binaries: BTreeMap<String, Download>,
    },
    /// A revision of Kubernetes' own tree, built here.
    Git {
        /// A folder with a clone, or an address.
        repository: String,
        /// The full hash of a commit.
        revision: String,
    },
    /// A folder with binaries, such as `_output/local/bin` of a Kubernetes checkout.
    Dir {
        /// The folder; `<path>/linux/<arch>` and `<path>/<arch>` are looked into first.
        path: PathBuf,
    },
}

/// A file somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// Where it is.
    pub url: String,
    /// The SHA-256 it must have, in hex.
    pub sha256: String,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Module => f.write_str("Go modules"),
            Self::Release { base_url } => write!(f, "the releases at {base_url}"),
            Self::Url { .. } => f.write_str("the addresses given"),
            Self::Git {
                repository,
                revision,
            } => write!(f, "revision {revision} of {repository}"),
            Self::Dir { path } => write!(f, "the folder {}", path.display()),
        }
    }
}

/// Binaries by name. Several names may lead to one file, which then tells by its name what to do.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    files: BTreeMap<String, PathBuf>,
    /// Keeps them in the cache while they are used.
    _entries: Vec<Entry>,
}

impl Binaries {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &PathBuf)> {
        self.files.iter().map(|(name, path)| (name.as_str(), path))
    }

    fn take(&self, name: &str, source: &Source) -> Result<PathBuf> {
        self.files.get(name).cloned().ok_or_else(|| Error::Missing {
            source_name: source.to_string(),
            what: name.to_owned(),
            detail: format!(
                "it has {}",
                self.files
                    .keys()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        })
    }
}

/// Programs for this machine that belong to a version of Kubernetes.
#[derive(Debug, Clone)]
pub struct HostTools {
    /// kubectl of that version.
    pub kubectl: PathBuf,
    /// The end-to-end tests.
    pub e2e_test: PathBuf,
    /// Their runner.
    pub ginkgo: PathBuf,
    /// Keeps them from being pruned while they are used.
    _in_use: Binaries,
}

impl Source {
    /// What tells this source from another, for the hash of what is made from it.
    pub(crate) fn identify(&self, recipe: Recipe) -> Result<Recipe> {
        match self {
            Self::Module => Ok(recipe.with("source", "module")),
            Self::Release { base_url } => {
                Ok(recipe.with("source", "release").with("base", base_url))
            }
            Self::Url { binaries } => Ok(recipe.with("source", "url").with_all(
                "binaries",
                binaries
                    .iter()
                    .map(|(name, file)| format!("{name} {}", file.sha256)),
            )),
            // Wherever it is fetched from, a hash is the same sources.
            Self::Git { revision, .. } => {
                Ok(recipe.with("source", "git").with("revision", revision))
            }
            Self::Dir { path } => dir::identify(path, recipe.with("source", "dir")),
        }
    }

    /// The Go module that it is built from: the revision's, or else the version's.
    pub(crate) async fn module(
        &self,
        builder: &Builder,
        version: &KubeVersion,
    ) -> Result<KubernetesModule> {
        let Self::Git {
            repository,
            revision,
        } = self
        else {
            return KubernetesModule::prepare(builder, version).await;
        };
        let repository = Repository::open(&builder.cache, repository)?;
        let tree = repository.checkout(builder, revision).await?;
        KubernetesModule::of_tree(builder, version, tree).await
    }

    /// Kubernetes' commands for an architecture, by name.
    pub(crate) async fn commands(
        &self,
        builder: &Builder,
        version: &KubeVersion,
        arch: Arch,
        bundle: Bundle,
    ) -> Result<Binaries> {
        let names = bundle.names();
        match self {
            Self::Module | Self::Git { .. } => {
                let module = self.module(builder, version).await?;
                module::of_one(builder, &module, bundle, arch).await
            }
            Self::Release { base_url } => {
                release::files(builder, base_url, version, arch, names).await
            }
            Self::Url { binaries } => {
                fetch::each(builder, &self.to_string(), binaries, names).await
            }
            Self::Dir { path } => dir::find(path, arch, names),
        }
    }

    /// The tests and what runs them, for this machine.
    async fn test_programs(&self, builder: &Builder, version: &KubeVersion) -> Result<Binaries> {
        let (arch, wanted) = (host_arch()?, ["e2e.test", "ginkgo"]);
        match self {
            Self::Module | Self::Git { .. } => {
                let module = self.module(builder, version).await?;
                module::test_programs(builder, &module, arch).await
            }
            Self::Release { base_url } => {
                release::test_programs(builder, base_url, version, arch).await
            }
            Self::Url { binaries } => {
                fetch::each(builder, &self.to_string(), binaries, &wanted).await
            }
            Self::Dir { path } => dir::find(path, arch, &wanted),
        }
    }

    /// Names of the images that tests run, one a line.
    pub(crate) async fn test_image_names(
        &self,
        builder: &Builder,
        version: &KubeVersion,
    ) -> Result<String> {
        let folder = builder.cache.root();
        match self {
            Self::Module | Self::Git { .. } => {
                let module = self.module(builder, version).await?;
                let program = module
                    .entry(builder, Product::TestImages, host_arch()?)
                    .await?;
                Run::new(program.path(Product::TestImages.binary()), folder)
                    .output()
                    .await
            }
            Self::Release { .. } | Self::Url { .. } | Self::Dir { .. } => {
                let programs = self.test_programs(builder, version).await?;
                Run::new(&programs.take("e2e.test", self)?, folder)
                    .arg("--list-images")
                    .output()
                    .await
            }
        }
    }

    pub(crate) async fn host_tools(
        &self,
        builder: &Builder,
        version: &KubeVersion,
    ) -> Result<HostTools> {
        let mut all = match self {
            Self::Release { base_url } => {
                release::files(builder, base_url, version, host_arch()?, &["kubectl"]).await?
            }
            Self::Url { binaries } => {
                fetch::each(builder, &self.to_string(), binaries, &["kubectl"]).await?
            }
            Self::Dir { path } => dir::find(path, host_arch()?, &["kubectl"])?,
            Self::Module | Self::Git { .. } => {
                let module = self.module(builder, version).await?;
                module::kubectl(builder, &module, version, host_arch()?).await?
            }
        };
        let tests = self.test_programs(builder, version).await?;
        all.files.extend(tests.files);
        all._entries.extend(tests._entries);
        Ok(HostTools {
            kubectl: all.take("kubectl", self)?,
            e2e_test: all.take("e2e.test", self)?,
            ginkgo: all.take("ginkgo", self)?,
            _in_use: all,
        })
    }
}

impl Builder {
    /// kubectl, e2e.test and ginkgo of a version, for this machine.
    ///
    /// # Errors
    /// When they cannot be built or fetched.
    pub async fn host_tools(&self, source: &Source, version: &KubeVersion) -> Result<HostTools> {
        source.host_tools(self, version).await
    }

    /// One of Kubernetes' commands, such as kubelet, for nodes of `arch`.
    ///
    /// # Errors
    /// When it cannot be built or fetched, or the source does not have it.
    pub async fn command(
        &self,
        source: &Source,
        version: &KubeVersion,
        arch: Arch,
        name: &str,
    ) -> Result<PathBuf> {
        let all = match source {
            // The others need not be there.
            Source::Dir { path } => dir::find(path, arch, &[name])?,
            _ => source.commands(self, version, arch, Bundle::All).await?,
        };
        all.take(name, source)
    }
}

#[cfg(test)]
mod tests;
