//! Clusters that come back: from what the first boot left, and from a file.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::path::Path;

use kcluster_tests::{Inventory, Kcluster, Output, real_clusters};
use serde_json::Value;

const NAME: &str = "back";

/// Runs a command about the cluster to a good end.
fn run(kcluster: &Kcluster, words: &[&str], rest: &[&str]) -> Output {
    let args = [words, &["--name", NAME], rest].concat();
    kcluster.run(&args).unwrap().expect_code(0).unwrap()
}

fn up(kcluster: &Kcluster) -> Output {
    let output = run(kcluster, &["up"], &["--nodes", "0", "--auto-snapshot=true"]);
    eprintln!("up: {:.1} s", output.took.as_secs_f64());
    output
}

fn kubectl(kcluster: &Kcluster, rest: &[&str]) -> String {
    run(kcluster, &["kubectl"], &[&["--"], rest].concat()).stdout
}

/// One cluster serves all the checks: boots are what costs.
#[test]
fn a_cluster_comes_back_from_its_first_boot_and_elsewhere_with_other_keys() {
    if !real_clusters("snapshots") {
        return;
    }
    let before = Inventory::take().unwrap();
    let here = Kcluster::new().unwrap();

    let first = up(&here);
    assert!(first.stderr.contains("kubeadm init"), "{}", first.stderr);
    let list = run(&here, &["snapshot", "list"], &["--json"]).stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[0]["origin"], "automatic", "{list}");
    run(&here, &["down"], &[]);
    let again = up(&here);
    assert!(!again.stderr.contains("kubeadm init"), "{}", again.stderr);
    assert!(again.stderr.contains("starting from"), "{}", again.stderr);

    workload(&here);
    let old = here.state().join("old.conf");
    let conf = run(&here, &["kubeconfig"], &["--path"]).stdout;
    fs_err::copy(conf.trim(), &old).unwrap();
    let token = kubectl(
        &here,
        &["get", "secret", "forever", "-o", "jsonpath={.data.token}"],
    );
    run(&here, &["snapshot", "save"], &["full"]);
    let file = here.state().join("full.tar.zst");
    let file = file.to_str().unwrap();
    run(&here, &["snapshot", "export"], &["full", file]);
    run(&here, &["down"], &[]);
    for snapshot in ["full", "auto-1"] {
        run(&here, &["snapshot", "remove"], &[snapshot]);
    }
    let left = Inventory::take().unwrap().leaked_since(&before);
    assert!(left.is_empty(), "left behind: {left:#?}");

    let there = Kcluster::new().unwrap();
    there
        .run(&["snapshot", "import", file])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let back = up(&there);
    assert!(back.stderr.contains("credentials"), "{}", back.stderr);
    all_is_back(&there);
    old_credentials_are_refused(&there, &old, &token);
    run(&there, &["down"], &[]);
    run(&there, &["snapshot", "remove"], &["full"]);
    let left = Inventory::take().unwrap().leaked_since(&before);
    assert!(left.is_empty(), "left behind: {left:#?}");
}

/// A ConfigMap, a token that does not end, and a pod with data of both kinds.
fn workload(kcluster: &Kcluster) {
    let names = kubectl(
        kcluster,
        &[
            "get",
            "nodes",
            "-o",
            "jsonpath={.items[0].status.images[*].names[*]}",
        ],
    );
    let image = names
        .split(' ')
        .find(|name| name.contains("/agnhost"))
        .unwrap();
    let manifest = format!(
        r#"{{"apiVersion":"v1","kind":"List","items":[
{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"word"}},"data":{{"word":"remembered"}}}},
{{"apiVersion":"v1","kind":"Secret","type":"kubernetes.io/service-account-token",
  "metadata":{{"name":"forever","annotations":{{"kubernetes.io/service-account.name":"default"}}}}}},
{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"writer"}},"spec":{{
  "terminationGracePeriodSeconds":0,
  "containers":[{{"name":"c","image":"{image}","imagePullPolicy":"Never",
    "command":["sh","-c","echo life >> /pod/data; echo life >> /node/data; touch /done; exec sleep 100000"],
    "readinessProbe":{{"exec":{{"command":["test","-e","/done"]}},"periodSeconds":1}},
    "volumeMounts":[{{"name":"pod","mountPath":"/pod"}},{{"name":"node","mountPath":"/node"}}]}}],
  "volumes":[{{"name":"pod","emptyDir":{{}}}},
    {{"name":"node","hostPath":{{"path":"/var/lib/data","type":"DirectoryOrCreate"}}}}]}}}}]}}"#
    );
    let path = kcluster.state().join("workload.json");
    fs_err::write(&path, manifest).unwrap();
    kubectl(kcluster, &["apply", "-f", path.to_str().unwrap()]);
    let ready = [
        "wait",
        "--for=condition=Ready",
        "pod/writer",
        "--timeout=60s",
    ];
    kubectl(kcluster, &ready);
}

fn all_is_back(kcluster: &Kcluster) {
    let word = ["get", "configmap", "word", "-o", "jsonpath={.data.word}"];
    assert_eq!(kubectl(kcluster, &word), "remembered");
    // The pod's volumes are what they were; its containers live for the second time.
    let restarted = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1";
    kubectl(
        kcluster,
        &["wait", restarted, "pod/writer", "--timeout=60s"],
    );
    let ready = [
        "wait",
        "--for=condition=Ready",
        "pod/writer",
        "--timeout=60s",
    ];
    kubectl(kcluster, &ready);
    for file in ["/pod/data", "/node/data"] {
        let data = kubectl(kcluster, &["exec", "writer", "--", "cat", file]);
        assert_eq!(data, "life\n".repeat(2), "{file}");
    }
}

fn old_credentials_are_refused(kcluster: &Kcluster, old: &Path, token: &str) {
    let conf = run(kcluster, &["kubeconfig"], &["--path"]).stdout;
    let conf = fs_err::read_to_string(conf.trim()).unwrap();
    let server = conf
        .lines()
        .find_map(|line| line.trim().strip_prefix("server: "))
        .unwrap();
    let ask = |words: &[&str]| {
        let there = [
            "--server",
            server,
            "--insecure-skip-tls-verify",
            "get",
            "nodes",
        ];
        let args = [&["kubectl", "--name", NAME, "--"], words, &there].concat();
        let output = kcluster.run(&args).unwrap();
        assert_ne!(output.code, 0, "{output:?}");
        assert!(
            output.stderr.contains("nauthorized") || output.stderr.contains("logged in"),
            "{output:?}"
        );
    };
    ask(&["--kubeconfig", old.to_str().unwrap()]);
    let text = kubectl(
        kcluster,
        &["get", "secret", "forever", "-o", "jsonpath={.data.token}"],
    );
    assert!(
        !text.is_empty() && text != token,
        "the token is still the old one"
    );
    let pulled = kubectl(
        kcluster,
        &[
            "-n",
            "kube-system",
            "get",
            "secrets",
            "--field-selector",
            "type=bootstrap.kubernetes.io/token",
            "-o",
            "name",
        ],
    );
    assert_eq!(pulled, "", "a token that joins nodes came along");
    let merged = kubectl(
        kcluster,
        &[
            "-n",
            "kube-system",
            "get",
            "configmap",
            "extension-apiserver-authentication",
            "-o",
            "jsonpath={.data.client-ca-file}",
        ],
    );
    assert_eq!(merged.matches("BEGIN CERTIFICATE").count(), 1, "{merged}");
}
