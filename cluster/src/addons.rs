//! Objects of the addons that kcluster knows by their names. Both live in kube-system, so what waits for that
//! namespace after a restart or a restore waits for them too.

use kcluster_matrix::KnownAddon;
use serde_json::{Value, json};

const NAMESPACE: &str = "kube-system";

/// Where the volumes of claims are on a node: on the volume at `/var`, which outlives the node's container.
const VOLUMES: &str = "/var/local-path-provisioner";

/// All objects of an addon whose pods run `image`, as kubectl takes them.
#[must_use]
pub fn known_addon(addon: KnownAddon, image: &str) -> String {
    let items = match addon {
        KnownAddon::MetricsServer => metrics_server(image),
        KnownAddon::LocalPathProvisioner => local_path_provisioner(image),
    };
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

fn meta(name: &str) -> Value {
    json!({ "name": name, "namespace": NAMESPACE, "labels": { "k8s-app": name } })
}

fn service_account(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name) })
}

/// What all may do in all namespaces.
fn cluster_role(name: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name },
        "rules": rules,
    })
}

/// Gives `account` a role: of the cluster, or only in its own namespace.
fn binding(account: &str, name: &str, role: &str, everywhere: bool) -> Value {
    let role_kind = if role.starts_with("extension-") {
        "Role"
    } else {
        "ClusterRole"
    };
    let (kind, metadata) = if everywhere {
        ("ClusterRoleBinding", json!({ "name": name }))
    } else {
        (
            "RoleBinding",
            json!({ "name": name, "namespace": NAMESPACE }),
        )
    };
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": NAMESPACE }],
    })
}

/// One pod that is replaced before it goes.
fn deployment(name: &str, pod: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(name),
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "k8s-app": name } },
            "template": {
                "metadata": { "labels": { "k8s-app": name } },
                "spec": pod,
            },
        },
    })
}

fn metrics_server(image: &str) -> Vec<Value> {
    const NAME: &str = "metrics-server";
    let read = ["get", "list", "watch"];
    let probe = |path: &str, period: u32, failures: u32| {
        json!({
            "httpGet": { "path": path, "port": "https", "scheme": "HTTPS" },
            "periodSeconds": period,
            "failureThreshold": failures,
        })
    };
    let pod = json!({
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "containers": [{
            "name": NAME,
            "image": image,
            "imagePullPolicy": "Never",
            "args": [
                "--cert-dir=/tmp",
                "--secure-port=10250",
                "--kubelet-preferred-address-types=InternalIP",
                "--kubelet-use-node-status-port",
                // kubeadm's kubelets sign their own certificates.
                "--kubelet-insecure-tls",
                // The least it takes: two samples make a rate, so this is how long the first answer takes.
                "--metric-resolution=10s",
                "--kubelet-request-timeout=5s",
            ],
            "resources": { "requests": { "cpu": "20m", "memory": "40Mi" } },
            "ports": [{ "name": "https", "containerPort": 10250 }],
            "readinessProbe": probe("/readyz", 1, 3),
            "livenessProbe": probe("/livez", 10, 6),
            "securityContext": {
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "runAsUser": 65534,
                "allowPrivilegeEscalation": false,
                "capabilities": { "drop": ["ALL"] },
            },
            "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
        }],
        "volumes": [{ "name": "tmp", "emptyDir": {} }],
    });
    vec![
        service_account(NAME),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {
                "name": "system:aggregated-metrics-reader",
                "labels": {
                    "rbac.authorization.k8s.io/aggregate-to-admin": "true",
                    "rbac.authorization.k8s.io/aggregate-to-edit": "true",
                    "rbac.authorization.k8s.io/aggregate-to-view": "true",
                },
            },
            "rules": [{ "apiGroups": ["metrics.k8s.io"], "resources": ["nodes", "pods"], "verbs": read }],
        }),
        cluster_role(
            "system:metrics-server",
            &json!([
                { "apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"] },
                { "apiGroups": [""], "resources": ["nodes", "pods"], "verbs": read },
            ]),
        ),
        binding(NAME, "system:metrics-server", "system:metrics-server", true),
        binding(
            NAME,
            "metrics-server:system:auth-delegator",
            "system:auth-delegator",
            true,
        ),
        binding(
            NAME,
            "metrics-server-auth-reader",
            "extension-apiserver-authentication-reader",
            false,
        ),
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta(NAME),
            "spec": {
                "selector": { "k8s-app": NAME },
                "ports": [{ "name": "https", "port": 443, "targetPort": "https" }],
            },
        }),
        deployment(NAME, &pod),
        json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": { "name": "v1beta1.metrics.k8s.io" },
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "service": { "name": NAME, "namespace": NAMESPACE },
                // Its certificate is made when it starts.
                "insecureSkipTLSVerify": true,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        }),
    ]
}

