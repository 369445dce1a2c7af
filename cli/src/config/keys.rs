//! The table of keys. A new key is one entry here, and nothing else.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;

use camino::Utf8PathBuf;
use ipnet::{Ipv4Net, Ipv6Net};
use kcluster_matrix::plan::Order;
use kcluster_matrix::{
    Arch, Audit, ClusterName, ClusterOptions, Cni, Egress, Emulation, IpFamily, ProxyMode, Swap,
    VersionRequest,
};

use super::addons::Addons;
use super::host::Host;
use super::matrix::Matrix;
use super::mirrors::Mirrors;
use super::patches::Patches;
use super::per_node::PerNode;
use super::table::{Group, Key, Origin, Source, settings};
use super::timeout::Timeout;
use super::value::{self, Value, known};
use super::values::{Auto, E2eImages, List, SourceKind, Table};

settings! {
    /// Name of the cluster.
    Name name: ClusterName = |_| known("kcluster"), example "a";

    /// Kubernetes version: 1.36.3, 1.36 (its newest patch release), latest or latest-1.
    Image kubernetes: VersionRequest = |_| kcluster_images::default_version(), example "1.34";

    /// Architecture of the cluster; auto is the engine's own.
    Image arch: Auto<Arch> = |_| Auto::Auto, example "arm64";

    /// What of another architecture is emulated: hybrid or workload; native is nothing.
    ///
    /// `hybrid`: all but the plumbing (containerd, runc, CNI plugins, kube-proxy); `workload`: only the
    /// images of pods. `auto` is native on the architecture's own machines, and hybrid on others.
    Image emulation: Auto<Emulation> = |_| Auto::Auto, example "hybrid", hint "KIND";

    /// Where Kubernetes comes from: module, git, release, url or dir.
    ///
    /// `module` builds Go modules, checked by Go's checksum database; `git` builds `source-revision` of `source-git`,
    /// and its version is what the revision says; `release` fetches
    /// released binaries with their SHA-256; `url` fetches what `source-binaries` names; `dir`
    /// takes binaries from `source-dir`.
    Source source: SourceKind = |_| SourceKind::Module, example "release";

    /// Repository with Kubernetes' tree for the source git: a folder with a clone, or an address.
    Source source_git: Auto<String> = |_| Auto::Auto, example "https://localhost/kubernetes.git", hint "REPOSITORY";

    /// Revision of the source git: a tag, a branch, a hash, or anything else git understands; auto is HEAD.
    Source source_revision: Auto<String> = |_| Auto::Auto, example "v1.37.0-alpha.1", hint "REVISION";

    /// Base address for the source release; auto is the project's own.
    Source source_url: Auto<String> = |_| Auto::Auto, example "http://localhost:8000/k8s", hint "URL";

    /// Folder of binaries for the source dir.
    Source source_dir: Auto<Utf8PathBuf> = |_| Auto::Auto, example "/srv/kubernetes";

    /// Binaries for the source url, each as NAME=URL#sha256=HEX.
    Source source_binaries: Table<String> = |_| Table::default(), example "kubelet=http://x/kubelet#sha256=9f86", hint "NAME=URL,…";

    /// Mirror that Debian packages come from; auto is the one this machine's apt uses.
    Source debian_mirror: Auto<String> = |_| Auto::Auto, example "http://localhost:3142/debian", hint "URL";

    /// Node image that the engine has; auto is the one the other settings describe, built where missing.
    Image image: Auto<String> = |_| Auto::Auto, example "kcluster/node:mine", hint "REFERENCE";

    /// Images that specs run: built (here, baked into the node image) or official (pulled by the nodes when needed).
    Image e2e_images: E2eImages = |_| E2eImages::Built, example "official";

    /// Workers beside the control plane; 0 leaves one untainted node.
    Cluster nodes: u8 = |_| 1, example "3";

    /// Control planes; several stand behind a load balancer of their own.
    Cluster control_planes: u8 = |_| 1, example "3";

    /// Settings of single nodes: labels, taints, mounts, ports, cpus and memory.
    ///
    /// By `all`, a role (`control-plane`, `worker`) or the part of a node's name after the cluster's:
    /// `per-node.worker-1 = { labels = { disk = "ssd" }, taints = ["a=b:NoSchedule"],
    /// mounts = ["/srv/data:/data:ro"], ports = ["8080:30080"], cpus = "1.5", memory = "2GiB" }`.
    Cluster per_node: PerNode = |_| PerNode::default(), example "worker-1={cpus='1.5'}";

    /// Network plugin: bridge, ptp, flannel, flannel-host-gw or none.
    Cluster cni: Cni = |_| Cni::Bridge, example "ptp";

    /// Whether nodes and pods reach anything outside their cluster: open or closed.
    Cluster egress: Egress = |_| Egress::Open, example "closed";

    /// Where pods get their addresses; each node takes a /24 of it.
    Cluster pod_subnet: Ipv4Net = |_| known("10.244.0.0/16"), example "10.50.0.0/16";

    /// Where Services get their addresses.
    Cluster service_subnet: Ipv4Net = |_| known("10.96.0.0/16"), example "10.60.0.0/16";

    /// Addresses of nodes, pods and Services: ipv4, ipv6 or dual.
    Cluster ip_family: IpFamily = |_| IpFamily::Ipv4, example "dual";

    /// Where pods get their addresses of IPv6; each node takes a /64 of it.
    Cluster pod_subnet_v6: Ipv6Net = |_| ClusterOptions::default().pod_subnet6, example "fd00:50::/56";

    /// Where Services get their addresses of IPv6.
    Cluster service_subnet_v6: Ipv6Net = |_| ClusterOptions::default().service_subnet6, example "fd00:60::/112";

    /// Address of the engine's host that the API server is published on.
    Cluster api_address: IpAddr = |_| IpAddr::V4(Ipv4Addr::LOCALHOST), example "127.0.0.2";

    /// Port of the engine's host that the API server is published on; 0 lets the engine choose.
    Cluster api_port: u16 = |_| 0, example "6443";

    /// How kube-proxy programs Services: nftables or iptables.
    Cluster kube_proxy_mode: ProxyMode = |_| ProxyMode::Nftables, example "iptables";

    /// Feature gates for every component, such as A=true,B=false.
    Cluster feature_gates: Table<bool> = |_| Table::default(), example "A=true,B=false";

    /// The API server's runtime configuration, such as api/all=true.
    Cluster runtime_config: Table<String> = |_| Table::default(), example "api/all=true";

    /// What the API server writes down of each request: none, metadata, request or requestresponse.
    ///
    /// In each control plane's `/var/log/kcluster/audit`; `cargo kcluster logs` takes it along.
    Cluster audit: Audit = |_| Audit::None, example "metadata";

    /// Whether pods may use the machine's swap: none or limited.
    Cluster swap: Swap = |_| Swap::None, example "limited";

    /// Patches handed through to kubeadm, as TARGET:TYPE=PATCH or TARGET:TYPE=@FILE.
    ///
    /// In a file: `kubeadm-patches = [{ target = "kube-apiserver", type = "strategic", patch = "…" }]`.
    Cluster kubeadm_patches: Patches = |_| Patches::default(),
        example "etcd:merge={\"metadata\":{\"labels\":{\"a\":\"b\"}}}";

    /// Where nodes ask for images first, by the registry that images are named after.
    ///
    /// `registry-mirrors = { "registry.invalid" = "http://localhost:5000" }`; several are a list, asked in their order
    /// before the registry itself. `localhost` is the engine's host, and the mirror must listen on more than loopback
    /// there: nodes ask at their network's gateway, which closed egress leaves open. `*` is every registry that is not
    /// named and that no image inside the nodes is named after.
    Cluster registry_mirrors: Mirrors = |_| Mirrors::default(), example "registry.invalid=http://localhost:5000";

    /// Registries and mirrors that nodes get credentials for, as `docker login` left them here.
    Cluster registry_credentials: List = |_| List::default(), example "registry.invalid", hint "HOST,…";

    /// What is installed once all is Ready, in this order: names, files, addresses, charts.
    ///
    /// By name: `metrics-server`, `local-path-provisioner`. A chart is a folder, an archive (.tgz), or a table:
    /// `addons = ["metrics-server", "./dashboard.yaml", "https://…/x.yaml#sha256=…",
    /// { chart = "web", repository = "https://…", version = "1.2.3", namespace = "web", values = { replicas = 2 } }]`.
    /// Each is waited for before the next begins. `images = […]` names images of the engine that nodes need for it.
    Cluster addons: Addons = |_| Addons::default(), example "metrics-server,local-path-provisioner";

    /// Keep a snapshot after a cluster's first boot, and start from it when it fits; on, unless CI is set.
    Cluster auto_snapshot: bool = Host::keeps_state, example "false";

    /// Keep what was made when a step fails.
    Cluster retain: bool = |_| false, example "true";

    /// How long a boot may take.
    Cluster boot_timeout: Timeout = |_| Timeout::minutes(10), example "90s";

    /// What tells the cell from others of the same version, network plugin and architecture.
    Cluster variant: Auto<String> = |_| Auto::Auto, example "n3";

    /// Processes that run specs; auto follows cores, memory and emulation.
    Tests processes: Auto<NonZeroUsize> = |_| Auto::Auto, example "6";

    /// Runs of a spec after it failed; passed after all, it counts as flaky.
    Tests retries: u8 = |_| 0, example "2";

    /// How long a run of specs may take.
    Tests timeout: Timeout = |_| Timeout::minutes(360), example "45m";

    /// How long one spec may take; auto leaves it to the spec.
    ///
    /// Ginkgo cannot end one spec: those that run beside it are stopped too, and run again without it.
    Tests spec_timeout: Auto<Timeout> = |_| Auto::Auto, example "20m";

    /// What PRODUCT.yaml of a bundle says, such as vendor, name, version and website_url.
    Product product: Table<String> = |_| Table::default(), example "vendor=Me,name=Mine";

    /// Axes, suites, and what to include, exclude and override; a table `[matrix]` in a file.
    Matrix matrix: Matrix = |_| Matrix::default(), example "{ kubernetes = [\"1.35\", \"1.36\"], cni = \"ptp\" }";

    /// Order that cells start in: cheapest-first or failures-first.
    Matrix matrix_order: Order = |_| Order::CheapestFirst, example "failures-first";

    /// Cells at a time; auto is what cores, memory and disk carry.
    Matrix cells_at_once: Auto<NonZeroUsize> = |_| Auto::Auto, example "2";

    /// Engines that cells are spread over; none means the one of `engine`.
    Matrix engines: List = |_| List::default(), example "unix:///run/a.sock,tcp://b:2375", hint "ENDPOINT,…";

    /// Where reports go; auto is a folder of the cluster's state.
    Report report_dir: Auto<Utf8PathBuf> = |_| Auto::Auto, example "/tmp/out";

    /// Container engine: unix:///run/docker.sock, tcp://HOST:PORT or ssh://USER@HOST; auto looks where engines usually are.
    Global engine: Auto<String> = |_| Auto::Auto, example "unix:///run/other.sock", hint "ENDPOINT";

    /// How much is told: 0 only what fails, 1 steps, 2 the output of kubeadm too, 3 all.
    Global verbosity: u8 = |_| 1, example "2", short 'v';

    /// Folder of everything that can be made again.
    Global cache_dir: Utf8PathBuf = Host::cache_dir, example "/tmp/kcluster-cache",
        also "KCLUSTER_CACHE";

    /// Folder of what is known about clusters.
    Global state_dir: Utf8PathBuf = Host::state_dir, example "/tmp/kcluster-state",
        also "KCLUSTER_STATE";
}
