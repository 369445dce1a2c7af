//! What an ELF file says of the machine it is for and of what it needs there.

use std::fmt;

use goblin::elf::{Elf, header};
use kcluster_matrix::Arch;

/// A kind of machine, as ELF headers tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    machine: u16,
    is_64: bool,
    little: bool,
}

/// Architectures by their OCI name.
const NAMES: [(&str, Machine); 11] = [
    ("386", Machine::new(header::EM_386, false, true)),
    ("amd64", Machine::new(header::EM_X86_64, true, true)),
    ("arm", Machine::new(header::EM_ARM, false, true)),
    ("arm64", Machine::new(header::EM_AARCH64, true, true)),
    ("loong64", Machine::new(header::EM_LOONGARCH, true, true)),
    ("mips64le", Machine::new(header::EM_MIPS, true, true)),
    ("mipsle", Machine::new(header::EM_MIPS, false, true)),
    ("ppc64", Machine::new(header::EM_PPC64, true, false)),
    ("ppc64le", Machine::new(header::EM_PPC64, true, true)),
    ("riscv64", Machine::new(header::EM_RISCV, true, true)),
    ("s390x", Machine::new(header::EM_S390, true, false)),
];

impl Machine {
    const fn new(machine: u16, is_64: bool, little: bool) -> Self {
        Self {
            machine,
            is_64,
            little,
        }
    }

    /// The machine of an architecture by its OCI name.
    #[must_use]
    pub fn of_architecture(name: &str) -> Option<Self> {
        NAMES
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, machine)| machine)
    }

    /// Whether a kernel for this machine usually runs programs of `other` too.
    #[must_use]
    pub fn runs_also(self, other: Self) -> bool {
        let pair = |a: &str, b: &str| {
            Self::of_architecture(a) == Some(self) && Self::of_architecture(b) == Some(other)
        };
        pair("amd64", "386") || pair("arm64", "arm")
    }
}

impl From<Arch> for Machine {
    fn from(arch: Arch) -> Self {
        Self::new(arch.elf_machine(), true, arch != Arch::S390x)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, machine)| machine == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(
                f,
                "{} ({} bits, {}-endian)",
                header::machine_to_str(self.machine),
                if self.is_64 { 64 } else { 32 },
                if self.little { "little" } else { "big" }
            ),
        }
    }
}

/// What matters of one ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) machine: Machine,
    /// The program that loads it.
    pub(super) interpreter: Option<String>,
    /// Libraries it asks for by name.
    pub(super) needed: Vec<String>,
    /// Where it says they are, before the usual places.
    pub(super) paths: Vec<String>,
}

pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(header::ELFMAG)
}

/// Reads a whole file that begins like ELF.
pub(super) fn read(bytes: &[u8]) -> Result<Program, String> {
    let elf = Elf::parse(bytes).map_err(|error| error.to_string())?;
    let machine = Machine::new(elf.header.e_machine, elf.is_64, elf.little_endian);
    // RPATH counts only where there is no RUNPATH.
    let paths = if elf.runpaths.is_empty() {
        &elf.rpaths
    } else {
        &elf.runpaths
    };
    Ok(Program {
        machine,
        interpreter: elf.interpreter.map(str::to_owned),
        needed: elf
            .libraries
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        paths: paths
            .iter()
            .flat_map(|list| list.split(':'))
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// What the first 20 bytes tell, for files of which the rest cannot be read.
pub(super) fn machine_of(head: &[u8]) -> Option<Machine> {
    let [_, _, _, _, class, data, ..] = *head else {
        return None;
    };
    let bytes: [u8; 2] = head.get(18..20)?.try_into().ok()?;
    let little = data == header::ELFDATA2LSB;
    let machine = if little {
        u16::from_le_bytes(bytes)
    } else {
        u16::from_be_bytes(bytes)
    };
    Some(Machine::new(machine, class == header::ELFCLASS64, little))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_machines_and_back() {
        for (name, machine) in NAMES {
            assert_eq!(machine.to_string(), name);
        }
        for arch in Arch::ALL {
            assert_eq!(Machine::from(arch).to_string(), arch.as_str());
        }
        assert!(
            Machine::new(header::EM_SPARCV9, true, false)
                .to_string()
                .contains("64 bits, big-endian")
        );
        assert_eq!(Machine::of_architecture("vax"), None);
    }

    #[test]
    fn this_very_test_is_a_program_of_this_machine() {
        let bytes = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        let program = read(&bytes).unwrap();
        let native = Machine::from(crate::host_arch().unwrap());
        assert_eq!(program.machine, native);
        assert_eq!(machine_of(&bytes[..20]), Some(native));
        assert!(program.interpreter.unwrap().contains("ld"));
        assert!(program.needed.iter().any(|name| name.starts_with("libc.")));
        assert!(read(&bytes[..40]).is_err());
        assert_eq!(machine_of(&bytes[..10]), None);
    }
}
