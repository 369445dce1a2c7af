//! Every key of the configuration, seen from inside real clusters: few clusters with many keys
//! each; `keys.rs` says which test shows which key.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

#[path = "options/runs.rs"]
mod runs;
#[path = "options/sources.rs"]
mod sources;
#[path = "options/support.rs"]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kcluster_tests::{Kcluster, SettingsSchema, docker, index_of_many, junit_totals};
use serde_json::Value;

use support::{get, good, inside, leaving_nothing, specs};

#[test]
#[ignore = "suite options: three control planes are too much for CI"]
fn three_control_planes_lose_one_while_specs_run() {
    leaving_nothing(
        "three_control_planes_lose_one_while_specs_run",
        "h",
        |kcluster| {
            let up = ["up", "--name", "h", "--control-planes", "3", "--nodes", "2"];
            let first = good(kcluster, &up);
            eprintln!("3 + 2: {:.1} s\n{}", first.took.as_secs_f64(), first.stderr);
            let members = "etcdctl version >/dev/null 2>&1; kubectl get pods -n kube-system -l component=etcd -o name | wc -l";
            assert_eq!(
                inside(kcluster, "h", "control-plane-2", members).trim(),
                "3"
            );
            let nodes = get(kcluster, "h", &["nodes"]);
            assert_eq!(
                nodes["items"].as_array().unwrap().len(),
                5,
                "the load balancer is no node"
            );

            lose_one(kcluster);
            let again = good(kcluster, &up);
            assert!(
                again.stderr.contains("starting h-control-plane again"),
                "{}",
                again.stderr
            );
            // All of them together: nothing but the balancer and a majority is needed.
            good(kcluster, &["suspend", "--name", "h"]);
            good(kcluster, &["resume", "--name", "h"]);
            specs(
                kcluster,
                "h",
                &["ConfigMap should be consumable via the environment"],
                1,
            );
            good(kcluster, &["snapshot", "save", "--name", "h", "one"]);
            good(kcluster, &["down", "--name", "h"]);
            let restored = good(kcluster, &["snapshot", "restore", "--name", "h", "one"]);
            eprintln!("restored: {:.1} s", restored.took.as_secs_f64());
            good(kcluster, &["kubectl", "--name", "h", "--", "get", "nodes"]);
            good(kcluster, &["snapshot", "remove", "--name", "h", "one"]);
        },
    );
}

/// The control plane that was there first is killed in the middle of a run.
fn lose_one(kcluster: &Kcluster) {
    let out = kcluster.state().join("killed").display().to_string();
    let args = ["e2e", "ConfigMap", "--name", "h", "--report-dir", &out];
    let mut run = kcluster
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Namespaces of specs say that they run.
    let deadline = Instant::now() + Duration::from_secs(120);
    let script = "kubectl get namespaces -o name | grep -c e2e-framework= || kubectl get namespaces -l e2e-framework -o name | wc -l";
    while inside(kcluster, "h", "control-plane-2", script).trim() == "0" {
        assert!(Instant::now() < deadline, "no spec began");
    }
    docker(&["kill", "h-control-plane"]).unwrap();
    let killed = Instant::now();
    assert!(
        run.try_wait().unwrap().is_none(),
        "the specs were through before"
    );
    let code = run.wait().unwrap().code();
    eprintln!(
        "specs went on for {:.0} s without it",
        killed.elapsed().as_secs_f64()
    );
    assert_eq!(code, Some(0));
    let junit = Path::new(&out).join("junit.xml");
    let totals = junit_totals(kcluster.state(), &junit, "conformance").unwrap();
    assert!(
        totals.tests >= 10 && totals.failures + totals.errors == 0,
        "{totals:?}"
    );
    let table = good(kcluster, &["nodes", "--name", "h"]).stdout;
    assert!(table.contains("exited"), "{table}");
}

