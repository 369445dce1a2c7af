//! The labels that tell what belongs to whom; removal goes by them alone.

use std::sync::OnceLock;

use kcluster_matrix::{ClusterName, ClusterSpec};

use crate::engine::Labels;

/// Carried by everything kcluster makes, so that all of it can be listed.
pub const MANAGED: &str = "dev.kcluster.managed";
/// The cluster's name.
pub const CLUSTER: &str = "dev.kcluster.cluster";
/// The cell's id.
pub const CELL: &str = "dev.kcluster.cell";
/// The run of the process that made it.
pub const SESSION: &str = "dev.kcluster.session";
/// What a node does: `control-plane` or `worker`.
pub const ROLE: &str = "dev.kcluster.role";
/// What an image is for: `node`, `emulators` or `addon`.
pub const IMAGE: &str = "dev.kcluster.image";
/// The Kubernetes version of an image.
pub const KUBERNETES: &str = "dev.kcluster.kubernetes";
/// The architecture of an image.
pub const ARCH: &str = "dev.kcluster.arch";
/// What of an image is emulated; absent from those of the machine's own architecture.
pub const EMULATION: &str = "dev.kcluster.emulation";

/// The name of a snapshot. Its volumes do not carry [`CLUSTER`], so that they outlive the cluster.
pub const SNAPSHOT: &str = "dev.kcluster.snapshot";
/// The cluster that a snapshot is of.
pub const SNAPSHOT_OF: &str = "dev.kcluster.snapshot-of";

/// What finds the volumes of a cluster's snapshot.
pub(crate) fn of_snapshot(cluster: &ClusterName, snapshot: &ClusterName) -> Labels {
    Labels::from([
        (SNAPSHOT_OF.to_owned(), cluster.to_string()),
        (SNAPSHOT.to_owned(), snapshot.to_string()),
    ])
}

/// What a snapshot's volumes are labelled with.
pub(crate) fn for_snapshot(cluster: &ClusterName, snapshot: &ClusterName) -> Labels {
    let mut labels = of_snapshot(cluster, snapshot);
    labels.insert(MANAGED.to_owned(), "true".to_owned());
    labels.insert(SESSION.to_owned(), session().to_owned());
    labels
}

/// What finds everything of one cluster.
#[must_use]
pub fn of_cluster(name: &ClusterName) -> Labels {
    Labels::from([(CLUSTER.to_owned(), name.to_string())])
}

/// What finds the node images.
#[must_use]
pub fn node_images() -> Labels {
    Labels::from([(IMAGE.to_owned(), "node".to_owned())])
}

/// What finds the images of emulators.
#[must_use]
pub fn emulator_images() -> Labels {
    Labels::from([(IMAGE.to_owned(), "emulators".to_owned())])
}

/// What finds the images that addons are made of.
#[must_use]
pub(crate) fn addon_images() -> Labels {
    Labels::from([(IMAGE.to_owned(), "addon".to_owned())])
}

/// What a short-lived container that belongs to no cluster is labelled with.
#[must_use]
pub fn tool_labels() -> Labels {
    let mut labels = of_all();
    labels.insert(SESSION.to_owned(), session().to_owned());
    labels
}

/// What finds everything kcluster made, whichever cluster it is of.
pub(crate) fn of_all() -> Labels {
    Labels::from([(MANAGED.to_owned(), "true".to_owned())])
}

/// What a cluster's things are labelled with.
pub(crate) fn for_cluster(spec: &ClusterSpec) -> Labels {
    Labels::from([
        (MANAGED.to_owned(), "true".to_owned()),
        (CLUSTER.to_owned(), spec.name.to_string()),
        (CELL.to_owned(), spec.cell.id().to_string()),
        (SESSION.to_owned(), session().to_owned()),
    ])
}

/// This run of the process: start time and process id.
#[must_use]
pub fn session() -> &'static str {
    static SESSION: OnceLock<String> = OnceLock::new();
    SESSION.get_or_init(|| {
        format!(
            "{:x}-{}",
            jiff::Timestamp::now().as_millisecond(),
            std::process::id()
        )
    })
}
