//! Checks against machines that are well, and machines that are not.

use std::collections::BTreeSet;

use kcluster_cluster::emulation::{Emulator, Emulators, Lack, Registration};
use kcluster_matrix::Arch;

use super::check::Level;
use super::facts::{Disk, Emulation, EngineFacts, Facts};
use super::features::FEATURES;
use super::fix::{Fix, plan};
use super::run;

const GIB: u64 = 1 << 30;

/// An engine's host with an emulator of s390x and nothing else to tell of.
fn emulators(good: bool, why: &[&str]) -> Emulators {
    Emulators {
        native: Arch::Amd64,
        kernel: "6.18".into(),
        machines: vec![Emulator {
            arch: Arch::S390x,
            native: false,
            entries: vec![Registration {
                name: "kcluster-s390x".into(),
                enabled: true,
                interpreter: "/kcluster/qemu-s390x".into(),
                flags: "POCF".into(),
                ours: true,
            }],
            used: "/kcluster/qemu-s390x".into(),
            version: "10.0.13".into(),
            ours: true,
            good,
            why: why.iter().map(|&reason| reason.to_owned()).collect(),
            lacks: vec![Lack {
                what: "bpf".into(),
                emulated: "ENOSYS".into(),
                native: "EINVAL".into(),
            }],
            instead: Vec::new(),
            took: 900,
        }],
        made: Vec::new(),
        removed: Vec::new(),
    }
}

fn well() -> Facts {
    Facts {
        engine: Ok(EngineFacts {
            endpoint: "unix:///run/docker.sock".into(),
            version: "20.10.24+dfsg1".into(),
            storage: "overlay2".into(),
            cgroup_version: 2,
            data_root: None,
        }),
        engine_is_local: true,
        engine_is_usual: true,
        dockerd: true,
        apt: true,
        systemd: false,
        root: true,
        capabilities: u64::MAX,
        inotify: Some((8192, 1_048_576)),
        open_files: Some(1 << 20),
        disks: vec![Disk {
            what: "cache",
            path: "/c".into(),
            free: 100 * GIB,
        }],
        processors: 2,
        memory: 24 * GIB,
        swap: 0,
        kernel: "6.18".into(),
        features: FEATURES.iter().map(|feature| feature.name).collect(),
        go: Some("go1.26.1".into()),
        mmdebstrap: true,
        debian_keys: true,
        emulation: Emulation::Found(emulators(true, &[])),
    }
}

/// The findings that are not fine, by check.
fn ill(facts: &Facts) -> Vec<(&'static str, Level)> {
    let ill = run(facts)
        .into_iter()
        .filter(|result| result.level > Level::Fine);
    ill.map(|result| {
        assert!(result.remedy.is_some(), "{result:?}");
        (result.check, result.level)
    })
    .collect()
}

#[test]
fn a_machine_that_is_well_has_no_findings() {
    assert_eq!(ill(&well()), []);
}

type Worsen = fn(&mut Facts);

#[test]
fn each_lack_is_found_by_its_check() {
    let lacks: &[(&str, Level, Worsen)] = &[
        ("engine", Level::Blocking, |facts| {
            facts.engine = Err("no".into());
        }),
        ("cgroups", Level::Warning, |facts| {
            facts.engine.as_mut().unwrap().cgroup_version = 1;
        }),
        ("engine storage", Level::Warning, |facts| {
            facts.engine.as_mut().unwrap().storage = "vfs".into();
        }),
        ("engine version", Level::Blocking, |facts| {
            facts.engine.as_mut().unwrap().version = "19.03.1".into();
        }),
        ("capabilities", Level::Blocking, |facts| {
            facts.capabilities = 0;
        }),
        ("inotify", Level::Warning, |facts| {
            facts.inotify = Some((128, 8192));
        }),
        ("open files", Level::Warning, |facts| {
            facts.open_files = Some(1024);
        }),
        ("disk", Level::Blocking, |facts| facts.disks[0].free = GIB),
        ("disk", Level::Warning, |facts| {
            facts.disks[0].free = 10 * GIB;
        }),
        ("processors", Level::Warning, |facts| facts.processors = 1),
        ("memory", Level::Blocking, |facts| facts.memory = GIB),
        ("kernel", Level::Blocking, |facts| {
            facts.features = BTreeSet::new();
        }),
        ("Go", Level::Blocking, |facts| facts.go = None),
        ("Go", Level::Blocking, |facts| {
            facts.go = Some("go1.19.8".into());
        }),
        ("mmdebstrap", Level::Blocking, |facts| {
            facts.mmdebstrap = false;
        }),
        ("Debian keys", Level::Blocking, |facts| {
            facts.debian_keys = false;
        }),
        ("emulator s390x", Level::Warning, |facts| {
            facts.emulation = Emulation::Found(emulators(false, &["exec: hangs"]));
        }),
        ("emulator s390x", Level::Warning, |facts| {
            facts.emulation = Emulation::Refused("may not mount binfmt_misc".into());
        }),
    ];
    for (check, level, lack) in lacks {
        let mut facts = well();
        lack(&mut facts);
        assert_eq!(ill(&facts), [(*check, *level)]);
    }
}

#[test]
fn a_remote_engine_is_not_judged_by_this_machine() {
    let mut facts = well();
    facts.engine_is_local = false;
    facts.engine_is_usual = false;
    facts.features.clear();
    facts.inotify = Some((1, 1));
    facts.capabilities = 0;
    assert_eq!(ill(&facts), []);
    facts.engine = Err("no route".into());
    let engine = run(&facts)
        .into_iter()
        .find(|result| result.check == "engine")
        .unwrap();
    assert!(!engine.fixable, "{engine:?}");
}

#[test]
fn packages_are_installed_at_once_and_the_engine_started_after() {
    let mut facts = well();
    let shown = |facts: &Facts, fixes: &[Fix]| -> Vec<String> {
        plan(fixes, facts, "/s".into())
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let fixes = [Fix::Package("mmdebstrap"), Fix::InstallEngine];
    let actions = shown(&facts, &fixes);
    assert!(actions[1].ends_with("docker.io mmdebstrap"), "{actions:?}");
    assert!(
        actions[2].contains("dockerd --pidfile=/s/engine/dockerd.pid"),
        "{actions:?}"
    );
    assert_eq!(actions.len(), 3);
    facts.systemd = true;
    facts.root = false;
    assert_eq!(
        shown(&facts, &[Fix::StartEngine]),
        ["sudo systemctl enable --now docker"]
    );
    facts.apt = false;
    assert!(shown(&facts, &fixes).is_empty());
}

#[test]
fn emulators_are_told_with_what_they_refuse_and_only_foreign_ones() {
    let mut facts = well();
    let told = |facts: &Facts| -> Vec<_> {
        run(facts)
            .into_iter()
            .filter(|result| result.check.starts_with("emulator"))
            .collect()
    };
    let found = told(&facts);
    assert_eq!(found.len(), 1);
    assert!(found[0].found.contains("QEMU 10.0.13 (kcluster-s390x)"));
    assert_eq!(
        found[0].details,
        ["bpf: ENOSYS, the kernel itself says EINVAL"]
    );
    facts.emulation = Emulation::Unprepared(Arch::Amd64);
    let found = told(&facts);
    assert_eq!(found.len(), 3);
    assert!(
        found
            .iter()
            .all(|result| result.fix == Some(Fix::Emulators))
    );
    facts.emulation = Emulation::Unknown;
    assert!(told(&facts).is_empty());
}