#[test]
#[ignore = "suite options: real clusters, each with many keys"]
fn many_keys_at_once() {
    leaving_nothing("many_keys_at_once", "k", |kcluster| {
        let data = kcluster.state().join("data");
        fs_err::create_dir_all(&data).unwrap();
        fs_err::write(data.join("told"), "by the host\n").unwrap();
        let data = data.display();
        // One worker is kept free, and specs of Services want two that are not.
        let file = format!(
            r#"name = "k"
nodes = 3
ip-family = "dual"
pod-subnet = "10.50.0.0/16"
service-subnet = "10.60.0.0/16"
pod-subnet-v6 = "fd00:50::/56"
service-subnet-v6 = "fd00:60::/112"
api-address = "127.0.0.2"
kube-proxy-mode = "iptables"
feature-gates = {{ PodLevelResources = true }}
runtime-config = {{ "storage.k8s.io/v1beta1" = "true" }}
audit = "metadata"
swap = "SWAP"

[[kubeadm-patches]]
target = "kube-scheduler"
type = "strategic"
patch = '{{"metadata": {{"labels": {{"patched": "strategic"}}}}}}'

[[kubeadm-patches]]
target = "kubeletconfiguration"
type = "json"
patch = '[{{"op": "replace", "path": "/maxPods", "value": 77}}]'

[per-node]
worker = {{ labels = {{ kind = "worker" }} }}

[per-node.worker-1]
labels = {{ disk = "ssd" }}
taints = ["for=one:NoSchedule"]
mounts = ["{data}:/srv/read:ro", "{data}:/srv/write"]
ports = ["127.0.0.1:18080:10250"]
cpus = "1.5"
memory = "1GiB"
"#
        );
        let two = docker(&["info", "--format", "{{.CgroupVersion}}"])
            .unwrap()
            .trim()
            == "2";
        let config = kcluster.state().join("kcluster.toml");
        let schema = SettingsSchema::of(kcluster).unwrap();
        schema.expect(&file.replace("SWAP", "none")).unwrap();
        fs_err::write(&config, file.replace("SWAP", "limited")).unwrap();
        if !two {
            // Kubelets refuse swap there, and so does kcluster, before anything is made.
            let refused = kcluster.run(&["up"]).unwrap().expect_code(2).unwrap();
            assert!(
                refused.stderr.contains("cgroup version 2"),
                "{}",
                refused.stderr
            );
            fs_err::write(&config, file.replace("SWAP", "none")).unwrap();
        }
        let up = good(kcluster, &["up"]);
        eprintln!("many keys: {:.1} s", up.took.as_secs_f64());
        components_are_told(kcluster, if two { "LimitedSwap" } else { "NoSwap" });
        nodes_are_as_each_was_asked(kcluster);
        requests_are_written_down(kcluster);
        services_are_programmed_by(kcluster, "k", "iptables-save", "KUBE-SERVICES");
        both_families(kcluster);
    });
}

fn components_are_told(kcluster: &Kcluster, swap: &str) {
    let pods = get(
        kcluster,
        "k",
        &["pods", "-n", "kube-system", "-l", "tier=control-plane"],
    );
    let of = |component: &str| {
        let pods = pods["items"].as_array().unwrap();
        let found = pods
            .iter()
            .find(|pod| pod["metadata"]["labels"]["component"] == component);
        found.unwrap().clone()
    };
    let api = of("kube-apiserver")["spec"]["containers"][0]["command"].to_string();
    assert!(api.contains("PodLevelResources=true"), "{api}");
    assert!(
        api.contains("--runtime-config=storage.k8s.io/v1beta1=true"),
        "{api}"
    );
    assert_eq!(
        of("kube-scheduler")["metadata"]["labels"]["patched"],
        "strategic"
    );
    let path = "/api/v1/nodes/k-worker-2/proxy/configz";
    let kubelet = good(
        kcluster,
        &["kubectl", "--name", "k", "--", "get", "--raw", path],
    )
    .stdout;
    let kubelet: Value = serde_json::from_str(&kubelet).unwrap();
    let kubelet = &kubelet["kubeletconfig"];
    assert_eq!(kubelet["memorySwap"]["swapBehavior"], swap, "{kubelet}");
    assert_eq!(kubelet["maxPods"], 77, "{kubelet}");
    assert_eq!(
        kubelet["featureGates"]["PodLevelResources"], true,
        "{kubelet}"
    );
    let path = good(kcluster, &["kubeconfig", "--name", "k", "--path"]).stdout;
    let kubeconfig = fs_err::read_to_string(path.trim()).unwrap();
    assert!(
        kubeconfig.contains("https://127.0.0.2:"),
        "not at --api-address"
    );
}