fn local_path_provisioner(image: &str) -> Vec<Value> {
    const NAME: &str = "local-path-provisioner";
    const CONFIG: &str = "local-path-config";
    let read = ["get", "list", "watch"];
    let all = [
        "get", "list", "watch", "create", "patch", "update", "delete",
    ];
    let pod = json!({
        "serviceAccountName": NAME,
        "containers": [{
            "name": NAME,
            "image": image,
            "imagePullPolicy": "Never",
            "args": [
                "start",
                "--config=/etc/config/config.json",
                format!("--configmap-name={CONFIG}"),
                format!("--service-account-name={NAME}"),
                format!("--helper-image={image}"),
            ],
            "env": [
                { "name": "POD_NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } },
                { "name": "CONFIG_MOUNT_PATH", "value": "/etc/config/" },
            ],
            "volumeMounts": [{ "name": "config", "mountPath": "/etc/config" }],
        }],
        "volumes": [{ "name": "config", "configMap": { "name": CONFIG } }],
    });
    // What makes and removes a volume's folder on its node.
    let helper = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "helper-pod" },
        "spec": {
            "priorityClassName": "system-node-critical",
            "containers": [{ "name": "helper-pod", "image": image, "imagePullPolicy": "Never" }],
        },
    });
    let config = json!({
        "nodePathMap": [{ "node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [VOLUMES] }],
    });
    vec![
        service_account(NAME),
        cluster_role(
            NAME,
            &json!([
                {
                    "apiGroups": [""],
                    "resources": ["nodes", "persistentvolumeclaims", "configmaps", "pods", "pods/log"],
                    "verbs": read,
                },
                { "apiGroups": [""], "resources": ["persistentvolumes"], "verbs": all },
                { "apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"] },
                { "apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": read },
            ]),
        ),
        cluster_role(
            "local-path-provisioner:helpers",
            &json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": all }]),
        ),
        binding(NAME, NAME, NAME, true),
        binding(
            NAME,
            "local-path-provisioner:helpers",
            "local-path-provisioner:helpers",
            false,
        ),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": meta(CONFIG),
            "data": {
                "config.json": config.to_string(),
                "setup": "set -eu\nmkdir -m 0777 -p \"$VOL_DIR\"\n",
                "teardown": "set -eu\nrm -rf \"$VOL_DIR\"\n",
                "helperPod.yaml": helper.to_string(),
            },
        }),
        deployment(NAME, &pod),
        json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "local-path",
                "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
            },
            "provisioner": "rancher.io/local-path",
            // The pod's node is chosen first: the volume is on it.
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Delete",
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_run_the_image_that_nodes_were_given() {
        for addon in KnownAddon::ALL {
            let text = known_addon(*addon, "kcluster/x:1");
            let list: Value = serde_json::from_str(&text).unwrap();
            let items = list["items"].as_array().unwrap();
            let deployment = items
                .iter()
                .find(|item| item["kind"] == "Deployment")
                .unwrap();
            let pod = &deployment["spec"]["template"];
            assert_eq!(pod["spec"]["containers"][0]["image"], "kcluster/x:1");
            assert_eq!(
                pod["metadata"]["labels"],
                deployment["spec"]["selector"]["matchLabels"]
            );
            // What it may do is given to the account it has.
            let account = &pod["spec"]["serviceAccountName"];
            for item in items {
                if let Some(subjects) = item["subjects"].as_array() {
                    assert_eq!(&subjects[0]["name"], account, "{item}");
                }
            }
        }
    }
}
