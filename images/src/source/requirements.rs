//! Which images that are not Kubernetes' own a version's kubeadm asks for.

use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::{Arch, KubeVersion};

use super::Source;
use crate::builder::{Builder, host_arch};
use crate::command::Run;
use crate::error::{Error, Result};
use crate::go::Bundle;

/// Repository and tags, exactly as kubeadm writes them into manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirements {
    /// What all names begin with.
    pub(crate) repository: String,
    /// Tag of etcd, such as `3.6.8-0`.
    pub(crate) etcd: String,
    /// Tag of CoreDNS, such as `v1.14.2`.
    pub(crate) coredns: String,
    /// Tag of pause, such as `3.10.2`.
    pub(crate) pause: String,
}

impl Requirements {
    /// From kubeadm's sources where they are at hand, or else from kubeadm itself.
    pub(crate) async fn of(
        source: &Source,
        builder: &Builder,
        version: &KubeVersion,
    ) -> Result<Self> {
        match source {
            Source::Module | Source::Git { .. } => {
                let module = source.module(builder, version).await?;
                Self::from_sources(&module.sources, version)
            }
            _ => Self::from_kubeadm(source, builder, version, host_arch()?).await,
        }
    }

    fn from_sources(sources: &Path, version: &KubeVersion) -> Result<Self> {
        let constants = PathBuf::from("cmd/kubeadm/app/constants/constants.go");
        let defaults = PathBuf::from("cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go");
        let read = |file: &Path| fs::read_to_string(sources.join(file));
        let (in_constants, in_defaults) = (read(&constants)?, read(&defaults)?);
        let find = |text: &str, file: &Path, name| {
            string_constant(text, name).map_err(|detail| Error::Constant {
                version: version.clone(),
                file: file.to_owned(),
                name,
                detail,
            })
        };
        Ok(Self {
            repository: find(&in_defaults, &defaults, "DefaultImageRepository")?,
            etcd: find(&in_constants, &constants, "DefaultEtcdVersion")?,
            coredns: find(&in_constants, &constants, "CoreDNSVersion")?,
            pause: find(&in_constants, &constants, "PauseVersion")?,
        })
    }

    async fn from_kubeadm(
        source: &Source,
        builder: &Builder,
        version: &KubeVersion,
        arch: Arch,
    ) -> Result<Self> {
        let commands = source
            .commands(builder, version, arch, Bundle::Node)
            .await?;
        let kubeadm = commands.take("kubeadm", source)?;
        let listed = Run::new(&kubeadm, builder.cache.root())
            .args([
                "config",
                "images",
                "list",
                "--kubernetes-version",
                &version.to_string(),
            ])
            .output()
            .await?;
        Self::from_list(&listed)
    }

    fn from_list(listed: &str) -> Result<Self> {
        let split = |suffix: &str| {
            listed
                .lines()
                .filter_map(|line| line.trim().rsplit_once(':'))
                .find_map(|(name, tag)| {
                    name.strip_suffix(suffix)
                        .map(|repository| (repository.to_owned(), tag.to_owned()))
                })
                .ok_or_else(|| {
                    Error::malformed(
                        "the answer of `kubeadm config images list`",
                        format!("it names no {suffix}: {listed}"),
                    )
                })
        };
        let (repository, pause) = split("/pause")?;
        Ok(Self {
            repository,
            pause,
            etcd: split("/etcd")?.1,
            coredns: split("/coredns/coredns")?.1,
        })
    }
}

/// The value of `name = "value"` in Go source.
fn string_constant(source: &str, name: &str) -> Result<String, String> {
    let assigned = source.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("const ");
        line.strip_prefix(name)?
            .trim_start()
            .strip_prefix('=')
            .map(str::trim)
    });
    let Some(value) = assigned else {
        return Err("no line assigns it".into());
    };
    value
        .strip_prefix('"')
        .and_then(|rest| rest.split_once('"'))
        .map(|(text, _)| text.to_owned())
        .ok_or_else(|| format!("it is `{value}` and not a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_read_out_of_the_sources() {
        let source = "const (\n\t// PauseVersion is text here\n\tPauseVersion = \"3.10.2\"\n\tPauseVersionOther = \"x\"\n\tComputed = version.Must()\n)\n";
        assert_eq!(string_constant(source, "PauseVersion").unwrap(), "3.10.2");
        assert_eq!(
            string_constant(source, "Absent").unwrap_err(),
            "no line assigns it"
        );
        assert!(
            string_constant(source, "Computed")
                .unwrap_err()
                .contains("version.Must()")
        );
    }

    #[test]
    fn a_missing_constant_is_told_with_file_and_version() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "cmd/kubeadm/app/constants/constants.go",
                "DefaultEtcdVersion = \"3.6.8-0\"\n",
            ),
            (
                "cmd/kubeadm/app/apis/kubeadm/v1beta4/defaults.go",
                "DefaultImageRepository = \"registry.invalid\"\n",
            ),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let version = "1.36.3".parse().unwrap();
        let error = Requirements::from_sources(folder.path(), &version)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("constants.go of Kubernetes v1.36.3")
                && error.contains("`CoreDNSVersion`"),
            "{error}"
        );
    }

    #[test]
    fn kubeadms_own_list_is_understood() {
        let list = "registry.invalid/kube-apiserver:v1.36.3\nregistry.invalid/coredns/coredns:v1.14.2\nregistry.invalid/pause:3.10.2\nregistry.invalid/etcd:3.6.8-0\n";
        let found = Requirements::from_list(list).unwrap();
        assert_eq!(found.etcd, "3.6.8-0");
        assert_eq!(
            (found.repository.as_str(), found.coredns.as_str()),
            ("registry.invalid", "v1.14.2")
        );
        assert!(Requirements::from_list("registry.invalid/pause:3.10\n").is_err());
    }
}
