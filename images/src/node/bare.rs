//! What runs containers in a node, and the node's first process.

use kcluster_matrix::Arch;

use crate::builder::Builder;
use crate::cache::Entry;
use crate::error::Result;
use crate::go::{Component, module_version};
use crate::tree::Tree;

const CONTAINERD: &str = "github.com/containerd/containerd/v2";
const CNI: &str = "github.com/containernetworking/plugins";

/// Snapshotters, tracing and the like that no node has a use for; see components/plumbing/README.md.
const TAGS: [&str; 8] = [
    "no_btrfs",
    "no_devmapper",
    "no_zfs",
    "no_tracing",
    "no_rdt",
    "no_systemd",
    "urfave_cli_no_docs",
    "grpcnotrace",
];

const CNI_PLUGINS: [(&str, &str); 5] = [
    (
        "github.com/containernetworking/plugins/plugins/main/bridge",
        "bridge",
    ),
    (
        "github.com/containernetworking/plugins/plugins/main/loopback",
        "loopback",
    ),
    (
        "github.com/containernetworking/plugins/plugins/main/ptp",
        "ptp",
    ),
    (
        "github.com/containernetworking/plugins/plugins/ipam/host-local",
        "host-local",
    ),
    (
        "github.com/containernetworking/plugins/plugins/meta/portmap",
        "portmap",
    ),
];

pub(super) struct Plumbing {
    pub(super) tree: Tree,
    pub(super) entries: Vec<Entry>,
}

/// Versions of containerd and of the CNI plugins.
pub(super) fn versions() -> Result<[(&'static str, String); 2]> {
    Ok([
        ("containerd", module_version("plumbing", CONTAINERD)?),
        ("cni-plugins", module_version("plumbing", CNI)?),
    ])
}

pub(super) async fn plumbing(builder: &Builder, arch: Arch) -> Result<Plumbing> {
    let [(_, containerd), (_, cni)] = versions()?;
    let (containerd, cni, node) = tokio::try_join!(
        async {
            let component = Component {
                name: "plumbing",
                title: format!("containerd {}", containerd.trim_start_matches('v')),
                requires: None,
                programs: &[
                    ("./containerd", "containerd"),
                    (
                        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                        "containerd-shim-runc-v2",
                    ),
                ],
                tags: &TAGS,
                without: &[],
                ldflags: format!("-X {CONTAINERD}/version.Version={containerd}"),
            };
            builder.component(&component, arch).await
        },
        async {
            let component = Component {
                name: "plumbing",
                title: format!("CNI plugins {}", cni.trim_start_matches('v')),
                requires: None,
                programs: &CNI_PLUGINS,
                tags: &[],
                without: &[],
                ldflags: format!("-X {CNI}/pkg/utils/buildversion.BuildVersion={cni}"),
            };
            builder.component(&component, arch).await
        },
        async {
            let component = Component {
                name: "node",
                title: "kcluster-node".to_owned(),
                requires: None,
                programs: &[(".", "kcluster-node")],
                tags: &[],
                without: &[],
                ldflags: String::new(),
            };
            builder.component(&component, arch).await
        },
    )?;

    let mut tree = Tree::default();
    for name in ["containerd", "containerd-shim-runc-v2"] {
        tree.file(
            &format!("usr/local/bin/{name}"),
            0o755,
            &containerd.path(name),
        )?;
    }
    tree.symlink("usr/local/bin/ctr", "containerd");
    for (_, name) in CNI_PLUGINS {
        tree.file(&format!("opt/cni/bin/{name}"), 0o755, &cni.path(name))?;
    }
    tree.file(
        "usr/local/bin/kcluster-node",
        0o755,
        &node.path("kcluster-node"),
    )?;
    for folder in ["etc/cni/net.d", "etc/kubernetes/manifests", "kcluster"] {
        tree.dir(folder, 0o755);
    }
    Ok(Plumbing {
        tree,
        entries: vec![containerd, cni, node],
    })
}
