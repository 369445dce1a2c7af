//! The parts of a cluster whose binaries can be replaced, and which binaries they can be.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use fs_err as fs;
use kcluster_matrix::suggest::UnknownValue;
use kcluster_matrix::{Arch, Cell, Emulation};

macro_rules! components {
    ($($variant:ident = $name:literal, $file:literal;)+) => {
        /// A part of a cluster whose binary can be replaced.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Component {
            $(#[doc = $name] $variant,)+
        }

        impl Component {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name, which is its binary's too.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Where its image has the binary.
            pub(super) fn file(self) -> &'static str {
                match self { $(Self::$variant => $file),+ }
            }
        }
    };
}

components! {
    Etcd = "etcd", "/usr/local/bin/etcd";
    ApiServer = "kube-apiserver", "/usr/local/bin/kube-apiserver";
    ControllerManager = "kube-controller-manager", "/usr/local/bin/kube-controller-manager";
    Scheduler = "kube-scheduler", "/usr/local/bin/kube-scheduler";
    Kubelet = "kubelet", "/usr/local/bin/kubelet";
    Proxy = "kube-proxy", "/usr/local/bin/kube-proxy";
    CoreDns = "coredns", "/coredns";
}

impl Component {
    /// What keeps its pods, where that is not a kubelet alone.
    pub(super) fn workload(self) -> Option<&'static str> {
        match self {
            Self::Proxy => Some("daemonset"),
            Self::CoreDns => Some("deployment"),
            _ => None,
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Component {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        let names = Self::ALL.iter().map(|one| one.as_str());
        Self::ALL
            .iter()
            .copied()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| UnknownValue::new("component", text, names))
    }
}

/// The architecture that a component runs as.
pub(super) fn machine(cell: &Cell, component: Component, engine: Option<Arch>) -> Arch {
    match (cell.emulation, component) {
        (Emulation::Workload, _) | (Emulation::Hybrid, Component::Proxy) => {
            engine.unwrap_or(cell.arch)
        }
        (Emulation::Native | Emulation::Hybrid, _) => cell.arch,
    }
}

/// Whether nodes of `arch` can run it: a 64-bit ELF file of its machine.
pub(super) fn fits(binary: &Path, arch: Arch) -> Result<(), String> {
    let mut head = Vec::new();
    fs::File::open(binary)
        .and_then(|file| file.take(20).read_to_end(&mut head))
        .map_err(|error| format!("cannot be read ({error})"))?;
    if !head.starts_with(b"\x7fELF") {
        return Err("is no ELF file".to_owned());
    }
    let (machine, little): (u16, bool) = match arch {
        Arch::Amd64 => (62, true),
        Arch::Arm64 => (183, true),
        Arch::Ppc64le => (21, true),
        Arch::S390x => (22, false),
    };
    let wanted = if little {
        machine.to_le_bytes()
    } else {
        machine.to_be_bytes()
    };
    let order = if little { 1 } else { 2 };
    if head.get(4..6) != Some(&[2, order]) || head.get(18..20) != Some(&wanted) {
        return Err(format!("is not for {arch}"));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::reup) fn elf(machine: [u8; 2]) -> tempfile::NamedTempFile {
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(18, 0);
        head.extend(machine);
        file(&head)
    }

    pub(in crate::reup) fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    #[test]
    fn only_binaries_of_the_machine_are_taken() {
        assert_eq!(fits(elf([62, 0]).path(), Arch::Amd64), Ok(()));
        assert!(fits(elf([62, 0]).path(), Arch::Arm64).is_err());
        assert!(
            fits(elf([0, 22]).path(), Arch::S390x).is_err(),
            "byte order"
        );
        assert!(fits(file(b"#!/bin/sh").path(), Arch::Amd64).is_err());
        assert!(fits(file(b"").path(), Arch::Amd64).is_err());
        assert!(fits(Path::new("/nowhere"), Arch::Amd64).is_err());
    }
}
