//! Processor architectures, under each name the field gives them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::suggest::UnknownValue;

/// An architecture that Kubernetes releases binaries for and kcluster boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit Arm, little-endian.
    Arm64,
    /// 64-bit POWER, little-endian.
    Ppc64le,
    /// IBM Z, big-endian.
    S390x,
}

impl Arch {
    /// Every architecture, in the order reports use.
    pub const ALL: [Self; 4] = [Self::Amd64, Self::Arm64, Self::Ppc64le, Self::S390x];

    /// The name Go, OCI and Kubernetes use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Ppc64le => "ppc64le",
            Self::S390x => "s390x",
        }
    }

    /// The name Debian uses.
    #[must_use]
    pub fn debian(self) -> &'static str {
        match self {
            Self::Ppc64le => "ppc64el",
            other => other.as_str(),
        }
    }

    /// The machine name the kernel reports (`uname -m`).
    #[must_use]
    pub fn uname(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
            Self::Ppc64le => "ppc64le",
            Self::S390x => "s390x",
        }
    }

    /// The architecture whose [`uname`](Self::uname) this is.
    #[must_use]
    pub fn from_uname(machine: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.uname() == machine)
    }

    /// `e_machine` of this architecture's ELF files (System V gABI).
    #[must_use]
    pub fn elf_machine(self) -> u16 {
        match self {
            Self::Amd64 => 62,
            Self::Arm64 => 183,
            Self::Ppc64le => 21,
            Self::S390x => 22,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Arch {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|arch| [arch.as_str(), arch.debian(), arch.uname()].contains(&text))
            .ok_or_else(|| UnknownValue::new("architecture", text, Self::ALL.map(Self::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_architecture() {
        for arch in Arch::ALL {
            for name in [arch.as_str(), arch.debian(), arch.uname()] {
                assert_eq!(name.parse::<Arch>().unwrap(), arch);
            }
            assert_eq!(Arch::from_uname(arch.uname()), Some(arch));
        }
    }

    #[test]
    fn a_typo_is_answered_with_the_nearest_name() {
        let message = "s390".parse::<Arch>().unwrap_err().to_string();
        assert!(message.contains("did you mean `s390x`"), "{message}");
    }
}
