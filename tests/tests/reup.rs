//! Rebuilt binaries in a cluster that is up, and in one that is not: nodes run them, and pods go on.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::path::PathBuf;

use kcluster_tests::{Inventory, Kcluster, Output, docker, real_clusters};

const NAME: &str = "rebuilt";
const NODES: [&str; 2] = ["control-plane", "worker-1"];

/// Runs a command about the cluster.
fn run(kcluster: &Kcluster, words: &[&str], code: i32) -> Output {
    let args = [&words[..1], &["--name", NAME], &words[1..]].concat();
    kcluster.run(&args).unwrap().expect_code(code).unwrap()
}

/// Kubernetes' programs, which are one file, with other last bytes; nothing reads so far.
fn marked(kcluster: &Kcluster, mark: &str) -> PathBuf {
    let file = kcluster.state().join(mark);
    let node = format!("{NAME}-control-plane:/usr/local/bin/kubelet");
    docker(&["cp", "--follow-link", &node, file.to_str().unwrap()]).unwrap();
    let program = fs_err::read(&file).unwrap();
    fs_err::write(&file, [&program, mark.as_bytes()].concat()).unwrap();
    file
}

/// Whether the program that runs in a node by that name has these last bytes; a line for each process.
fn runs(kcluster: &Kcluster, node: &str, program: &str, mark: &str) -> String {
    let bytes = mark.len();
    let script = format!(
        "for one in /proc/[0-9]*; do
           read -r name <$one/comm; [ \"$name\" = {program} ] || continue
           tail -c {bytes} $one/exe | grep -aq {mark} && echo rebuilt || echo old
         done 2>/dev/null"
    );
    run(kcluster, &["exec", node, "--", "sh", "-c", &script], 0).stdout
}

fn reup(kcluster: &Kcluster, words: &[&str]) {
    let output = run(kcluster, &[&["reup"], words].concat(), 0);
    eprintln!("reup {words:?}: {:.1} s", output.took.as_secs_f64());
}

#[test]
fn nodes_run_rebuilt_binaries_and_pods_go_on() {
    if !real_clusters("nodes_run_rebuilt_binaries_and_pods_go_on") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let refused = run(&kcluster, &["reup"], 2).stderr;
    assert!(
        refused.contains("is not up, and has no snapshot"),
        "{refused}"
    );
    run(
        &kcluster,
        &["up", "--nodes", "1", "--auto-snapshot=true"],
        0,
    );
    let pods = "{range .items[*]}{.metadata.uid} {.status.containerStatuses[*].restartCount}{\"\\n\"}{end}";
    let dns = |kcluster: &Kcluster| {
        let get = ["get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns"];
        let output = format!("jsonpath={pods}");
        let all = [&["kubectl", "--"], &get[..], &["-o", &output]].concat();
        run(kcluster, &all, 0).stdout
    };
    let old = dns(&kcluster);
    assert!(old.lines().count() >= 1 && old.contains(" 0"), "{old}");

    let text = kcluster.state().join("text");
    fs_err::write(&text, "no program").unwrap();
    let words = [
        "reup",
        "--component",
        "kubelet",
        "--binary",
        text.to_str().unwrap(),
    ];
    let refused = run(&kcluster, &words, 2).stderr;
    assert!(refused.contains("is no ELF file"), "{refused}");

    let mark = "rebuilt-once";
    let binary = marked(&kcluster, mark);
    let binary = binary.to_str().unwrap();
    for (component, nodes) in [
        ("kubelet", &NODES[..]),
        ("kube-proxy", &NODES),
        ("kube-scheduler", &NODES[..1]),
    ] {
        reup(&kcluster, &["--component", component, "--binary", binary]);
        for node in nodes {
            let program = runs(&kcluster, node, component, mark);
            assert_eq!(program, "rebuilt\n", "{component} of {node}");
        }
    }
    assert_eq!(
        dns(&kcluster),
        old,
        "pods are others, or were started again"
    );

    // All that the source has, which are those that the image has.
    reup(&kcluster, &[]);
    for component in ["kubelet", "kube-proxy", "kube-scheduler", "kube-apiserver"] {
        let program = runs(&kcluster, NODES[0], component, mark);
        assert_eq!(program, "old\n", "{component}");
    }

    // From the snapshot that the boot left.
    run(&kcluster, &["down"], 0);
    reup(&kcluster, &["--component", "kubelet", "--binary", binary]);
    assert_eq!(runs(&kcluster, NODES[1], "kubelet", mark), "rebuilt\n");
    run(&kcluster, &["down"], 0);
    let snapshots = ["snapshot", "remove", "--name", NAME, "auto-1"];
    kcluster.run(&snapshots).unwrap().expect_code(0).unwrap();
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}
