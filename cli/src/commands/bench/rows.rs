//! The figures by name, with what they must not exceed.

use kcluster_matrix::Arch;
use kcluster_reports::bench::{Bench, Maker, Row, Topic, Unit};

use super::Plan;

const MIB: f64 = 1_048_576.0;

/// Numbers of workers of the clusters that are booted.
pub(super) const SHAPES: [u8; 3] = [0, 1, 3];
/// The shape on which most is measured.
pub(super) const LARGE: u8 = 3;
/// Those that a peer boots too.
pub(super) const SHAPES_OF_PEERS: [u8; 2] = [1, LARGE];

fn ours(topic: Topic, what: impl Into<String>, unit: Unit, limit: Option<f64>) -> Row {
    Row {
        limit,
        ..Row::new(topic, what, Maker::Kcluster, unit)
    }
}

pub(super) fn of(row: Row, maker: Maker) -> Row {
    Row { maker, ..row }
}

pub(super) fn cold(workers: u8) -> Row {
    let limit = match workers {
        1 => Some(12.0),
        3 => Some(16.0),
        _ => None,
    };
    let what = format!("1+{workers} cold, all Ready");
    ours(Topic::Boot, what, Unit::Seconds, limit)
}

pub(super) fn restored() -> Row {
    let what = format!("1+{LARGE} from a snapshot, all Ready");
    ours(Topic::Boot, what, Unit::Seconds, Some(6.0))
}

/// Clusters of other architectures have one worker.
pub(super) const EMULATED: u8 = 1;

pub(super) fn emulated(arch: Arch, from: &str, limit: f64) -> Row {
    let what = format!("1+{EMULATED} of {arch}, {from}, all Ready");
    ours(Topic::Emulated, what, Unit::Seconds, Some(limit))
}

/// What building a node image costs the processors.
pub(super) fn build(arch: Arch) -> Row {
    let what = format!("node image of {arch}, processor time");
    ours(Topic::Builds, what, Unit::Seconds, None)
}

/// The same by what the machine's own costs.
pub(super) fn build_ratio(arch: Arch, native: Arch) -> Row {
    let what = format!("node image of {arch} ÷ {native}, processor time");
    ours(Topic::Builds, what, Unit::Ratio, Some(1.3))
}

pub(super) fn resumed() -> Row {
    let what = format!("resume of 1+{LARGE}, the API answers");
    ours(Topic::Boot, what, Unit::Seconds, Some(2.0))
}

pub(super) fn saved() -> Row {
    let what = format!("snapshot of 1+{LARGE} taken");
    ours(Topic::Boot, what, Unit::Seconds, None)
}

pub(super) fn joined() -> Row {
    let what = format!("kubeadm join of a worker of 1+{LARGE}");
    ours(Topic::Boot, what, Unit::Seconds, None)
}

pub(super) fn removed() -> Row {
    let what = format!("1+{LARGE} removed");
    ours(Topic::Boot, what, Unit::Seconds, None)
}

pub(super) fn control_plane_disk() -> Row {
    let what = format!("control plane of 1+{LARGE}");
    ours(Topic::Disk, what, Unit::Bytes, None)
}

pub(super) fn worker_disk() -> Row {
    let what = "a further node, beside its image";
    ours(Topic::Disk, what, Unit::Bytes, Some(5.0 * MIB))
}

pub(super) fn memory(workers: u8) -> Row {
    let limit = (workers == LARGE).then_some(800.0 * MIB);
    let what = format!("1+{workers}, idle");
    ours(Topic::Memory, what, Unit::Bytes, limit)
}

pub(super) fn memory_of(program: &str) -> Row {
    let what = format!("of which {program}, on all nodes of 1+{LARGE}");
    ours(Topic::Memory, what, Unit::Bytes, None)
}

pub(super) fn image() -> Row {
    let what = "node image with kubeadm's images, unpacked";
    ours(Topic::Images, what, Unit::Bytes, Some(450.0 * MIB))
}

pub(super) fn image_of_tests() -> Row {
    let what = "images that tests use, beside them";
    ours(Topic::Images, what, Unit::Bytes, None)
}

pub(super) fn layer(what: &str) -> Row {
    let what = format!("of which {what}");
    ours(Topic::Images, what, Unit::Bytes, None)
}

/// All figures that a peer would have, skipped for one reason.
pub(super) fn skip_kind(plan: &Plan, bench: &mut Bench, reason: &str) {
    let mut rows = Vec::new();
    rows.extend(SHAPES_OF_PEERS.map(cold));
    rows.push(removed());
    rows.extend([control_plane_disk(), worker_disk()]);
    rows.extend(SHAPES_OF_PEERS.map(memory));
    rows.push(image());
    for row in rows.into_iter().filter(|row| plan.has(row.topic)) {
        let row = Row { limit: None, ..row };
        bench.skip(of(row, Maker::Kind), reason);
    }
}
