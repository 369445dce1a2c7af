//! Names of suite properties that more than one part of kcluster reads.

/// Which part of its list the suite is, as `m/n`; absent when it is all of it.
pub const SHARD: &str = "shard";
/// What decided the shards: parts of one run agree on it.
pub const DURATIONS: &str = "durations";
/// The report whose failures the suite ran again.
pub const RERUN: &str = "rerun-failed";
/// Options that made the list less than all of conformance.
pub const NARROWED: &str = "narrowed";
/// How many specs were to run.
pub const LISTED: &str = "listed";
/// The Kubernetes version.
pub const KUBERNETES: &str = "kubernetes";
/// The most memory of the machine that was in use, in bytes.
pub const MEMORY_PEAK: &str = "memory-peak-bytes";
/// The most of the disk that was in use, in bytes.
pub const DISK_PEAK: &str = "disk-peak-bytes";
/// The network plugin.
pub const CNI: &str = "cni";
/// The architecture.
pub const ARCH: &str = "arch";
/// What of the cell was emulated.
pub const EMULATION: &str = "emulation";
/// How long the suite ran, by the clock, in seconds.
pub const SECONDS: &str = "seconds";

/// What tells the cells of a matrix apart, the most telling first; reports show those that differ.
pub const AXES: [&str; 9] = [
    KUBERNETES,
    CNI,
    ARCH,
    EMULATION,
    "control-planes",
    "workers",
    "runtime",
    "ip-family",
    "kube-proxy-mode",
];
