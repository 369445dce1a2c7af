//! The API server's audit log: a policy of one rule, and where the log goes.

use kcluster_matrix::ClusterSpec;
use serde_json::{Value, json};

use crate::archive::File;

const POLICY: &str = "/etc/kubernetes/audit/policy.json";
/// Beside the logs of the node's own programs, so that it is collected with them.
const FOLDER: &str = "/var/log/kcluster/audit";

/// The policy of a cluster that has an audit log.
pub(crate) fn policy(spec: &ClusterSpec) -> Option<File> {
    let level = spec.options.audit.level()?;
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        // One line for each request is enough to read.
        "omitStages": ["RequestReceived"],
        "rules": [
            // Secrets do not belong into a log, whatever else does.
            { "level": "Metadata", "resources": [
                { "group": "", "resources": ["secrets", "serviceaccounts/token"] },
                { "group": "authentication.k8s.io", "resources": ["tokenreviews"] },
            ] },
            { "level": level },
        ],
    });
    Some(File::public(POLICY, format!("{policy:#}\n")))
}

/// The API server's arguments for it.
pub(super) fn arguments(spec: &ClusterSpec) -> Vec<(&'static str, String)> {
    if spec.options.audit.level().is_none() {
        return Vec::new();
    }
    vec![
        ("audit-policy-file", POLICY.to_owned()),
        ("audit-log-path", format!("{FOLDER}/audit.log")),
        ("audit-log-maxsize", "100".to_owned()),
        ("audit-log-maxbackup", "2".to_owned()),
    ]
}

/// What its pod has to see of the node.
pub(super) fn volumes(spec: &ClusterSpec) -> Option<Value> {
    spec.options.audit.level()?;
    Some(json!([
        {
            "name": "audit-policy",
            "hostPath": POLICY,
            "mountPath": POLICY,
            "readOnly": true,
            "pathType": "File",
        },
        {
            "name": "audit-log",
            "hostPath": FOLDER,
            "mountPath": FOLDER,
            "pathType": "DirectoryOrCreate",
        },
    ]))
}
