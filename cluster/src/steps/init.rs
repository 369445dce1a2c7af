//! `kubeadm init` on the control plane.

use kcluster_matrix::Step;
use tokio_util::sync::CancellationToken;

use super::context::{Context, Plan};
use crate::engine::ExecSpec;
use crate::error::StepError;
use crate::kubeadm;

/// Runs it to its end; `joinable` is set as soon as others may join.
pub(super) async fn init(
    context: &Context<'_>,
    plan: &Plan,
    joinable: &CancellationToken,
) -> Result<(), StepError> {
    let node = &plan.control_plane().name;
    let work = async {
        context
            .wait_for(Step::Init, node, "containerd", context.timeouts.containerd)
            .await?;
        let spec = ExecSpec::new([
            "kubeadm",
            "init",
            "--config",
            kubeadm::CONFIG,
            // The node image is what preflight would look for; nobody reads the command.
            "--skip-phases=preflight,show-join-command",
            "--skip-token-print",
        ]);
        let watch = |line: &str| {
            if opens_joining(line) {
                joinable.cancel();
            }
        };
        context
            .run(Step::Init, node, spec, context.timeouts.kubeadm, watch)
            .await?;
        joinable.cancel();
        Ok(())
    };
    context
        .step(Step::Init, None, context.step(Step::Init, Some(node), work))
        .await
}

/// Whether the line comes after everything a join needs: the token, kubeadm's uploaded
/// configuration and the right to read it, and the approval of signing requests.
fn opens_joining(line: &str) -> bool {
    line.starts_with("[kubelet-finalize]")
        || line.starts_with("[addons]")
        || (line.starts_with("[bootstrap-token]")
            && (line.contains("certificate rotation")
                || line.contains("\"cluster-info\" ConfigMap in")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_opens_once_requests_are_approved() {
        let lines = [
            "[upload-config] Storing the configuration used in ConfigMap \"kubeadm-config\" in the \"kube-system\" Namespace",
            "[bootstrap-token] Configuring bootstrap tokens, cluster-info ConfigMap, RBAC Roles",
            "[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to get nodes",
            "[bootstrap-token] Configured RBAC rules to allow the csrapprover controller automatically approve CSRs from a Node Bootstrap Token",
            "[bootstrap-token] Configured RBAC rules to allow certificate rotation for all node client certificates in the cluster",
            "[bootstrap-token] Creating the \"cluster-info\" ConfigMap in the \"kube-public\" namespace",
            "[kubelet-finalize] Updating \"/etc/kubernetes/kubelet.conf\"",
            "[addons] Applied essential addon: CoreDNS",
        ];
        let open: Vec<bool> = lines.iter().map(|line| opens_joining(line)).collect();
        assert_eq!(open, [false, false, false, false, true, true, true, true]);
    }
}
