//! The operator against a real API server: whichever `KUBECONFIG` names.

use std::time::Duration;

use greeter::{KEY, LABEL};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

fn meta(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

#[tokio::test]
async fn a_labelled_config_map_is_greeted() {
    let client = Client::try_default().await.expect("KUBECONFIG names a cluster");
    let version = client.apiserver_version().await.expect("the API server answers").git_version;
    // `cargo kcluster run` says which cell this is.
    if let Ok(wanted) = std::env::var("KCLUSTER_KUBERNETES") {
        assert_eq!(version, wanted);
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = Namespace {
        metadata: meta("greeter-test"),
        ..Namespace::default()
    };
    namespaces.create(&PostParams::default(), &namespace).await.expect("a namespace is made");
    let operator = tokio::spawn({
        let client = client.clone();
        async move { greeter::run(client, "greeter-test").await }
    });
    let maps: Api<ConfigMap> = Api::namespaced(client, "greeter-test");
    let map = ConfigMap {
        metadata: ObjectMeta {
            labels: Some([(LABEL.to_owned(), "world".to_owned())].into()),
            ..meta("one")
        },
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &map).await.expect("a ConfigMap is made");
    let greeted = |map: Option<&ConfigMap>| {
        let data = map.and_then(|map| map.data.as_ref());
        data.and_then(|data| data.get(KEY)).is_some_and(|text| text == "Hello, world!")
    };
    let waited = await_condition(maps, "one", greeted);
    let waited = tokio::time::timeout(Duration::from_secs(60), waited).await;
    operator.abort();
    let deleted = namespaces.delete("greeter-test", &DeleteParams::default()).await;
    waited.expect("greeted within a minute").expect("the watch works");
    deleted.expect("the namespace is deleted");
    println!("greeted by {version}");
}
