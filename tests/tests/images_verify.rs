//! `images verify` and `images push`: an index with every kind of fault, and a real registry.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use kcluster_tests::{
    Inventory, Kcluster, Output, Registry, docker, installed, junit_totals, real_clusters,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const GOOD: &str =
    "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"hello\\n\") }\n";
const CRASHES: &str = "package main\n\nfunc main() { var nothing *int; *nothing = 1 }\n";

/// Whether Go is on the path; says so when it is not.
fn go(test: &str) -> bool {
    let found = Command::new("go").arg("version").output().is_ok();
    if !found {
        eprintln!("SKIPPED {test}: go is not installed");
    }
    found
}

/// Compiles a program for an architecture; `pie` wants a loader at run time, `exe` does not.
fn program(folder: &Path, source: &str, arch: &str, mode: &str) -> Vec<u8> {
    let file = folder.join("main.go");
    fs_err::write(&file, source).unwrap();
    let built = folder.join("program");
    let output = Command::new("go")
        .args(["build", "-buildmode", mode, "-ldflags", "-s -w", "-o"])
        .arg(&built)
        .arg(&file)
        .env("GOOS", "linux")
        .env("GOARCH", arch)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-buildvcs=false")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs_err::read(built).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    let digest: Vec<String> = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{}", digest.concat())
}

fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An OCI layout whose images hold one program each.
fn index(folder: &Path, programs: &[(&str, Vec<u8>)]) -> PathBuf {
    let mut files = Vec::new();
    let mut blob = |bytes: Vec<u8>| {
        let digest = sha256(&bytes);
        let described = json!({ "digest": digest, "size": bytes.len() });
        files.push((format!("blobs/{}", digest.replace(':', "/")), bytes));
        described
    };
    let mut manifests = Vec::new();
    for (arch, program) in programs {
        let layer = tar(&[("app".to_owned(), program.clone())]);
        let diff_id = sha256(&layer);
        let layer = blob(layer);
        let config = json!({
            "os": "linux", "architecture": arch, "config": { "Entrypoint": ["/app"] },
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        });
        let config = blob(config.to_string().into_bytes());
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
        let mut listed = blob(manifest.to_string().into_bytes());
        listed["platform"] = json!({ "os": "linux", "architecture": arch });
        manifests.push(listed);
    }
    let index = json!({ "schemaVersion": 2, "manifests": manifests });
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    let path = folder.join("index.tar");
    fs_err::write(&path, tar(&files)).unwrap();
    path
}

/// A good platform, a mislabelled one, one without its loader, and one that crashes.
fn four(folder: &Path) -> PathBuf {
    index(
        folder,
        &[
            ("amd64", program(folder, GOOD, "amd64", "exe")),
            ("s390x", program(folder, GOOD, "amd64", "exe")),
            // Go links these by itself, without C.
            ("ppc64le", program(folder, GOOD, "ppc64le", "pie")),
            ("arm64", program(folder, CRASHES, "arm64", "exe")),
        ],
    )
}

