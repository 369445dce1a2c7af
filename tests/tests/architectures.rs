//! Clusters of other architectures on this machine: what they run is what they say, and specs pass.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::path::Path;

use kcluster_tests::{
    ARM64, Arch, Inventory, JunitTotals, Kcluster, PPC64LE, S390X, junit_totals, real_clusters,
    suite,
};

/// Specs that are quick under emulation, of every kind that boots, nets and mounts.
const QUICK: &str = "specs-quick.txt";
/// Specs of every SIG.
const MANY: &str = "specs-150.txt";

#[test]
fn a_big_endian_cell_is_what_it_says_and_passes_specs() {
    if !real_clusters("a_big_endian_cell_is_what_it_says_and_passes_specs") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    boots(&kcluster, S390X, 1);
    let totals = specs(&kcluster, QUICK, &kcluster.state().join("out"));
    assert!(totals.tests >= 20, "{totals:?}");
    down(&kcluster);
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}

#[test]
#[ignore = "builds three architectures and runs 150 specs on each; `cargo xtask test architectures` runs it"]
fn every_architecture_passes_150_specs() {
    if !real_clusters("every_architecture_passes_150_specs") {
        return;
    }
    let out = suite::folder("architectures").unwrap();
    for arch in [ARM64, PPC64LE, S390X] {
        let kcluster = Kcluster::new().unwrap();
        let boot = boots(&kcluster, arch, 2);
        let totals = specs(&kcluster, MANY, &out.join(arch.name));
        down(&kcluster);
        suite::note(&format!(
            "{}: {} specs passed, 1+2 nodes up in {boot:.0} s",
            arch.name, totals.tests
        ))
        .unwrap();
        assert_eq!(totals.tests, 150);
    }
}

#[test]
#[ignore = "takes half an hour and more; `cargo xtask test conformance-arm64` runs it"]
fn all_parallel_specs_on_arm64() {
    all_parallel("conformance-arm64", ARM64);
}

#[test]
#[ignore = "takes half an hour and more; `cargo xtask test conformance-ppc64le` runs it"]
fn all_parallel_specs_on_ppc64le() {
    all_parallel("conformance-ppc64le", PPC64LE);
}

#[test]
#[ignore = "takes half an hour and more; `cargo xtask test conformance-s390x` runs it"]
fn all_parallel_specs_on_s390x() {
    all_parallel("conformance-s390x", S390X);
}

fn all_parallel(name: &str, arch: Arch) {
    if !real_clusters(name) {
        return;
    }
    let out = suite::folder(name).unwrap();
    let kcluster = Kcluster::new().unwrap();
    boots(&kcluster, arch, 2);
    let folder = out.display().to_string();
    let run = kcluster
        .run(&["e2e", "--name", NAME, "--report-dir", &folder])
        .unwrap();
    let junit = out.join("junit.xml");
    suite::keep_junit(name, &junit).unwrap();
    let totals = junit_totals(kcluster.state(), &junit, "conformance").unwrap();
    down(&kcluster);
    suite::note(&format!(
        "{}: {} specs, {} failed, {} errored, {} skipped, {:.0} s",
        arch.name,
        totals.tests,
        totals.failures,
        totals.errors,
        totals.skipped,
        run.took.as_secs_f64()
    ))
    .unwrap();
    assert_eq!(run.code, 0, "{}", run.stderr);
}

const NAME: &str = "foreign";

/// Boots 1 control plane and `workers`, and looks at what runs. Returns the seconds it took.
fn boots(kcluster: &Kcluster, arch: Arch, workers: u8) -> f64 {
    let ok = |args: &[&str]| kcluster.run(args).unwrap().expect_code(0).unwrap();
    // The image is not part of a boot.
    ok(&["images", "build", "--arch", arch.name]);
    let workers = workers.to_string();
    let up = ok(&[
        "up", "--name", NAME, "--arch", arch.name, "--nodes", &workers,
    ]);
    let took = up.took.as_secs_f64();
    eprintln!("up --arch {}: {took:.1} s\n{}", arch.name, up.stderr);
    assert!(up.stderr.contains("native: containerd"), "{}", up.stderr);

    let nodes = ok(&[
        "kubectl",
        "--name",
        NAME,
        "--",
        "get",
        "nodes",
        "--no-headers",
        "-L",
        "kubernetes.io/arch",
    ]);
    for line in nodes.stdout.lines() {
        assert!(line.ends_with(arch.name), "{}", nodes.stdout);
    }
    let table = ok(&["nodes", "--name", NAME]).stdout;
    assert!(
        table.contains(arch.name) && table.contains("hybrid"),
        "{table}"
    );
    arch.pod_agrees(kcluster, NAME).unwrap();
    took
}

/// Runs the specs of `list`, all of which must pass.
fn specs(kcluster: &Kcluster, list: &str, out: &Path) -> JunitTotals {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(list);
    let (list, folder) = (list.display().to_string(), out.display().to_string());
    let run = kcluster
        .run(&[
            "e2e",
            "--name",
            NAME,
            "--specs",
            &list,
            "--report-dir",
            &folder,
        ])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let totals = junit_totals(kcluster.state(), &out.join("junit.xml"), "conformance").unwrap();
    eprintln!("{totals:?} in {:.0} s", run.took.as_secs_f64());
    assert_eq!((totals.failures, totals.errors, totals.skipped), (0, 0, 0));
    totals
}

fn down(kcluster: &Kcluster) {
    kcluster
        .run(&["down", "--name", NAME])
        .unwrap()
        .expect_code(0)
        .unwrap();
}
