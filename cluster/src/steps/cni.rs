//! Tells Kubernetes what the nodes' CNI configuration says already.
//!
//! Their programs are in the node image and their configuration names the node's pod
//! subnet; flannel's daemon is added here. What is left is that the Node objects name it too, as they would if the
//! controller manager had chosen it.

use kcluster_matrix::Step;
use serde_json::json;

use super::context::{Context, Plan};
use crate::engine::ExecSpec;
use crate::error::StepError;
use crate::flannel;
use crate::kubeadm;

/// Writes each node's pod subnet into its object. All nodes must be registered.
pub(super) async fn cni(context: &Context<'_>, plan: &Plan) -> Result<(), StepError> {
    let mut items: Vec<_> = plan
        .nodes
        .iter()
        .filter(|node| node.is_member())
        .map(|node| {
            let subnets = node.pod_subnets(context.spec.options.ip_family);
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": { "name": node.name },
                "spec": { "podCIDR": subnets.first(), "podCIDRs": subnets },
            })
        })
        .collect();
    if context.spec.cell.cni.is_flannel() {
        items.extend(flannel::objects(context.spec, plan.control_plane().address));
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items });
    let spec = ExecSpec {
        stdin: Some(list.to_string().into_bytes()),
        ..ExecSpec::new([
            "kubectl",
            "--kubeconfig",
            kubeadm::ADMIN,
            "apply",
            "--server-side",
            "--field-manager=kcluster",
            // Saves fetching the API's description, which is large.
            "--validate=false",
            "-f",
            "-",
        ])
    };
    let node = &plan.control_plane().name;
    let work = context.run(Step::Cni, node, spec, context.timeouts.ready, |_| {});
    context
        .step(Step::Cni, None, async { work.await.map(drop) })
        .await
}
