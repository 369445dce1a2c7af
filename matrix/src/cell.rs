//! A cell: one combination of the matrix's axes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::cni::Cni;
use crate::platform::Emulation;
use crate::version::KubeVersion;

/// One combination of Kubernetes version, network plugin and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The exact Kubernetes version.
    pub kubernetes: KubeVersion,
    /// The network plugin.
    pub cni: Cni,
    /// The architecture of its pods, and of everything else that is not plumbing.
    pub arch: Arch,
    /// What of it is emulated.
    pub emulation: Emulation,
    /// What tells it from others like it, such as `n3`; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Cell {
    /// The cell's id: stable over runs, and safe as a container, file and suite name.
    #[must_use]
    pub fn id(&self) -> CellId {
        let mut id = format!("{}-{}-{}", self.kubernetes, self.cni, self.arch);
        if self.emulation == Emulation::Workload {
            id.push_str("-workload");
        }
        if !self.variant.is_empty() {
            id.push('-');
            id.push_str(&self.variant);
        }
        id.retain(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        CellId(id)
    }
}

/// See [`Cell::id`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CellId(String);

impl CellId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_readable_and_safe() {
        let mut cell = Cell {
            kubernetes: "1.36.3".parse().unwrap(),
            cni: Cni::Bridge,
            arch: Arch::S390x,
            emulation: Emulation::Hybrid,
            variant: String::new(),
        };
        assert_eq!(cell.id().as_str(), "v1.36.3-bridge-s390x");
        cell.emulation = Emulation::Workload;
        cell.kubernetes = "1.37.0-rc.0+abc".parse().unwrap();
        assert_eq!(cell.id().as_str(), "v1.37.0-rc.0abc-bridge-s390x-workload");
        cell.variant = "n3".into();
        assert_eq!(
            cell.id().as_str(),
            "v1.37.0-rc.0abc-bridge-s390x-workload-n3"
        );
    }
}
