//! What /proc tells of memory.

use std::collections::BTreeMap;

use kcluster_cluster::engine::ExecSpec;

/// MemAvailable of /proc/meminfo, in bytes.
pub(super) fn available(meminfo: &str) -> Option<f64> {
    field(meminfo, "MemAvailable:").map(|kib| kib * 1024.0)
}

/// Lists each process of a node with what it alone takes.
pub(super) fn processes() -> ExecSpec {
    let script = r#"for p in /proc/[0-9]*; do echo "== $(cat "$p/comm")"; cat "$p/smaps_rollup"; done 2>/dev/null; true"#;
    ExecSpec::new(["sh", "-c", script])
}

/// Bytes by program, from what [`processes`] printed. Pages of files do not count: the machine can
/// take them back, and nodes share them.
pub(super) fn by_program(printed: &str) -> BTreeMap<String, f64> {
    let mut programs = BTreeMap::new();
    for process in printed.split("== ").skip(1) {
        let (name, rest) = process.split_once('\n').unwrap_or((process, ""));
        let kib: f64 = ["Pss_Anon:", "Pss_Shmem:"]
            .iter()
            .filter_map(|name| field(rest, name))
            .sum();
        *programs.entry(name.trim().to_owned()).or_default() += kib * 1024.0;
    }
    programs
}

fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_by_program() {
        let printed = "== kubelet\n00400000-7ffc ---p [rollup]\nRss: 90 kB\nPss_Anon:  30 kB\nPss_File: 50 kB\nPss_Shmem: 2 kB\n\
                       == pause\nPss_Anon: 1 kB\n== gone\n== kubelet\nPss_Anon: 8 kB\n";
        let found = by_program(printed);
        assert_eq!(found["kubelet"], 40.0 * 1024.0);
        assert_eq!(found["pause"], 1024.0);
        assert_eq!(found["gone"], 0.0);
        assert_eq!(
            available("MemFree: 1 kB\nMemAvailable:   7 kB\n"),
            Some(7168.0)
        );
        assert_eq!(available("MemFree: 1 kB\n"), None);
    }
}
