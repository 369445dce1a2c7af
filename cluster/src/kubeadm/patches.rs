//! kubeadm patches: ours, which make a boot quick, then the user's.

use std::net::Ipv4Addr;

use kcluster_matrix::Emulation;
use kcluster_matrix::cluster::KubeadmPatch;
use kcluster_matrix::platform::EMULATED_GO;
use kcluster_matrix::suggest::UnknownValue;
use serde_json::{Value, json};

use super::{API_PORT, PATCHES};
use crate::archive::File;

const STATIC_PODS: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// A patch that kubeadm would pass over in silence.
#[derive(Debug, thiserror::Error)]
#[error("kubeadm patch {number}: {reason}")]
pub struct PatchError {
    number: usize,
    reason: UnknownValue,
}

/// Whether kubeadm will know what to do with each patch.
pub(crate) fn check(patches: &[KubeadmPatch]) -> Result<(), PatchError> {
    for (index, patch) in patches.iter().enumerate() {
        let known = |kind, text: &str, all: &[&str]| {
            if all.contains(&text) {
                return Ok(());
            }
            Err(PatchError {
                number: index + 1,
                reason: UnknownValue::new(kind, text, all.iter().copied()),
            })
        };
        known("patch target", &patch.target, &KubeadmPatch::TARGETS)?;
        known("kind of patch", &patch.kind, &KubeadmPatch::KINDS)?;
    }
    Ok(())
}

/// The patches as files. kubeadm applies those of one target in the order of their
/// names, so ours come first and the user's have the last word.
pub(crate) fn files(
    control_plane: Ipv4Addr,
    emulation: Emulation,
    patches: &[KubeadmPatch],
) -> Vec<File> {
    let ours = STATIC_PODS
        .iter()
        .map(|target| (*target, static_pod(target, control_plane, emulation)))
        .chain([("corednsdeployment", coredns(control_plane, emulation))])
        .map(|(target, patch)| {
            let path = format!("{PATCHES}/{target}0-kcluster+strategic.json");
            File::public(path, patch.to_string())
        });
    let theirs = patches.iter().enumerate().map(|(index, patch)| {
        let KubeadmPatch { target, kind, .. } = patch;
        // JSON is YAML too.
        let path = format!("{PATCHES}/{target}1-user-{index:03}+{kind}.yaml");
        File::public(path, patch.content.clone())
    });
    ours.chain(theirs).collect()
}

/// kubeadm lets a static pod be Ready ten seconds after its start at the earliest,
/// because its startup probe first looks then. It can look each second from the start.
///
/// The kubelet makes a static pod's object when the pod's state changes, or after a minute
/// and more. The API server refuses objects until it has made its own priority classes, so
/// what started before that would stay unseen for that minute. Hence a component counts as
/// started once the API server is ready: that change comes when its object can be made.
fn static_pod(name: &str, control_plane: Ipv4Addr, emulation: Emulation) -> Value {
    json!({ "spec": { "containers": [{
        "name": name,
        "env": emulated_go(emulation),
        "startupProbe": {
            "httpGet": {
                "host": control_plane.to_string(),
                "path": "/readyz",
                "port": API_PORT,
                "scheme": "HTTPS",
            },
            "initialDelaySeconds": 0,
            "periodSeconds": 1,
            "failureThreshold": 240 * emulation.patience(),
        },
    }] } })
}

/// CoreDNS looks for Ready each second instead of every ten, and reaches the API server
/// by its own address: kube-proxy's rules come at about the same time as CoreDNS does,
/// and each attempt that is too early doubles the wait for the next.
fn coredns(control_plane: Ipv4Addr, emulation: Emulation) -> Value {
    let mut env = emulated_go(emulation);
    env.extend([
        json!({ "name": "KUBERNETES_SERVICE_HOST", "value": control_plane.to_string() }),
        json!({ "name": "KUBERNETES_SERVICE_PORT", "value": API_PORT.to_string() }),
    ]);
    json!({ "spec": { "template": { "spec": { "containers": [{
        "name": "coredns",
        "env": env,
        "readinessProbe": { "initialDelaySeconds": 0, "periodSeconds": 1 },
    }] } } } })
}

/// What makes an emulated program quicker.
fn emulated_go(emulation: Emulation) -> Vec<Value> {
    let variables = EMULATED_GO
        .iter()
        .filter(|_| emulation == Emulation::Hybrid)
        .map(|(name, value)| json!({ "name": name, "value": value }));
    variables.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(target: &str, kind: &str) -> KubeadmPatch {
        KubeadmPatch {
            target: target.into(),
            kind: kind.into(),
            content: "spec: {}".into(),
        }
    }

    #[test]
    fn users_patches_come_last_and_in_order() {
        let patches = [patch("etcd", "merge"), patch("etcd", "json")];
        let mut paths: Vec<String> = files(Ipv4Addr::LOCALHOST, Emulation::Native, &patches)
            .into_iter()
            .map(|file| file.path)
            .filter(|path| path.contains("/etcd"))
            .collect();
        let given = paths.clone();
        paths.sort();
        assert_eq!(paths, given);
        assert_eq!(
            paths,
            [
                "/kcluster/patches/etcd0-kcluster+strategic.json",
                "/kcluster/patches/etcd1-user-000+merge.yaml",
                "/kcluster/patches/etcd1-user-001+json.yaml",
            ]
        );
    }

    #[test]
    fn patches_nobody_applies_are_refused() {
        assert!(check(&[patch("kube-scheduler", "strategic")]).is_ok());
        let message = check(&[patch("etcd", "json"), patch("kube-schedule", "json")])
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("kubeadm patch 2"), "{message}");
        assert!(message.contains("kube-scheduler"), "{message}");
        assert!(check(&[patch("etcd", "smp")]).is_err());
    }
}
