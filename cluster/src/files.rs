//! What is copied into a node before it starts.

use std::io;

use kcluster_matrix::{Emulation, NodePlan, Role};
use serde_json::{Value, json};

use crate::archive::{File, tar};
use crate::cni;
use crate::kubeadm::{self, Inputs};
use crate::pki::Authority;
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
    if let Some(config) = cni::conflist(spec.cell.cni, node.pod_subnet, spec.proxy_mode) {
        files.push(File::public(cni::PATH, format!("{config:#}\n")));
    }
    files.extend(kubeadm::patch_files(
        plan.control_plane().address,
        spec.cell.emulation,
        &spec.patches,
    ));
    match node.role {
        Role::ControlPlane => {
            files.push(File::secret(kubeadm::CA_KEY, key.as_str()));
            files.push(File::secret(kubeadm::CONFIG, inputs.init()));
        }
        Role::Worker => {
            files.push(File::public(kubeadm::DISCOVERY, inputs.discovery()));
            files.push(File::secret(kubeadm::CONFIG, inputs.join(node)));
        }
    }
    tar(&files)
}

/// What the node's first process wants to know.
fn description(plan: &Plan, inputs: &Inputs<'_>, node: &NodePlan) -> Value {
    let spec = inputs.spec;
    let nodes: Vec<Value> = plan
        .nodes
        .iter()
        .map(|node| {
            json!({ "name": node.name, "address": node.address, "podSubnet": node.pod_subnet })
        })
        .collect();
    // Empty unless the kubelet is emulated.
    let kubelet_arch = match spec.cell.emulation {
        Emulation::Hybrid => spec.cell.arch.as_str(),
        Emulation::Native | Emulation::Workload => "",
    };
    json!({
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
    })
}
