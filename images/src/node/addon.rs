//! Images of what may be added to a cluster: one program each, made when it is asked for, so that nodes without it
//! neither hold it nor depend on it.

use std::collections::BTreeMap;

use kcluster_matrix::addon::{ADDON_REPOSITORIES, KnownAddon};
use kcluster_matrix::{Arch, Platform};

use super::package_set;
use super::programs::{bare_layer, config};
use crate::builder::Builder;
use crate::cache::Entry;
use crate::error::Result;
use crate::go::{Component, components_digest, module_version};
use crate::oci::{ImageArchive, ImageConfig, Layer, image};
use crate::recipe::Recipe;
use crate::tree::Tree;

/// To be raised when the code here makes another image of the same parts.
const REVISION: u32 = 1;

/// What there is an image of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddonImage {
    /// An addon that is known by its name.
    Known(KnownAddon),
    /// Helm's own program, which installs charts.
    Helm,
}

/// An image that is complete.
#[derive(Debug, Clone)]
pub struct BuiltAddon {
    /// Its name and tag.
    pub reference: String,
    /// Its bytes.
    pub archive: ImageArchive,
    _in_use: Vec<Entry>,
}

/// How a program is built: the component, its module, and the package of its main.
struct Made {
    component: &'static str,
    module: &'static str,
    package: &'static str,
}

impl AddonImage {
    fn made(self) -> Made {
        match self {
            Self::Known(KnownAddon::MetricsServer) => Made {
                component: "metrics-server",
                module: "sigs.k8s.io/metrics-server",
                package: "sigs.k8s.io/metrics-server/cmd/metrics-server",
            },
            Self::Known(KnownAddon::LocalPathProvisioner) => Made {
                component: "local-path-provisioner",
                module: "github.com/rancher/local-path-provisioner",
                package: "github.com/rancher/local-path-provisioner",
            },
            Self::Helm => Made {
                component: "helm",
                module: "helm.sh/helm/v4",
                package: "helm.sh/helm/v4/cmd/helm",
            },
        }
    }

    /// Whose programs are inside: Helm is the machine's, all else runs in pods.
    fn arch(self, platform: Platform) -> Arch {
        match self {
            Self::Known(_) => platform.arch(),
            Self::Helm => platform.machine(),
        }
    }

    /// What a shell is wanted for inside: the provisioner's pods make and remove folders.
    fn wants_shell(self) -> bool {
        self == Self::Known(KnownAddon::LocalPathProvisioner)
    }

    /// The image's name for cells of that platform. It follows from this program alone, so an engine can be asked for
    /// it before anything is built.
    ///
    /// # Errors
    /// Never, unless this program was built from other sources than its own.
    pub fn reference(self, platform: Platform) -> Result<String> {
        let made = self.made();
        let arch = self.arch(platform);
        let recipe = Recipe::new("addon-image", REVISION)
            .with("component", components_digest(&[made.component]).as_str())
            .with("machine", platform.machine().as_str())
            .with("arch", arch.as_str());
        let recipe = if self.wants_shell() {
            recipe.with("shell", package_set("busybox", arch).recipe().as_str())
        } else {
            recipe
        };
        Ok(format!(
            "{}:{}-{arch}-{}",
            repository(made.component),
            module_version(made.component, made.module)?,
            recipe.key().short()
        ))
    }
}

/// The repository of a component's image.
fn repository(component: &str) -> &'static str {
    let ours = |name: &&&str| {
        name.rsplit_once('/')
            .is_some_and(|(_, last)| last == component)
    };
    ADDON_REPOSITORIES.iter().find(ours).copied().unwrap_or("")
}

impl Builder {
    /// The program itself, under the name of its component.
    pub(crate) async fn addon_program(
        &self,
        which: AddonImage,
        platform: Platform,
    ) -> Result<Entry> {
        let made = which.made();
        let version = module_version(made.component, made.module)?;
        let component = Component {
            name: made.component,
            title: format!("{} {}", made.component, version.trim_start_matches('v')),
            requires: None,
            programs: &[(made.package, made.component)],
            tags: &[],
            without: &[],
            ldflags: match which {
                AddonImage::Helm => {
                    format!("-X {}/internal/version.version={version}", made.module)
                }
                AddonImage::Known(_) => String::new(),
            },
        };
        self.component(&component, which.arch(platform)).await
    }

    /// Builds an image for cells of that platform, or finds its parts in the cache.
    ///
    /// # Errors
    /// When something cannot be built, fetched or written.
    pub async fn addon(&self, which: AddonImage, platform: Platform) -> Result<BuiltAddon> {
        let made = which.made();
        let (arch, machine) = (which.arch(platform), platform.machine());
        let program = self.addon_program(which, platform).await?;
        let mut layers = Vec::new();
        let mut in_use = Vec::new();
        let mut tree = bare_layer();
        if which.wants_shell() {
            let (mut shell, entry) = self.packages(&package_set("busybox", arch)).await?;
            shell.overlay(tree);
            layers.push(Layer::of(shell).await?);
            in_use.push(entry);
            tree = Tree::default();
        }
        tree.file(made.component, 0o755, &program.path(made.component))?;
        layers.push(Layer::of(tree).await?);
        in_use.push(program);
        let config = ImageConfig {
            entrypoint: vec![format!("/{}", made.component)],
            labels: BTreeMap::from([
                ("dev.kcluster.image".to_owned(), "addon".to_owned()),
                ("dev.kcluster.arch".to_owned(), arch.to_string()),
            ]),
            ..config()
        };
        let reference = which.reference(platform)?;
        // A native containerd takes only images of its own architecture, so all are labelled as the machine's.
        let archive = image(&reference, machine.as_str(), &config, layers)?;
        Ok(BuiltAddon {
            reference,
            archive,
            _in_use: in_use,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_that_follows_from_what_is_inside() {
        let native = |arch| Platform::new(arch, arch, None).unwrap();
        let emulated = Platform::new(Arch::S390x, Arch::Amd64, None).unwrap();
        let all = [
            AddonImage::Known(KnownAddon::MetricsServer),
            AddonImage::Known(KnownAddon::LocalPathProvisioner),
            AddonImage::Helm,
        ];
        let mut names = Vec::new();
        for which in all {
            let here = which.reference(native(Arch::Amd64)).unwrap();
            assert!(here.starts_with("kcluster/"), "{here}");
            assert_eq!(here, which.reference(native(Arch::Amd64)).unwrap());
            assert_ne!(here, which.reference(native(Arch::S390x)).unwrap());
            names.push(here);
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
        // Helm talks to the API from a node's own programs, pods run what the cell runs.
        let [metrics, _, helm] = all;
        assert!(
            metrics.reference(emulated).unwrap().contains("-s390x-"),
            "{metrics:?}"
        );
        assert_eq!(
            helm.reference(emulated).unwrap(),
            helm.reference(native(Arch::Amd64)).unwrap()
        );
    }
}
