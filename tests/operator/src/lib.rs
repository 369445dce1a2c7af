//! An operator as small as one can be: every ConfigMap with the label `greet` gets a greeting.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, ResourceExt};

/// The label whose value is greeted.
pub const LABEL: &str = "greet";

/// The key that the greeting is written to.
pub const KEY: &str = "greeting";

/// Why a ConfigMap could not be greeted.
#[derive(Debug, thiserror::Error)]
#[error("cannot greet: {0}")]
pub struct Error(#[from] kube::Error);

async fn greet(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, Error> {
    let whom = map.labels().get(LABEL).map_or("nobody", String::as_str);
    let patch = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": { KEY: format!("Hello, {whom}!") },
    });
    let namespace = map.namespace().unwrap_or_default();
    let maps: Api<ConfigMap> = Api::namespaced((*client).clone(), &namespace);
    let params = PatchParams::apply("greeter");
    maps.patch(&map.name_any(), &params, &Patch::Apply(&patch)).await?;
    Ok(Action::await_change())
}

/// Greets the ConfigMaps of `namespace` until it is dropped.
pub async fn run(client: Client, namespace: &str) {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    Controller::new(maps, watcher::Config::default().labels(LABEL))
        .run(greet, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(client))
        .for_each(|_| async {})
        .await;
}
