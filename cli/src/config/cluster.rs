//! From settings to what the other parts take.

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::cluster::KubeadmPatch;
use kcluster_matrix::{Addon, Arch, Cell, ClusterOptions, ClusterSpec, KubeVersion, Platform};

use super::keys::Settings;
use crate::error::Told;
use crate::registry;

impl Settings {
    /// Where everything about this cluster is kept.
    #[must_use]
    pub fn cluster_dir(&self) -> Utf8PathBuf {
        self.state_dir.join("clusters").join(self.name.as_str())
    }

    /// The cluster's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> Utf8PathBuf {
        self.cluster_dir().join("kubeconfig")
    }

    /// The architectures of the cluster and of the engine's machine, and what is emulated.
    ///
    /// # Errors
    /// When that cannot be, or when the engine runs on an architecture that kcluster does not know.
    pub fn platform_on(&self, engine: Option<Arch>) -> Result<Platform, Told> {
        let machine = engine.ok_or_else(|| {
            Told::input(
                "the engine's machine is of no architecture that Kubernetes is released for",
            )
        })?;
        let arch = self.arch.given().copied().unwrap_or(machine);
        Platform::new(arch, machine, self.emulation.given().copied())
            .map_err(|error| Told::input(error.to_string()))
    }

    /// The cell these settings describe.
    #[must_use]
    pub fn cell(&self, kubernetes: KubeVersion, platform: Platform) -> Cell {
        Cell {
            kubernetes,
            cni: self.cni,
            arch: platform.arch(),
            emulation: platform.emulation(),
            variant: self.variant.given().cloned().unwrap_or_default(),
        }
    }

    /// The whole cluster, made of node image `image`, with what its addons turned out to be.
    ///
    /// # Errors
    /// When a patch names a file that cannot be read.
    pub fn cluster_spec(
        &self,
        cell: Cell,
        image: String,
        addons: Vec<Addon>,
    ) -> Result<ClusterSpec, Told> {
        Ok(ClusterSpec {
            name: self.name.clone(),
            cell,
            workers: self.nodes,
            image,
            egress: self.egress,
            pod_subnet: self.pod_subnet,
            service_subnet: self.service_subnet,
            api_address: self.api_address,
            api_port: self.api_port,
            proxy_mode: self.kube_proxy_mode,
            feature_gates: self.feature_gates.0.clone(),
            runtime_config: self.runtime_config.0.clone(),
            patches: self
                .kubeadm_patches
                .0
                .iter()
                .map(with_content)
                .collect::<Result<_, _>>()?,
            retain: self.retain,
            options: ClusterOptions {
                control_planes: self.control_planes,
                ip_family: self.ip_family,
                pod_subnet6: self.pod_subnet_v6,
                service_subnet6: self.service_subnet_v6,
                audit: self.audit,
                swap: self.swap,
                per_node: self.per_node.0.clone(),
                addons,
                mirrors: self.registry_mirrors.0.clone(),
                credentials: self.registry_credentials.0.clone(),
                logins: registry::logins(self)?,
            },
        })
    }
}

/// The patch with the content of its `@file`.
fn with_content(patch: &KubeadmPatch) -> Result<KubeadmPatch, Told> {
    let content = match patch.content.strip_prefix('@') {
        None => patch.content.clone(),
        Some(path) => fs_err::read_to_string(Utf8Path::new(path))
            .map_err(|error| Told::input(format!("kubeadm patch for {}: {error}", patch.target)))?,
    };
    Ok(KubeadmPatch {
        content,
        ..patch.clone()
    })
}
