//! How long the parts of a boot may take before they count as failed.

use std::time::Duration;

use kcluster_matrix::Emulation;

/// Limits of a boot. They are for what hangs: a healthy boot stays far below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// containerd answers after a node's start.
    pub containerd: Duration,
    /// `kubeadm init` or `kubeadm join` as a whole, and each of kubeadm's own waits.
    pub kubeadm: Duration,
    /// All nodes and pods Ready after the control plane is there.
    pub ready: Duration,
}

impl Timeouts {
    /// What is enough on a busy two-core machine.
    #[must_use]
    pub fn of(emulation: Emulation) -> Self {
        let factor = emulation.patience();
        Self {
            containerd: Duration::from_secs(60) * factor,
            kubeadm: Duration::from_secs(240) * factor,
            ready: Duration::from_secs(240) * factor,
        }
    }
}
