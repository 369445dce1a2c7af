//! Whose processors the parts of a cell run on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::arch::Arch;
use crate::suggest::UnknownValue;

/// Which parts of a cell run on emulated processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emulation {
    /// Nothing is emulated.
    Native,
    /// Plumbing (containerd, runc, CNI, netfilter) native, all else emulated.
    Hybrid,
    /// Only pods are emulated.
    Workload,
}

impl Emulation {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Native, Self::Hybrid, Self::Workload];

    /// The word in configuration, flags and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Hybrid => "hybrid",
            Self::Workload => "workload",
        }
    }

    /// What runs on the machine's own processors, in words for reports.
    #[must_use]
    pub fn runs_native(self) -> &'static str {
        match self {
            Self::Native => "everything",
            // An emulated process cannot make namespaces and has no netfilter sockets.
            Self::Hybrid => {
                "containerd, runc, CNI plugins, kube-proxy, kubectl, the nodes' first process and Debian programs"
            }
            Self::Workload => "everything but the pods' own images",
        }
    }

    /// How many times longer than natively something may take before it counts as failed.
    #[must_use]
    pub fn patience(self) -> u32 {
        match self {
            Self::Native => 1,
            Self::Workload => 2,
            Self::Hybrid => 5,
        }
    }
}

impl fmt::Display for Emulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Emulation {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownValue::new("emulation", text, Self::ALL.map(Self::as_str)))
    }
}

/// Variables for emulated programs of Kubernetes, which are written in Go: fewer collections of garbage, a tenth of a
/// control plane's work, and key exchange without ML-KEM, which costs an emulated handshake 15 ms on each side.
///
/// QEMU keeps what it has translated in 128 MiB unless it is told otherwise, and begins anew when they are full. An API
/// server fills 194 MiB until it is Ready and a controller manager 148, so they did that in the midst of a boot. Of the
/// 512 MiB only what is written to takes memory.
pub const EMULATED_GO: [(&str, &str); 3] = [
    ("GOGC", "400"),
    ("GODEBUG", "tlsmlkem=0"),
    ("QEMU_TB_SIZE", "512"),
];

/// The architectures of a cell and of the machine that carries it, and what of the cell is
/// emulated. Only combinations that can be are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Platform {
    arch: Arch,
    machine: Arch,
    emulation: Emulation,
}

/// A combination that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlatformError {
    /// Another machine's programs do not run by themselves.
    #[error(
        "architecture {arch} does not run natively on a machine of {machine}; leave --emulation at auto, or give hybrid or workload"
    )]
    Foreign {
        /// The cell's.
        arch: Arch,
        /// The machine's.
        machine: Arch,
    },
    /// There is nothing to emulate.
    #[error(
        "architecture {arch} is the machine's own, so there is nothing to emulate; leave --emulation at auto"
    )]
    Own {
        /// The architecture.
        arch: Arch,
    },
}

impl Platform {
    /// A cell of `arch` on `machine`; what is emulated follows from them unless it is said.
    ///
    /// # Errors
    /// When nothing or something is to be emulated where that cannot be.
    pub fn new(
        arch: Arch,
        machine: Arch,
        emulation: Option<Emulation>,
    ) -> Result<Self, PlatformError> {
        let emulation = match (arch == machine, emulation) {
            (true, None | Some(Emulation::Native)) => Emulation::Native,
            (true, Some(_)) => return Err(PlatformError::Own { arch }),
            (false, None) => Emulation::Hybrid,
            (false, Some(Emulation::Native)) => {
                return Err(PlatformError::Foreign { arch, machine });
            }
            (false, Some(emulation)) => emulation,
        };
        Ok(Self {
            arch,
            machine,
            emulation,
        })
    }

    /// Nothing is emulated.
    #[must_use]
    pub fn native(arch: Arch) -> Self {
        Self {
            arch,
            machine: arch,
            emulation: Emulation::Native,
        }
    }

    /// The cell's architecture, which is that of its pods.
    #[must_use]
    pub fn arch(self) -> Arch {
        self.arch
    }

    /// The machine's, which is that of containerd and of all that is plumbing.
    #[must_use]
    pub fn machine(self) -> Arch {
        self.machine
    }

    /// What is emulated.
    #[must_use]
    pub fn emulation(self) -> Emulation {
        self.emulation
    }

    /// The architecture of kubelet, kubeadm and the control plane.
    #[must_use]
    pub fn kubernetes(self) -> Arch {
        match self.emulation {
            Emulation::Native | Emulation::Hybrid => self.arch,
            Emulation::Workload => self.machine,
        }
    }

    /// Whether the machine needs an emulator for it.
    #[must_use]
    pub fn is_foreign(self) -> bool {
        self.arch != self.machine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_follows_from_the_architectures() {
        for arch in Arch::ALL {
            for machine in Arch::ALL {
                let platform = Platform::new(arch, machine, None).unwrap();
                let wanted = if arch == machine {
                    Emulation::Native
                } else {
                    Emulation::Hybrid
                };
                assert_eq!(platform.emulation(), wanted);
                assert_eq!(platform.kubernetes(), arch);
                assert_eq!(platform.is_foreign(), arch != machine);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let foreign = Platform::new(Arch::S390x, Arch::Amd64, Some(Emulation::Native));
        let message = foreign.unwrap_err().to_string();
        assert!(
            message.contains("s390x") && message.contains("amd64"),
            "{message}"
        );
        for emulation in [Emulation::Hybrid, Emulation::Workload] {
            let own = Platform::new(Arch::Arm64, Arch::Arm64, Some(emulation));
            assert_eq!(own.unwrap_err(), PlatformError::Own { arch: Arch::Arm64 });
        }
    }

    #[test]
    fn only_pods_are_foreign_in_a_workload_cell() {
        let platform = Platform::new(Arch::S390x, Arch::Amd64, Some(Emulation::Workload)).unwrap();
        assert_eq!(platform.arch(), Arch::S390x);
        assert_eq!(platform.kubernetes(), Arch::Amd64);
    }

    #[test]
    fn every_word_leads_back_to_its_kind() {
        for kind in Emulation::ALL {
            assert_eq!(kind.to_string().parse::<Emulation>().unwrap(), kind);
        }
        let message = "hybird".parse::<Emulation>().unwrap_err().to_string();
        assert!(message.contains("did you mean `hybrid`"), "{message}");
    }
}
