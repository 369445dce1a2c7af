//! What is copied into a node before it starts.

use std::io;

use kcluster_matrix::cluster::subnet6;
use kcluster_matrix::{Emulation, NodePlan, Role};
use serde_json::{Value, json};

use crate::archive::{File, tar};
use crate::cni;
use crate::kubeadm::{self, Inputs};
use crate::mirrors;
use crate::pki::{Authority, FOLDER, Shared};
use crate::serving;
use crate::steps::Plan;

/// The archive of one node.
pub(crate) fn archive(plan: &Plan, inputs: &Inputs<'_>, node: &NodePlan) -> io::Result<Vec<u8>> {
    let spec = inputs.spec;
    let Authority { certificate, key } = &plan.authority;
    let mut files = vec![
        File::public(
            "/kcluster/node.json",
            format!("{:#}\n", description(plan, inputs, node)),
        ),
        File::public(kubeadm::CA_CERTIFICATE, certificate.as_str()),
    ];
    if !node.is_member() {
        return tar(&files);
    }
    let pods = node.pod_subnets(spec.options.ip_family);
    if let Some(config) = cni::conflist(spec.cell.cni, &pods, spec.proxy_mode) {
        files.push(File::public(cni::PATH, format!("{config:#}\n")));
    }
    files.extend(inputs.patches(node));
    files.extend(mirrors::files(spec, plan.subnet));
    files.extend(serving::kubelet(&plan.authority, node).map_err(io::Error::other)?);
    if node.role == Role::ControlPlane {
        files.extend(serving::control_plane(&plan.authority).map_err(io::Error::other)?);
        files.push(File::secret(kubeadm::CA_KEY, key.as_str()));
        files.extend(plan.shared.iter().flat_map(shared));
        files.extend(kubeadm::audit_policy(spec));
    }
    if node.name == plan.control_plane().name {
        files.push(File::secret(kubeadm::CONFIG, inputs.init()));
    } else {
        files.push(File::public(kubeadm::DISCOVERY, inputs.discovery()));
        files.push(File::secret(kubeadm::CONFIG, inputs.join(node)));
    }
    tar(&files)
}

/// Keys that are there already are not made by kubeadm, so every control plane has the same.
fn shared(shared: &Shared) -> Vec<File> {
    let path = |name: &str| format!("{FOLDER}/{name}");
    let mut files = vec![
        File::public(path("sa.pub"), shared.accounts.0.as_str()),
        File::secret(path("sa.key"), shared.accounts.1.as_str()),
    ];
    files.extend(shared.etcd.files(&path("etcd/ca")));
    files.extend(shared.front_proxy.files(&path("front-proxy-ca")));
    files
}

/// What the node's first process wants to know.
fn description(plan: &Plan, inputs: &Inputs<'_>, node: &NodePlan) -> Value {
    let spec = inputs.spec;
    let nodes: Vec<Value> = plan
        .nodes
        .iter()
        .map(|node| {
            // What has no pods needs no route to them.
            let pods = node.is_member();
            let mut peer = json!({ "name": node.name, "address": node.address });
            if pods {
                peer["podSubnet"] = json!(node.pod_subnet);
            }
            if let Some(address) = node.address6 {
                peer["address6"] = json!(address);
            }
            if let Some(subnet) = node.pod_subnet6.filter(|_| pods) {
                peer["podSubnet6"] = json!(subnet);
            }
            peer
        })
        .collect();
    // Empty unless the kubelet is emulated.
    let kubelet_arch = match spec.cell.emulation {
        Emulation::Hybrid => spec.cell.arch.as_str(),
        Emulation::Native | Emulation::Workload => "",
    };
    let mut described = json!({
        "cluster": spec.name,
        "name": node.name,
        "role": node.role,
        "address": node.address,
        "nodes": nodes,
        "clusterSubnet": plan.subnet,
        "podSubnet": spec.pod_subnet,
        "serviceSubnet": spec.service_subnet,
        "gateway": crate::subnet::gateway(plan.subnet),
        "egress": spec.egress,
        "routes": spec.cell.cni.wants_routes(),
        "kubeletArch": kubelet_arch,
        "family": spec.options.ip_family,
    });
    if let Some(address) = node.address6 {
        described["address6"] = json!(address);
        described["clusterSubnet6"] = json!(subnet6(plan.subnet));
        described["podSubnet6"] = json!(spec.options.pod_subnet6);
        described["serviceSubnet6"] = json!(spec.options.service_subnet6);
    }
    if node.role == Role::LoadBalancer {
        described["backends"] = plan
            .nodes
            .iter()
            .filter(|node| node.role == Role::ControlPlane)
            .map(|node| format!("{}:{}", node.address, kubeadm::API_PORT))
            .collect();
    }
    described
}
