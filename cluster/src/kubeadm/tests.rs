//! The documents, looked at as kubeadm will.

use std::collections::BTreeMap;

use kcluster_matrix::{ClusterSpec, Cni, ProxyMode};
use serde_json::{Value, json};

use super::*;
use crate::tests::spec;

fn inputs_of(spec: &ClusterSpec, f: impl FnOnce(&Inputs<'_>)) {
    let nodes = spec.nodes("10.89.7.0/24".parse().unwrap()).unwrap();
    f(&Inputs {
        spec,
        control_plane: &nodes[0],
        endpoint: nodes
            .iter()
            .find(|node| !node.is_member())
            .unwrap_or(&nodes[0]),
        host: Some("build.example"),
        token: &BootstrapToken::random().unwrap(),
        timeouts: Timeouts::of(spec.cell.emulation),
        machine: crate::steps::Machine {
            cpus: 2,
            memory: 4 << 30,
        },
    });
}

fn documents(text: &str) -> Vec<Value> {
    text.split("---\n")
        .map(|document| serde_json::from_str(document).unwrap())
        .collect()
}

fn argument<'a>(component: &'a Value, name: &str) -> Option<&'a str> {
    component["extraArgs"]
        .as_array()?
        .iter()
        .find(|argument| argument["name"] == name)?["value"]
        .as_str()
}

#[test]
fn init_has_four_documents() {
    let spec = spec("a", 1);
    inputs_of(&spec, |inputs| {
        let all = documents(&inputs.init());
        let kinds: Vec<&str> = all.iter().map(|d| d["kind"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "InitConfiguration",
                "ClusterConfiguration",
                "KubeletConfiguration",
                "KubeProxyConfiguration"
            ]
        );
        let [init, cluster, kubelet, proxy] = all.try_into().unwrap();
        assert_eq!(init["localAPIEndpoint"]["advertiseAddress"], "10.89.7.10");
        assert_eq!(init["bootstrapTokens"][0]["token"], inputs.token.expose());
        assert!(init["nodeRegistration"].get("taints").is_none());
        assert_eq!(
            init["nodeRegistration"]["kubeletExtraArgs"],
            json!([{ "name": "node-ip", "value": "10.89.7.10" }])
        );
        assert_eq!(init["timeouts"]["discovery"], "240s");
        assert_eq!(cluster["kubernetesVersion"], "v1.36.3");
        assert_eq!(cluster["networking"]["podSubnet"], "10.244.0.0/16");
        assert_eq!(
            cluster["apiServer"]["certSANs"],
            json!(["localhost", "127.0.0.1", "build.example"])
        );
        assert!(
            cluster["apiServer"]["extraArgs"]
                .as_array()
                .unwrap()
                .is_empty()
        );
        assert_eq!(kubelet["failCgroupV1"], false);
        assert_eq!(proxy["mode"], "nftables");
        assert_eq!(proxy["conntrack"]["maxPerCore"], 0);
    });
}

#[test]
fn what_serves_finds_its_certificate_in_its_pod() {
    inputs_of(&spec("a", 0), |inputs| {
        let cluster = &documents(&inputs.init())[1];
        let manager = &cluster["controllerManager"];
        assert_eq!(
            argument(manager, "tls-private-key-file"),
            Some("/etc/kubernetes/pki/kube-controller-manager.key")
        );
        let scheduler = &cluster["scheduler"];
        for (index, argument_name) in ["tls-cert-file", "tls-private-key-file"].iter().enumerate() {
            let volume = &scheduler["extraVolumes"][index];
            let path = argument(scheduler, argument_name);
            assert!(
                path.is_some_and(|path| path.starts_with("/etc/kubernetes/pki/kube-scheduler."))
            );
            assert_eq!(volume["mountPath"].as_str(), path);
            assert_eq!(volume["hostPath"].as_str(), path);
        }
    });
}

#[test]
fn one_node_runs_everything() {
    inputs_of(&spec("a", 0), |inputs| {
        let init = &documents(&inputs.init())[0];
        assert_eq!(init["nodeRegistration"]["taints"], json!([]));
    });
}

#[test]
fn pod_subnets_are_given_by_whoever_owns_them() {
    let mut spec = spec("a", 1);
    for (cni, allocate) in [
        (Cni::Bridge, Some("false")),
        (Cni::Ptp, Some("false")),
        (Cni::None, None),
    ] {
        spec.cell.cni = cni;
        inputs_of(&spec, |inputs| {
            let cluster = &documents(&inputs.init())[1];
            let manager = &cluster["controllerManager"];
            assert_eq!(argument(manager, "allocate-node-cidrs"), allocate);
            assert_eq!(argument(manager, "leader-elect"), Some("false"));
        });
    }
}

#[test]
fn users_settings_reach_every_component() {
    let mut spec = spec("a", 1);
    spec.feature_gates = BTreeMap::from([("Alpha".to_owned(), true), ("Beta".to_owned(), false)]);
    spec.runtime_config = BTreeMap::from([("api/all".to_owned(), "true".to_owned())]);
    spec.proxy_mode = ProxyMode::Iptables;
    spec.api_address = "192.0.2.7".parse().unwrap();
    inputs_of(&spec, |inputs| {
        let [_, cluster, kubelet, proxy] = documents(&inputs.init()).try_into().unwrap();
        for component in ["apiServer", "controllerManager", "scheduler"] {
            assert_eq!(
                argument(&cluster[component], "feature-gates"),
                Some("Alpha=true,Beta=false"),
                "{component}"
            );
        }
        assert_eq!(
            argument(&cluster["apiServer"], "runtime-config"),
            Some("api/all=true")
        );
        assert_eq!(cluster["apiServer"]["certSANs"][2], "192.0.2.7");
        assert_eq!(
            kubelet["featureGates"],
            json!({ "Alpha": true, "Beta": false })
        );
        assert_eq!(proxy["mode"], "iptables");
        assert_eq!(proxy["conntrack"]["tcpBeLiberal"], false);
    });
}

#[test]
fn workers_join_by_file_with_the_token() {
    let spec = spec("a", 2);
    let worker = &spec.nodes("10.89.7.0/24".parse().unwrap()).unwrap()[2];
    inputs_of(&spec, |inputs| {
        let join = &documents(&inputs.join(worker))[0];
        assert_eq!(join["kind"], "JoinConfiguration");
        assert_eq!(join["discovery"]["file"]["kubeConfigPath"], DISCOVERY);
        assert_eq!(
            join["discovery"]["tlsBootstrapToken"],
            inputs.token.expose()
        );
        assert_eq!(join["nodeRegistration"]["name"], "a-worker-2");
        let discovery = inputs.discovery();
        assert!(!discovery.contains(inputs.token.expose()));
        let server = &documents(&discovery)[0]["clusters"][0]["cluster"]["server"];
        assert_eq!(server, "https://10.89.7.10:6443");
    });
}