fn answers(output: &Output) -> Vec<Value> {
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn what_an_image_says_is_held_against_its_programs() {
    if !go("what_an_image_says_is_held_against_its_programs") {
        return;
    }
    let kcluster = Kcluster::new().unwrap();
    let path = four(kcluster.state());
    let path = path.to_str().unwrap();
    let told = kcluster
        .run(&["images", "verify", path, "--json"])
        .unwrap()
        .expect_code(4)
        .unwrap();
    let answers = answers(&told);
    let wrong: Vec<(&str, &Value)> = answers
        .iter()
        .map(|one| (one["platform"].as_str().unwrap(), &one["wrong"]))
        .collect();
    assert_eq!(wrong[0], ("linux/amd64", &json!([])));
    assert_eq!(
        wrong[1],
        ("linux/s390x", &json!(["/app is for amd64, not s390x"]))
    );
    assert_eq!(wrong[2].0, "linux/ppc64le");
    let loader = wrong[2].1[0].as_str().unwrap();
    assert!(
        loader.starts_with("/app wants the loader /lib64/ld64.so."),
        "{loader}"
    );
    // That it crashes cannot be seen.
    assert_eq!(wrong[3], ("linux/arm64", &json!([])));
    let absent = kcluster
        .run(&["images", "verify", "none.tar", "--from", "archive"])
        .unwrap();
    assert_ne!(absent.code, 0);
    assert!(absent.stderr.contains("none.tar"), "{}", absent.stderr);
}

#[test]
fn platforms_are_run_and_one_that_crashes_is_found() {
    let name = "platforms_are_run_and_one_that_crashes_is_found";
    if !real_clusters(name) || !go(name) {
        return;
    }
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIPPED {name}: the index is made for machines of amd64");
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let path = four(kcluster.state());
    let begun = Instant::now();
    let told = kcluster
        .run(&[
            "images",
            "verify",
            path.to_str().unwrap(),
            "--run",
            "--expect",
            "hello",
            "--json",
            "--report-dir",
            "out",
        ])
        .unwrap()
        .expect_code(4)
        .unwrap();
    eprintln!(
        "images verify --run: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let answers = answers(&told);
    let passed: Vec<bool> = answers
        .iter()
        .map(|one| one["passed"].as_bool().unwrap())
        .collect();
    assert_eq!(passed, [true, false, false, false], "{}", told.stdout);
    assert_eq!(answers[0]["run"]["is"], "passed");
    assert_eq!(answers[0]["run"]["output"], "hello\n");
    for refused in &answers[1..3] {
        assert_eq!(refused["run"]["is"], "skipped", "{refused:#}");
    }
    let crash = &answers[3]["run"];
    assert_eq!(
        (&crash["is"], &crash["emulated"]),
        (&json!("failed"), &json!(true))
    );
    assert!(
        crash["why"]
            .as_str()
            .unwrap()
            .starts_with("it ended with code 2"),
        "{crash:#}"
    );
    assert!(
        crash["output"]
            .as_str()
            .unwrap()
            .contains("nil pointer dereference"),
        "{crash:#}"
    );
    let totals = junit_totals(
        kcluster.state(),
        &kcluster.state().join("out/junit.xml"),
        "index.tar",
    )
    .unwrap();
    assert_eq!(
        (totals.tests, totals.failures, totals.skipped),
        (8, 3, 2),
        "{totals:?}"
    );
    let images = docker(&["images", "--quiet", "kcluster/verify"]).unwrap();
    assert_eq!(images.trim(), "", "an image was left");
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

#[test]
fn a_node_image_is_pushed_verified_and_booted_from_a_registry() {
    let name = "a_node_image_is_pushed_verified_and_booted_from_a_registry";
    if !real_clusters(name) || !installed(name, "docker-registry") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let registry = Registry::start("127.0.0.1", None).unwrap();
    let reference = format!("127.0.0.1:{}/kcluster/node:test", registry.port);
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let timed = |what: &str, args: &[&str]| {
        let output = kcluster.run(args).unwrap().expect_code(0).unwrap();
        eprintln!("{what}: {:.1} s", output.took.as_secs_f64());
        output
    };
    let push = ["images", "push", &reference, "--platforms", arch];
    let pushed = timed("push", &push);
    assert!(
        pushed.stdout.starts_with(&format!("{reference}@sha256:")),
        "{}",
        pushed.stdout
    );
    let again = timed("push again", &push);
    assert_eq!(again.stdout, pushed.stdout);

    let verify = [
        "images", "verify", &reference, "--from", "registry", "--json",
    ];
    let verified = answers(&timed("verify", &verify));
    assert_eq!(verified.len(), 1);
    assert_eq!(verified[0]["platform"], format!("linux/{arch}"));
    assert_eq!(verified[0]["wrong"], json!([]));

    docker(&["pull", "--quiet", &reference]).unwrap();
    let up = [
        "up", "--name", "pulled", "--nodes", "0", "--image", &reference,
    ];
    timed("up", &up);
    timed("down", &["down", "--name", "pulled"]);
    docker(&["rmi", &reference]).unwrap();
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}