fn nodes_are_as_each_was_asked(kcluster: &Kcluster) {
    let one = get(kcluster, "k", &["node", "k-worker-1"]);
    assert_eq!(one["metadata"]["labels"]["kind"], "worker");
    assert_eq!(one["metadata"]["labels"]["disk"], "ssd");
    assert_eq!(one["spec"]["taints"][0]["key"], "for", "{one}");
    let allocatable = &one["status"]["allocatable"];
    assert_eq!(allocatable["cpu"], "1500m", "{allocatable}");
    let two = get(kcluster, "k", &["node", "k-worker-2"]);
    assert_eq!(two["metadata"]["labels"]["kind"], "worker");
    assert!(two["metadata"]["labels"]["disk"].is_null() && two["spec"]["taints"].is_null());

    let sees = "cat /srv/read/told; touch /srv/read/no 2>/dev/null || echo read-only; echo back > /srv/write/answer";
    assert_eq!(
        inside(kcluster, "k", "worker-1", sees),
        "by the host\nread-only\n"
    );
    let answer = fs_err::read_to_string(kcluster.state().join("data/answer")).unwrap();
    assert_eq!(answer, "back\n");
    let limits = [
        "inspect",
        "--format",
        "{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}",
        "k-worker-1",
    ];
    assert_eq!(docker(&limits).unwrap().trim(), "1500000000 1073741824");
    // The kubelet, which speaks TLS only, is reached on the host's port.
    let mut kubelet = TcpStream::connect("127.0.0.1:18080").unwrap();
    kubelet.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut said = String::new();
    kubelet.read_to_string(&mut said).unwrap();
    assert!(said.contains("to an HTTPS server"), "{said}");
}

fn requests_are_written_down(kcluster: &Kcluster) {
    good(
        kcluster,
        &[
            "kubectl",
            "--name",
            "k",
            "--",
            "create",
            "configmap",
            "audited",
        ],
    );
    let log = inside(
        kcluster,
        "k",
        "control-plane",
        "cat /var/log/kcluster/audit/audit.log",
    );
    let wanted = |event: &Value| {
        event["objectRef"]["name"] == "audited"
            && event["verb"] == "create"
            && event["level"] == "Metadata"
            && event["responseStatus"]["code"] == 201
    };
    let events = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    assert!(
        events.into_iter().any(|event: Value| wanted(&event)),
        "no such request in the log"
    );
}

/// The rules of Services are where this mode of kube-proxy has them.
fn services_are_programmed_by(kcluster: &Kcluster, name: &str, command: &str, holds: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !inside(kcluster, name, "worker-1", command).contains(holds) {
        assert!(
            Instant::now() < deadline,
            "`{command}` never showed {holds}"
        );
    }
}

fn both_families(kcluster: &Kcluster) {
    let node = get(kcluster, "k", &["node", "k-worker-2"]);
    let subnets: Vec<&str> = node["spec"]["podCIDRs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(subnets, ["10.50.2.0/24", "fd00:50:0:2::/64"]);
    let service = get(kcluster, "k", &["service", "kubernetes"]);
    assert_eq!(service["spec"]["clusterIP"], "10.60.0.1", "{service}");
    // Nothing leaves by either: what is of nobody is refused at once, not lost.
    for address in ["198.51.100.1", "2001:db8::1", "fd00:60::ffff"] {
        let asked = Instant::now();
        let script = format!("bash -c 'exec 3<>/dev/tcp/{address}/9' 2>&1 || echo refused");
        assert!(inside(kcluster, "k", "worker-2", &script).ends_with("refused\n"));
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{address} was not refused but lost"
        );
    }
    specs(
        kcluster,
        "k",
        &[
            "--label-filter",
            "",
            "--focus",
            "\\[Feature:IPv6DualStack\\]",
            "--skip",
            "Disruptive|\\[Feature:.*ServiceCIDR|SCTP",
        ],
        22,
    );
}

