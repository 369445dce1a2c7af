//! Emulators on the engine's host: registered, proved by a second witness, removed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use kcluster_tests::{Inventory, Kcluster, docker, real_clusters};
use serde_json::Value;

#[test]
fn foreign_programs_run_while_an_emulator_is_registered() {
    let name = "foreign_programs_run_while_an_emulator_is_registered";
    if !real_clusters(name) {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    kcluster
        .run(&["doctor", "--fix"])
        .unwrap()
        .expect_code(0)
        .unwrap();

    let foreign = if cfg!(target_arch = "s390x") {
        "arm64"
    } else {
        "s390x"
    };
    let told = kcluster
        .run(&["doctor", "--json"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let checks: Vec<Value> = serde_json::from_str(&told.stdout).unwrap();
    let check = checks
        .iter()
        .find(|check| check["check"] == format!("emulator {foreign}"))
        .unwrap_or_else(|| panic!("{}", told.stdout));
    assert_eq!(check["level"], "fine", "{check:#}");
    let lacks = check["details"].as_array().unwrap();
    for refused in ["bpf: ENOSYS", "clone: new pid namespace: EINVAL"] {
        assert!(
            lacks
                .iter()
                .any(|lack| lack.as_str().unwrap().starts_with(refused)),
            "{refused} in {lacks:#?}"
        );
    }

    // This machine itself is the witness: its kernel takes the registration too.
    let folder = tempfile::tempdir().unwrap();
    let probe = probe(folder.path(), foreign);
    let output = run(&probe).unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains(r#""check":"exec","needed":true,"answer":"ok""#),
        "{printed}"
    );

    if in_use() {
        eprintln!("SKIPPED the end of {name}: foreign programs of others run on this machine");
    } else {
        let removed = kcluster
            .run(&["doctor", "--unfix"])
            .unwrap()
            .expect_code(0)
            .unwrap();
        assert!(
            removed.stderr.contains(&format!("kcluster-{foreign}")),
            "{}",
            removed.stderr
        );
        // Somebody else's registration may have been there before ours.
        if !registered_by_others(foreign) {
            assert!(run(&probe).is_err(), "it still runs");
        }
        let again = kcluster
            .run(&["doctor", "--unfix"])
            .unwrap()
            .expect_code(0)
            .unwrap();
        assert!(again.stderr.contains("nothing"), "{}", again.stderr);
        kcluster
            .run(&["doctor", "--fix"])
            .unwrap()
            .expect_code(0)
            .unwrap();
        run(&probe).unwrap();
    }
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

/// The foreign program that the image of emulators holds, as a file of this machine.
fn probe(folder: &Path, arch: &str) -> std::path::PathBuf {
    let images = docker(&[
        "images",
        "--filter",
        "label=dev.kcluster.image=emulators",
        "--format",
        "{{.Repository}}:{{.Tag}}",
    ])
    .unwrap();
    let image = images.lines().next().unwrap();
    let container = docker(&["create", image]).unwrap();
    let program = folder.join("probe");
    let copied = docker(&[
        "cp",
        &format!("{}:/kcluster/probe-{arch}", container.trim()),
        program.to_str().unwrap(),
    ]);
    docker(&["rm", container.trim()]).unwrap();
    copied.unwrap();
    program
}

fn run(probe: &Path) -> std::io::Result<std::process::Output> {
    Command::new(probe).args(["-only", "machine,exec"]).output()
}

/// Whether any process of this machine runs under one of our emulators.
fn in_use() -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return true;
    };
    processes.flatten().any(|process| {
        std::fs::read_link(process.path().join("exe"))
            .is_ok_and(|program| program.to_string_lossy().contains("/kcluster/qemu-"))
    })
}

/// Whether a registration that is not kcluster's is visible for programs of `arch`.
fn registered_by_others(arch: &str) -> bool {
    std::fs::read_dir("/proc/sys/fs/binfmt_misc").is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name.contains(arch) && !name.starts_with("kcluster-")
        })
    })
}
