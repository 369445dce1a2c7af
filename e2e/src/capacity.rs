//! How many ginkgo processes a machine carries.

use kcluster_matrix::Emulation;

/// Upstream's own number in `ginkgo-e2e.sh`: more have not been tried with these specs.
pub const MOST: usize = 25;

/// Specs mostly wait (for pods, probes, watches), so a core carries several: 14 processes on
/// 2 cores ended conformance in 14 minutes at a load of 1.4 to 8.
const PER_CORE: usize = 7;

/// Under emulation they wait for processors.
const PER_CORE_EMULATED: usize = 3;

/// A process of e2e.test, and the pods its spec makes, measured generously.
const PER_PROCESS: u64 = 384 << 20;

/// What the cluster itself, the engine and the rest of the machine want.
const RESERVED: u64 = 2 << 30;

/// Ginkgo processes for `specs` specs on a machine with `cores` and `memory` bytes free.
#[must_use]
pub fn processes(cores: usize, memory: u64, specs: usize, emulation: Emulation) -> usize {
    let per_core = match emulation {
        Emulation::Native => PER_CORE,
        Emulation::Hybrid | Emulation::Workload => PER_CORE_EMULATED,
    };
    let by_memory = memory.saturating_sub(RESERVED) / PER_PROCESS;
    let by_memory = usize::try_from(by_memory).unwrap_or(MOST);
    (cores * per_core).min(by_memory).min(specs).clamp(1, MOST)
}

/// Cores and bytes of memory available on this machine; an unreadable `/proc/meminfo` counts as
/// 8 GiB, which is what the smallest CI runners have.
#[must_use]
pub fn here() -> (usize, u64) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs_err::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available(&text))
        .unwrap_or(8 << 30);
    (cores, memory)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn known_machines_get_what_was_measured() {
        assert_eq!(processes(2, 22 * GIB, 417, Emulation::Native), 14);
        assert_eq!(processes(4, 15 * GIB, 417, Emulation::Native), 25);
        assert_eq!(processes(2, 5 * GIB, 417, Emulation::Native), 8);
        assert_eq!(processes(2, 22 * GIB, 3, Emulation::Native), 3);
        assert_eq!(processes(2, 0, 417, Emulation::Native), 1);
        assert_eq!(
            available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"),
            Some(2 << 20)
        );
        let emulated = processes(2, 22 * GIB, 417, Emulation::Hybrid);
        assert_eq!(emulated, 6);
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }

    proptest! {
        #[test]
        fn there_is_always_one_and_never_more_than_specs(
            cores in 0usize..512, memory: u64, specs in 0usize..1000
        ) {
            let count = processes(cores, memory, specs, Emulation::Native);
            prop_assert!((1..=MOST).contains(&count));
            prop_assert!(count <= specs.max(1));
        }

        #[test]
        fn a_larger_machine_never_gets_fewer(cores in 1usize..64, gib in 0u64..256, specs in 1usize..500) {
            let small = processes(cores, gib * GIB, specs, Emulation::Native);
            prop_assert!(processes(cores + 1, (gib + 1) * GIB, specs, Emulation::Native) >= small);
        }
    }
}
