//! The main job with real clusters: boot, use, test, remove.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kcluster_tests::{Inventory, Kcluster, docker, junit_totals, real_clusters};
use serde_json::Value;

/// One cluster serves all the checks: boots are what costs.
#[test]
fn two_clusters_side_by_side_pass_conformance_specs() {
    if !real_clusters("first_cell") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();

    let up = kcluster
        .run(&["up", "--name", "a", "--nodes", "1"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    eprintln!("up a: {:.1} s\n{}", up.took.as_secs_f64(), up.stderr);
    for phase in [
        "network",
        "nodes",
        "kubeadm init",
        "kubeadm join",
        "all Ready",
    ] {
        assert!(
            up.stderr.contains(phase),
            "no phase `{phase}` in\n{}",
            up.stderr
        );
    }
    let again = kcluster
        .run(&["up", "--name", "a", "--nodes", "1"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    assert!(
        again.took.as_secs() < 5,
        "a repeated up took {:?}",
        again.took
    );
    let other = kcluster
        .run(&["up", "--name", "a", "--nodes", "2"])
        .unwrap()
        .expect_code(2)
        .unwrap();
    assert!(
        other.stderr.contains("workers") || other.stderr.contains("nodes"),
        "{}",
        other.stderr
    );
    kcluster
        .run(&["up", "--name", "b", "--nodes", "0"])
        .unwrap()
        .expect_code(0)
        .unwrap();

    nodes_are_what_was_asked(&kcluster);
    kubeconfig_is_private_and_works(&kcluster);
    exec_logs_and_load_work(&kcluster);
    egress_is_closed(&kcluster);
    lists_are_what_upstream_counts(&kcluster);
    specs_pass(&kcluster, "a", &["e2e", "ConfigMap"], 10);
    specs_pass(&kcluster, "a", &["e2e", "Services should serve"], 2);
    specs_pass(&kcluster, "a", &["e2e", "DNS should provide"], 4);

    for name in ["a", "b"] {
        kcluster
            .run(&["down", "--name", name])
            .unwrap()
            .expect_code(0)
            .unwrap();
    }
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}

fn nodes_are_what_was_asked(kcluster: &Kcluster) {
    let get = |name: &str| -> Value {
        let output = kcluster
            .run(&[
                "kubectl", "--name", name, "--", "get", "nodes", "-o", "json",
            ])
            .unwrap()
            .expect_code(0)
            .unwrap();
        serde_json::from_str(&output.stdout).unwrap()
    };
    for (name, count) in [("a", 2), ("b", 1)] {
        let nodes = get(name);
        let items = nodes["items"].as_array().unwrap();
        assert_eq!(items.len(), count, "{nodes}");
        for node in items {
            let ready = node["status"]["conditions"]
                .as_array()
                .unwrap()
                .iter()
                .find(|condition| condition["type"] == "Ready")
                .unwrap();
            assert_eq!(ready["status"], "True", "{node}");
            assert!(node["spec"]["podCIDR"].is_string(), "{node}");
        }
    }
    let taints = &get("b")["items"][0]["spec"]["taints"];
    assert!(taints.is_null(), "the only node has taints: {taints}");
    let table = kcluster
        .run(&["nodes", "--name", "a"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    assert!(table.stdout.contains("a-worker-1"), "{}", table.stdout);
}

fn kubeconfig_is_private_and_works(kcluster: &Kcluster) {
    let path = kcluster
        .run(&["kubeconfig", "--name", "a", "--path"])
        .unwrap()
        .expect_code(0)
        .unwrap()
        .stdout;
    let path = Path::new(path.trim());
    let mode = fs_err::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    let text = fs_err::read_to_string(path).unwrap();
    assert!(
        text.contains("https://127.0.0.1:"),
        "the API server is not on loopback"
    );
}

fn exec_logs_and_load_work(kcluster: &Kcluster) {
    let uname = kcluster
        .run(&["exec", "--name", "a", "a-worker-1", "--", "uname", "-n"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    assert_eq!(uname.stdout.trim(), "a-worker-1");
    kcluster
        .run(&[
            "exec",
            "--name",
            "a",
            "a-worker-1",
            "--",
            "sh",
            "-c",
            "exit 7",
        ])
        .unwrap()
        .expect_code(7)
        .unwrap();
    let logs = kcluster.state().join("logs");
    kcluster
        .run(&["logs", "--name", "a", &logs.display().to_string()])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let kubelet = logs.join("a-worker-1/kcluster/kubelet.log");
    assert!(
        fs_err::metadata(&kubelet).is_ok_and(|it| it.len() > 1000),
        "{}",
        kubelet.display()
    );
}

fn egress_is_closed(kcluster: &Kcluster) {
    // TEST-NET-1: an address that no host has; refused by the node before it leaves.
    let output = kcluster
        .run(&[
            "exec",
            "--name",
            "a",
            "a-worker-1",
            "--",
            "bash",
            "-c",
            "exec 3<>/dev/tcp/198.51.100.1/9",
        ])
        .unwrap();
    assert_ne!(output.code, 0);
    assert!(
        output.took.as_secs() < 5,
        "the packet was not refused but lost: {output:?}"
    );
    let counters = kcluster
        .run(&[
            "exec",
            "--name",
            "a",
            "a-worker-1",
            "--",
            "nft",
            "list",
            "table",
            "inet",
            "kcluster",
        ])
        .unwrap()
        .expect_code(0)
        .unwrap();
    assert!(
        counters.stdout.contains("reject") || counters.stdout.contains("drop"),
        "{}",
        counters.stdout
    );
}

/// 446 specs are what the CNCF counts for 1.36.
fn lists_are_what_upstream_counts(kcluster: &Kcluster) {
    let dry = |words: &[&str]| {
        let args = [words, &["--dry-run", "--name", "a"]].concat();
        kcluster.run(&args).unwrap()
    };
    for (words, count) in [
        (&["e2e"][..], 417),
        (&["e2e-serial"], 29),
        (&["e2e", "--all"], 446),
        (&["e2e", "ConfigMap"], 17),
    ] {
        let listed = dry(words).expect_code(0).unwrap().stdout;
        let specs = listed.lines().filter(|line| line.starts_with('['));
        assert_eq!(specs.count(), count, "{words:?}: {listed}");
    }
    for words in [
        ["ConfigMpa"].as_slice(),
        &["--focus", "("],
        &["--label-filter", "a && ("],
    ] {
        let refused = dry(&[&["e2e"], words].concat()).expect_code(2).unwrap();
        let asked = words.last().unwrap();
        assert!(refused.stderr.contains(asked), "{}", refused.stderr);
    }
}

fn specs_pass(kcluster: &Kcluster, name: &str, command: &[&str], at_least: usize) {
    let out = kcluster.state().join("out");
    let out_text = out.display().to_string();
    let mut args = command.to_vec();
    args.extend(["--name", name, "--report-dir", &out_text]);
    let run = kcluster.run(&args).unwrap().expect_code(0).unwrap();
    let listed = kcluster
        .run(&[&args[..], &["--dry-run"]].concat())
        .unwrap()
        .expect_code(0)
        .unwrap()
        .stdout
        .lines()
        .count();
    let totals = junit_totals(kcluster.state(), &out.join("junit.xml"), "conformance").unwrap();
    eprintln!("{command:?}: {totals:?} in {:.0} s", run.took.as_secs_f64());
    assert!(
        totals.tests >= at_least,
        "{command:?} selected only {} specs",
        totals.tests
    );
    assert_eq!(totals.tests, listed, "specs are missing from junit.xml");
    assert_eq!((totals.failures, totals.errors, totals.skipped), (0, 0, 0));
    let ginkgo: Value =
        serde_json::from_str(&fs_err::read_to_string(out.join("ginkgo/report.json")).unwrap())
            .unwrap();
    let passed = ginkgo[0]["SpecReports"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|spec| spec["LeafNodeType"] == "It" && spec["State"] == "passed")
        .count();
    assert_eq!(
        totals.tests, passed,
        "junit.xml and ginkgo's own report disagree"
    );
}

/// What does not carry kcluster's labels is not kcluster's to remove.
#[test]
fn clean_leaves_foreign_things_alone() {
    if !real_clusters("clean_leaves_foreign_things_alone") {
        return;
    }
    let kcluster = Kcluster::new().unwrap();
    kcluster
        .run(&["up", "--name", "c", "--nodes", "0"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let image = docker(&[
        "inspect",
        "--format",
        "{{.Config.Image}}",
        "c-control-plane",
    ])
    .unwrap();
    let foreign = "foreign-to-kcluster";
    docker(&["network", "create", foreign]).unwrap();
    docker(&["volume", "create", foreign]).unwrap();
    // Made from kcluster's own image, but not by kcluster: its label must not be inherited.
    docker(&["tag", image.trim(), "foreign-to-kcluster:1"]).unwrap();
    docker(&[
        "create",
        "--name",
        foreign,
        "--network",
        foreign,
        "foreign-to-kcluster:1",
    ])
    .unwrap();
    let result = std::panic::catch_unwind(|| {
        kcluster
            .run(&["clean", "--keep-cache"])
            .unwrap()
            .expect_code(0)
            .unwrap();
        for kind in [&["container"][..], &["network"], &["volume"]] {
            docker(&[kind, &["inspect", foreign]].concat()).unwrap();
        }
        docker(&["image", "inspect", "foreign-to-kcluster:1"]).unwrap();
        assert!(docker(&["container", "inspect", "c-control-plane"]).is_err());
    });
    for args in [
        ["rm", "--force", foreign].as_slice(),
        &["network", "rm", foreign],
        &["volume", "rm", foreign],
        &["image", "rm", "foreign-to-kcluster:1"],
    ] {
        docker(args).unwrap();
    }
    result.unwrap();
}