#[test]
#[ignore = "suite options: real clusters, each with many keys"]
fn ipv6_and_ptp() {
    leaving_nothing("ipv6_and_ptp", "s", six_alone);
}

fn six_alone(kcluster: &Kcluster) {
    let image = good(kcluster, &["images", "build"]).stdout;
    let image = image.trim();
    let up = [
        "up",
        "--name",
        "s",
        "--nodes",
        "1",
        "--ip-family",
        "ipv6",
        "--cni",
        "ptp",
        "--image",
        image,
    ];
    eprintln!(
        "IPv6 alone: {:.1} s",
        good(kcluster, &up).took.as_secs_f64()
    );
    let pods = get(kcluster, "s", &["pods", "-A"]);
    for pod in pods["items"].as_array().unwrap() {
        let address = pod["status"]["podIP"].as_str().unwrap();
        assert!(
            address.contains(':'),
            "{address} of {}",
            pod["metadata"]["name"]
        );
    }
    let used = docker(&["inspect", "--format", "{{.Config.Image}}", "s-worker-1"]).unwrap();
    assert_eq!(used.trim(), image);
    assert!(inside(kcluster, "s", "worker-1", "cat /etc/cni/net.d/*").contains("\"ptp\""));
    services_are_programmed_by(
        kcluster,
        "s",
        "nft list table ip6 kube-proxy",
        "service-ips",
    );
    images_of_many_platforms_are_loaded(kcluster, "s");
    specs(kcluster, "s", &["Services should serve"], 2);
    specs(
        kcluster,
        "s",
        &["DNS should provide DNS for the cluster"],
        1,
    );
}

/// An index of which only the nodes' platform was saved is loaded and runs; another is refused
/// by name.
fn images_of_many_platforms_are_loaded(kcluster: &Kcluster, name: &str) {
    let program = kcluster.state().join("program");
    let from = format!("{name}-worker-1:/usr/local/bin/kcluster-node");
    let own = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    docker(&["cp", "--follow-link", &from, &program.display().to_string()]).unwrap();
    let program = fs_err::read(&program).unwrap();
    let file = kcluster.state().join("many.tar");
    let path = file.display().to_string();
    let image = "example.invalid/many:1";
    let arches = [own, "s390x", "ppc64le"];
    index_of_many(&file, image, &program, &arches, &[own]).unwrap();
    good(kcluster, &["load", "--name", name, &path]);
    let args = [
        "kubectl", "--name", name, "--", "run", "many", "--image", image,
    ];
    let run = [
        "--image-pull-policy=Never",
        "--restart=Never",
        "--command",
        "--",
        "/program",
        "help",
    ];
    good(kcluster, &[&args[..], &run].concat());
    let done = "--for=jsonpath={.status.phase}=Succeeded";
    good(
        kcluster,
        &[
            "kubectl",
            "--name",
            name,
            "--",
            "wait",
            done,
            "--timeout=60s",
            "pod/many",
        ],
    );

    index_of_many(&file, image, &program, &arches, &["s390x"]).unwrap();
    let refused = kcluster.run(&["load", "--name", name, &path]).unwrap();
    assert!(
        refused.code == 2 && refused.stderr.contains(&format!("names linux/{own}")),
        "{}",
        refused.stderr
    );
    index_of_many(&file, image, &program, &arches[1..], &["s390x"]).unwrap();
    let refused = kcluster.run(&["load", "--name", name, &path]).unwrap();
    let named = refused.stderr.contains("is for linux/ppc64le, linux/s390x");
    assert!(refused.code == 2 && named, "{}", refused.stderr);
}
