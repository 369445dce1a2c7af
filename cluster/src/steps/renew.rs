//! What the API holds of a cluster's former credentials, made to fit its new ones.
//!
//! It happens before any kubelet meets the API server, so that no pod is ever given a
//! certificate that is not true any more.

use std::time::Duration;

use futures_util::future::try_join_all;
use kcluster_matrix::{NodePlan, Step};
use serde_json::{Value, json};

use super::context::Context;
use crate::engine::ExecSpec;
use crate::error::StepError;
use crate::kubeadm;

const LIMIT: Duration = Duration::from_secs(60);

/// Lists of what knows the cluster's authority, or lets somebody in by something that is
/// kept in the API. All of one kind, in this order.
const LISTS: [&str; 4] = [
    // In every namespace, for its pods.
    "/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt",
    // For those who join by a token.
    "/api/v1/namespaces/kube-public/configmaps?fieldSelector=metadata.name%3Dcluster-info",
    // Tokens that do not end, signed by the former key.
    "/api/v1/secrets?fieldSelector=type%3Dkubernetes.io/service-account-token",
    "/api/v1/namespaces/kube-system/secrets?fieldSelector=type%3Dbootstrap.kubernetes.io/token",
];

/// The API server merges its authorities into what is there, and would keep the former ones.
const MERGED: &str = "configmap/extension-apiserver-authentication";

/// By the node's own address it would be held until this is done.
const KUBECTL: &str = "kubectl --kubeconfig \"$0\" --server https://127.0.0.1:6443";

/// Does it, and lets the kubelets of `nodes` go on. `authority` is the new certificate.
pub(super) async fn renew(
    context: &Context<'_>,
    nodes: &[NodePlan],
    authority: &str,
) -> Result<(), StepError> {
    let work = async {
        change(context, &nodes[0], authority).await?;
        let released = nodes.iter().map(|node| {
            let spec = ExecSpec::new(["kcluster-node", "release"]);
            context.ask(Step::Credentials, &node.name, spec, LIMIT)
        });
        try_join_all(released).await.map(drop)
    };
    context.step(Step::Credentials, None, work).await
}

async fn change(
    context: &Context<'_>,
    control_plane: &NodePlan,
    authority: &str,
) -> Result<(), StepError> {
    let node = &control_plane.name;
    let limit = context.timeouts.kubeadm;
    context
        .wait_for(Step::Credentials, node, "settled", limit)
        .await?;
    let get =
        format!("for path in \"$@\"; do {KUBECTL} get --raw \"$path\" && echo || exit 1; done");
    let mut argv = vec!["sh", "-c", &get, kubeadm::ADMIN];
    argv.extend(LISTS);
    let lists = context
        .ask(Step::Credentials, node, ExecSpec::new(argv), LIMIT)
        .await?
        .stdout;
    let server = format!("https://{}:{}", control_plane.address, kubeadm::API_PORT);
    let changes = changes(&lists, authority, &server)
        .map_err(|error| StepError::failed(Step::Credentials, Some(node), error))?;
    let set = format!(
        "{KUBECTL} replace --validate=false -f - && \
        {KUBECTL} -n kube-system delete --ignore-not-found --wait=false \"$@\""
    );
    let mut argv = vec!["sh", "-c", &set, kubeadm::ADMIN, MERGED];
    argv.extend(changes.removed.iter().map(String::as_str));
    let spec = ExecSpec {
        stdin: Some(changes.replaced.to_string().into_bytes()),
        ..ExecSpec::new(argv)
    };
    context
        .ask(Step::Credentials, node, spec, LIMIT)
        .await
        .map(drop)
}

/// What to do about the objects in the lists.
#[derive(Debug, PartialEq)]
struct Changes {
    /// A list of objects as they are to be.
    replaced: Value,
    /// Objects of kube-system that are to go.
    removed: Vec<String>,
}

fn changes(lists: &str, authority: &str, server: &str) -> Result<Changes, serde_json::Error> {
    let lists: Vec<Value> = serde_json::Deserializer::from_str(lists)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let items = |index: usize, kind: &str| -> Vec<Value> {
        let list = lists.get(index).and_then(|list| list["items"].as_array());
        let items = list.into_iter().flatten().cloned();
        items
            .map(|mut item| {
                // Items of a list do not say what they are; and whoever changes them at the
                // same time changes them to the same.
                item["apiVersion"] = json!("v1");
                item["kind"] = json!(kind);
                if let Some(metadata) = item["metadata"].as_object_mut() {
                    metadata.remove("resourceVersion");
                }
                item
            })
            .collect()
    };
    let mut replaced = items(0, "ConfigMap");
    for item in &mut replaced {
        item["data"]["ca.crt"] = json!(authority);
    }
    for mut item in items(1, "ConfigMap") {
        // Signatures of the former content go with it.
        item["data"] = json!({ "kubeconfig": discovery(authority, server) });
        replaced.push(item);
    }
    for mut item in items(2, "Secret") {
        // The controller manager fills in what is missing.
        if let Some(data) = item["data"].as_object_mut() {
            data.remove("token");
            data.remove("ca.crt");
        }
        replaced.push(item);
    }
    let removed = items(3, "Secret")
        .iter()
        .filter_map(|item| Some(format!("secret/{}", item["metadata"]["name"].as_str()?)))
        .collect();
    Ok(Changes {
        replaced: json!({ "apiVersion": "v1", "kind": "List", "items": replaced }),
        removed,
    })
}

/// Where the API server is and whom to trust, without credentials.
fn discovery(authority: &str, server: &str) -> String {
    use base64::Engine as _;
    let authority = base64::engine::general_purpose::STANDARD.encode(authority);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{
            "name": "",
            "cluster": { "server": server, "certificate-authority-data": authority },
        }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_former_credentials_stays() {
        let list = |items: Value| format!("{}\n", json!({ "items": items }));
        let lists = [
            list(json!([{ "metadata": { "name": "kube-root-ca.crt", "namespace": "a", "resourceVersion": "7" }, "data": { "ca.crt": "old" } }])),
            list(json!([{ "metadata": { "name": "cluster-info" }, "data": { "kubeconfig": "old", "jws-kubeconfig-x": "old" } }])),
            list(json!([{ "metadata": { "name": "forever" }, "data": { "token": "old", "ca.crt": "old", "namespace": "YQ==" } }])),
            list(json!([{ "metadata": { "name": "bootstrap-token-x" }, "data": {} }])),
        ]
        .concat();
        let changes = changes(&lists, "new", "https://10.89.0.10:6443").unwrap();
        assert_eq!(changes.removed, ["secret/bootstrap-token-x"]);
        let text = changes.replaced.to_string();
        assert!(
            !text.contains("old") && !text.contains("resourceVersion"),
            "{text}"
        );
        let items = changes.replaced["items"].as_array().unwrap();
        assert_eq!(items[0]["data"]["ca.crt"], "new");
        assert_eq!(items[0]["kind"], "ConfigMap");
        let info = items[1]["data"]["kubeconfig"].as_str().unwrap();
        assert!(info.contains("bmV3") && info.contains("https://10.89.0.10:6443"));
        assert_eq!(items[2]["data"], json!({ "namespace": "YQ==" }));
        assert!(super::changes("{", "new", "").is_err());
    }
}
