//! How much a node's container may do on a given engine.
//!
//! `--privileged` is right almost everywhere. It fails where the engine itself runs
//! with fewer capabilities than it knows (inside some sandboxes), because it then asks
//! for all of them; there, an explicit list of those that exist does the same.

use super::types::Privilege;

/// Capabilities by number, as the kernel counts them.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Engines older than this know nothing after `AUDIT_READ`.
const KNOWS_ALL_SINCE: u32 = 23;
const KNOWN_BEFORE: usize = 38;

/// Decides from the engine's capability bounding set and its version.
#[must_use]
pub fn decide(bounding: u64, engine_version: &str) -> Privilege {
    let known = known_by(engine_version);
    // Bits above the highest one set are capabilities the kernel does not have.
    let kernel_has = (u64::BITS - bounding.leading_zeros()) as usize;
    let has = |index: usize| bounding & (1 << index) != 0;
    if (0..known.min(kernel_has)).all(has) && kernel_has >= KNOWN_BEFORE {
        return Privilege::Privileged;
    }
    Privilege::Capabilities(
        (0..known)
            .filter(|index| has(*index))
            .map(|index| NAMES[index].to_owned())
            .collect(),
    )
}

fn known_by(engine_version: &str) -> usize {
    let major = engine_version.split('.').next().unwrap_or_default();
    match major.parse::<u32>() {
        Ok(major) if major < KNOWS_ALL_SINCE => KNOWN_BEFORE,
        _ => NAMES.len(),
    }
}

/// The bounding set in the text of a `/proc/<pid>/status`.
#[must_use]
pub fn bounding_set(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// The capability an engine says it does not know, as `CapAdd` names it.
pub(super) fn unknown_capability(message: &str) -> Option<&'static str> {
    let rest = message.split_once("unknown capability")?.1;
    let word = rest
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .find(|word| !word.is_empty())?;
    let bare = word.strip_prefix("CAP_").unwrap_or(word);
    NAMES.into_iter().find(|name| *name == bare)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: u64 = (1 << 41) - 1;
    const SYS_RESOURCE: u64 = 1 << 24;

    #[test]
    fn a_full_bounding_set_is_privileged() {
        for version in ["20.10.24+dfsg1", "28.1.1", "unheard-of"] {
            assert_eq!(decide(ALL, version), Privilege::Privileged, "{version}");
        }
        // A kernel that ends at AUDIT_READ lacks nothing that it could have.
        assert_eq!(decide((1 << 38) - 1, "28.1.1"), Privilege::Privileged);
    }

    #[test]
    fn a_missing_capability_leaves_an_explicit_list() {
        let Privilege::Capabilities(old) = decide(ALL & !SYS_RESOURCE, "20.10.24+dfsg1") else {
            panic!("privileged");
        };
        assert_eq!(old.len(), 37);
        assert!(old.iter().any(|name| name == "SYS_ADMIN"));
        for absent in ["SYS_RESOURCE", "BPF", "PERFMON", "CHECKPOINT_RESTORE"] {
            assert!(!old.iter().any(|name| name == absent), "{absent}");
        }
        let Privilege::Capabilities(new) = decide(ALL & !SYS_RESOURCE, "28.1.1") else {
            panic!("privileged");
        };
        assert_eq!(new.len(), 40);
        assert!(new.iter().any(|name| name == "BPF"));
    }

    #[test]
    fn what_an_old_engine_does_not_know_it_need_not_have() {
        let without_bpf = ALL & !(1 << 39);
        assert_eq!(decide(without_bpf, "20.10.24"), Privilege::Privileged);
        assert_ne!(decide(without_bpf, "28.1.1"), Privilege::Privileged);
    }

    #[test]
    fn the_bounding_set_is_read_from_a_status() {
        let status = "Name:\tdockerd\nCapEff:\t0000000000000000\nCapBnd:\t000001fffeffffff\n";
        assert_eq!(bounding_set(status), Some(ALL & !SYS_RESOURCE));
        assert_eq!(bounding_set("Name:\tdockerd\n"), None);
    }

    #[test]
    fn an_engines_complaint_names_the_capability() {
        for message in [
            r#"invalid CapAdd: unknown capability: "CAP_BPF""#,
            "invalid capability: unknown capability to add: BPF",
        ] {
            let found = unknown_capability(&message.replace("to add", ""));
            assert_eq!(found, Some("BPF"), "{message}");
        }
        assert_eq!(unknown_capability("no such image"), None);
    }

    proptest! {
        #[test]
        fn nothing_outside_the_bounding_set_is_asked_for(bounding in 0u64..=ALL, major in 17u32..40) {
            if let Privilege::Capabilities(list) = decide(bounding, &format!("{major}.0.1")) {
                for name in list {
                    let index = NAMES.iter().position(|known| *known == name).unwrap();
                    prop_assert!(bounding & (1 << index) != 0);
                }
            }
        }
    }
}
