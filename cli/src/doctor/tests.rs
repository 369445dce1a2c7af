//! Checks against machines that are well, and machines that are not.

use std::collections::BTreeSet;

use super::check::{Level, run};
use super::facts::{Disk, EngineFacts, Facts};
use super::fix::{Fix, plan};
use super::kernel::FEATURES;

const GIB: u64 = 1 << 30;

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

type Lack = fn(&mut Facts);

#[test]
fn each_lack_is_found_by_its_check() {
    let lacks: &[(&str, Level, Lack)] = &[
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
