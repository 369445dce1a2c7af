//! kubeadm patches: ours, which make a boot quick, then the user's.

use std::net::IpAddr;

use kcluster_matrix::cluster::KubeadmPatch;
use kcluster_matrix::node_settings::{Cpus, Memory};
use kcluster_matrix::platform::EMULATED_GO;
use kcluster_matrix::suggest::UnknownValue;
use kcluster_matrix::{Emulation, NodeSettings};
use serde_json::{Value, json};

use super::{API_PORT, PATCHES};
use crate::archive::File;
use crate::steps::Machine;

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

/// The patches as files, for a node whose API server is at `own`, in a cluster whose API is
/// at `endpoint`. kubeadm applies those of one target in the order of their
/// names, so ours come first and the user's have the last word.
pub(super) fn files(
    own: IpAddr,
    endpoint: IpAddr,
    emulation: Emulation,
    patches: &[KubeadmPatch],
) -> Vec<File> {
    let ours = STATIC_PODS
        .iter()
        .map(|target| (*target, static_pod(target, own, emulation)))
        .chain([("corednsdeployment", coredns(endpoint, emulation))])
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

/// A kubelet sees the whole machine, whatever its container may use; what it may not is
/// reserved, so that the scheduler counts with the rest.
pub(super) fn reserved(machine: Machine, settings: &NodeSettings) -> Option<File> {
    let mut reserved = serde_json::Map::new();
    if let Some(Cpus(most)) = settings.cpus {
        let rest = (machine.cpus * 1000).saturating_sub(most.into());
        reserved.insert("cpu".to_owned(), format!("{rest}m").into());
    }
    if let Some(Memory(most)) = settings.memory {
        let rest = machine.memory.saturating_sub(most);
        reserved.insert("memory".to_owned(), rest.to_string().into());
    }
    let path = format!("{PATCHES}/kubeletconfiguration0-kcluster+merge.json");
    let patch = json!({ "systemReserved": reserved });
    (!reserved.is_empty()).then(|| File::public(path, patch.to_string()))
}

/// kubeadm lets a static pod be Ready ten seconds after its start at the earliest,
/// because its startup probe first looks then. It can look each second from the start.
///
/// The kubelet makes a static pod's object when the pod's state changes, or after a minute
/// and more. The API server refuses objects until it has made its own priority classes, so
/// what started before that would stay unseen for that minute. Hence a component counts as
/// started once the API server is ready: that change comes when its object can be made.
///
/// An emulated component on a machine with other work may answer after minutes: it is slow, not dead,
/// and to be killed for it makes it slower.
fn static_pod(name: &str, own: IpAddr, emulation: Emulation) -> Value {
    let mut patch = json!({ "spec": { "containers": [{
        "name": name,
        "startupProbe": {
            "httpGet": {
                "host": own.to_string(),
                "path": "/readyz",
                "port": API_PORT,
                "scheme": "HTTPS",
            },
            "initialDelaySeconds": 0,
            "periodSeconds": 1,
            "failureThreshold": 240 * emulation.patience(),
        },
    }] } });
    if emulation == Emulation::Hybrid {
        let container = &mut patch["spec"]["containers"][0];
        container["env"] = emulated_go(emulation).into();
        container["livenessProbe"] = json!({
            "failureThreshold": 8 * emulation.patience(),
            "timeoutSeconds": 15 * emulation.patience(),
        });
    }
    patch
}

/// CoreDNS looks for Ready each second instead of every ten, and reaches the API server
/// by its own address: kube-proxy's rules come at about the same time as CoreDNS does,
/// and each attempt that is too early doubles the wait for the next.
fn coredns(endpoint: IpAddr, emulation: Emulation) -> Value {
    let mut env = emulated_go(emulation);
    env.extend([
        json!({ "name": "KUBERNETES_SERVICE_HOST", "value": endpoint.to_string() }),
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
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut paths: Vec<String> = files(here, here, Emulation::Native, &patches)
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
    fn what_a_node_may_not_use_is_reserved() {
        let machine = Machine {
            cpus: 4,
            memory: 8 << 30,
        };
        assert!(reserved(machine, &NodeSettings::default()).is_none());
        let settings = NodeSettings {
            cpus: Some(Cpus(1500)),
            memory: Some(Memory(16 << 30)),
            ..NodeSettings::default()
        };
        let file = reserved(machine, &settings).unwrap();
        let patch: Value = serde_json::from_slice(&file.content).unwrap();
        assert_eq!(
            patch["systemReserved"],
            json!({ "cpu": "2500m", "memory": "0" })
        );
    }

    #[test]
    fn what_is_emulated_is_waited_for_and_the_rest_is_as_before() {
        let patch = |emulation| static_pod("etcd", "127.0.0.1".parse().unwrap(), emulation);
        let container = |patch: &Value| patch["spec"]["containers"][0].clone();
        let native = container(&patch(Emulation::Native));
        assert_eq!(native["startupProbe"]["failureThreshold"], 240);
        assert!(native["livenessProbe"].is_null() && native["env"].is_null());
        let hybrid = container(&patch(Emulation::Hybrid));
        assert_eq!(hybrid["livenessProbe"]["failureThreshold"], 40);
        assert_eq!(hybrid["env"][0]["name"], "GOGC");
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
