//! What was asked for beyond Kubernetes itself: installed in order, each waited for before the next.

use kcluster_matrix::{Addon, AddonContent, Chart, NodePlan, Step};
use serde_json::Value;

use super::context::{Context, Plan};
use crate::archive::{File, tar};
use crate::engine::ExecSpec;
use crate::error::{StepError, StepFailure};
use crate::{kubeadm, load};

/// What kubectl says when an object is of a kind that another object of the same file defines.
const UNKNOWN_KIND: &str = "ensure CRDs are installed first";

/// Gives all nodes the images of all addons. Needs nothing of Kubernetes, so it goes on beside kubeadm.
pub(super) async fn images(context: &Context<'_>, plan: &Plan) -> Result<(), StepError> {
    let mut images: Vec<String> = Vec::new();
    for addon in &context.spec.options.addons {
        images.extend(addon.images.iter().cloned());
    }
    images.sort();
    images.dedup();
    if images.is_empty() {
        return Ok(());
    }
    let members = || plan.nodes.iter().filter(|node| node.is_member());
    for node in members() {
        let limit = context.timeouts.containerd;
        context
            .wait_for(Step::Addons, &node.name, "containerd", limit)
            .await?;
    }
    let names: Vec<String> = members().map(|node| node.name.clone()).collect();
    let arch = context.spec.cell.arch;
    let loaded = load::for_addons(context.engine, arch, &images, &names);
    tokio::select! {
        () = context.cancel.cancelled() => Err(StepError::Cancelled),
        loaded = loaded => loaded.map_err(|error| StepError::failed(Step::Addons, None, error)),
    }
}

/// Installs all.
pub(super) async fn addons(context: &Context<'_>, node: &NodePlan) -> Result<(), StepError> {
    let addons = &context.spec.options.addons;
    if addons.is_empty() {
        return Ok(());
    }
    let work = async {
        for addon in addons {
            context.check_cancel()?;
            one(context, &node.name, addon)
                .await
                .map_err(|error| named(addon, error))?;
            let line = format!("addon {} is ready", addon.name);
            context.line(Step::Addons, None, line);
        }
        Ok(())
    };
    context.step(Step::Addons, None, work).await
}

/// The error with the addon's name in it.
fn named(addon: &Addon, error: StepError) -> StepError {
    match error {
        StepError::Failed(mut failure) => {
            failure.reason = format!("{} (addon `{}`)", failure.reason, addon.name);
            StepError::Failed(failure)
        }
        StepError::Cancelled => StepError::Cancelled,
    }
}

async fn one(context: &Context<'_>, node: &str, addon: &Addon) -> Result<(), StepError> {
    match &addon.content {
        Some(AddonContent::Manifests(text)) => {
            for object in apply(context, node, text).await? {
                if let Some(wait) = wait(&object) {
                    waited(context, node, &object, wait).await?;
                }
            }
            Ok(())
        }
        Some(AddonContent::Chart(chart)) => install(context, node, chart).await,
        None => Err(failed(node, "what it is made of is not known")),
    }
}

fn failed(node: &str, reason: impl std::fmt::Display) -> StepError {
    StepError::failed(Step::Addons, Some(node), reason)
}

fn kubectl<'a>(args: impl IntoIterator<Item = &'a str>) -> ExecSpec {
    let start = ["kubectl", "--kubeconfig", kubeadm::ADMIN];
    ExecSpec::new(start.into_iter().chain(args))
}

/// Applies objects; what comes back is what they became.
async fn apply(context: &Context<'_>, node: &str, text: &str) -> Result<Vec<Value>, StepError> {
    let apply = || {
        let spec = ExecSpec {
            stdin: Some(text.as_bytes().to_vec()),
            ..kubectl([
                "apply",
                "--server-side",
                "--field-manager=kcluster",
                "--output=json",
                "--filename=-",
            ])
        };
        context.ask(Step::Addons, node, spec, context.timeouts.ready)
    };
    let mut applied = apply().await;
    if let Err(StepError::Failed(failure)) = &applied
        && failure
            .output
            .iter()
            .any(|line| line.contains(UNKNOWN_KIND))
    {
        let established = ["wait", "crd", "--all", "--for=condition=Established"];
        let limit = context.timeouts.ready;
        context
            .ask(Step::Addons, node, kubectl(established), limit)
            .await?;
        applied = apply().await;
    }
    objects(&applied?.stdout).map_err(|error| failed(node, format_args!("kubectl: {error}")))
}

/// The objects that kubectl printed: one, one after the other, or a list.
fn objects(text: &str) -> Result<Vec<Value>, serde_json::Error> {
    let mut all = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let mut value = value?;
        match value["items"].take() {
            Value::Array(items) if value["kind"] == "List" => all.extend(items),
            _ => all.push(value),
        }
    }
    Ok(all)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or("")
}

/// What of kubectl waits until an object does its work; none if it does no work of its own.
fn wait(object: &Value) -> Option<Vec<String>> {
    let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
    let condition = |condition: &str| {
        Some(vec![
            "wait".to_owned(),
            format!("{kind}/{name}"),
            format!("--for=condition={condition}"),
        ])
    };
    match kind {
        // Nobody rolls out what waits for its pods to be removed.
        "DaemonSet" | "StatefulSet" if text(object, "/spec/updateStrategy/type") == "OnDelete" => {
            None
        }
        "Deployment" | "DaemonSet" | "StatefulSet" => Some(vec![
            "rollout".to_owned(),
            "status".to_owned(),
            format!("{kind}/{name}"),
        ]),
        "APIService" if object.pointer("/spec/service").is_some() => condition("Available"),
        "CustomResourceDefinition" => condition("Established"),
        "Job" => condition("Complete"),
        "Pod" => condition("Ready"),
        _ => None,
    }
}

async fn waited(
    context: &Context<'_>,
    node: &str,
    object: &Value,
    wait: Vec<String>,
) -> Result<(), StepError> {
    let limit = context.timeouts.ready;
    let mut args = wait;
    args.push(format!("--timeout={}s", limit.as_secs()));
    let namespace = text(object, "/metadata/namespace");
    if !namespace.is_empty() {
        args.push(format!("--namespace={namespace}"));
    }
    let spec = kubectl(args.iter().map(String::as_str));
    // kubectl's own limit comes first, so that its words are in the error.
    let grace = std::time::Duration::from_secs(5);
    let done = context
        .run(Step::Addons, node, spec, limit + grace, |_| {})
        .await;
    match done {
        Ok(_) => Ok(()),
        Err(StepError::Failed(failure)) if !namespace.is_empty() => {
            Err(explained(context, node, namespace, failure).await)
        }
        Err(error) => Err(error),
    }
}

/// The failure with what the namespace's pods wait for.
async fn explained(
    context: &Context<'_>,
    node: &str,
    namespace: &str,
    mut failure: Box<StepFailure>,
) -> StepError {
    let spec = kubectl(["get", "pods", "--namespace", namespace, "--output=json"]);
    let limit = std::time::Duration::from_secs(30);
    let Ok(pods) = context.ask(Step::Addons, node, spec, limit).await else {
        return StepError::Failed(failure);
    };
    let waits: Vec<String> = objects(&pods.stdout)
        .unwrap_or_default()
        .iter()
        .filter_map(waits_for)
        .collect();
    if !waits.is_empty() {
        failure.reason = format!("{}; {}", failure.reason, waits.join("; "));
    }
    StepError::Failed(failure)
}

/// Why a pod is not Ready, in its containers' own words.
fn waits_for(pod: &Value) -> Option<String> {
    let list = |pointer: &str| {
        let found = pod.pointer(pointer).and_then(Value::as_array);
        found.map_or(&[][..], Vec::as_slice)
    };
    let ready = |condition: &&Value| condition["type"] == "Ready";
    let ready = list("/status/conditions").iter().find(ready);
    if ready.is_some_and(|ready| ready["status"] == "True")
        || text(pod, "/status/phase") == "Succeeded"
    {
        return None;
    }
    let containers = list("/status/initContainerStatuses")
        .iter()
        .chain(list("/status/containerStatuses"));
    let said = containers.flat_map(|status| {
        ["waiting", "terminated"].map(|state| {
            let (reason, message) = (
                text(status, &format!("/state/{state}/reason")),
                text(status, &format!("/state/{state}/message")),
            );
            match (reason, message) {
                ("", _) => None,
                (reason, "") => Some(reason.to_owned()),
                (reason, message) => Some(format!("{reason}: {message}")),
            }
        })
    });
    let why = said.flatten().next().or_else(|| {
        let mut told = list("/status/conditions").iter();
        let told = told.find(|condition| condition["status"] == "False")?;
        Some(text(told, "/message").to_owned())
    });
    let name = text(pod, "/metadata/name");
    Some(format!(
        "pod {name} is not Ready ({})",
        why.unwrap_or_else(|| text(pod, "/status/phase").to_owned())
    ))
}

/// Runs Helm's image on the node's own network, with the administrator's configuration, and leaves nothing of it.
const INSTALL: &str = r#"
set -eu
image=$1 files=$2
shift 2
trap 'rm -rf "$files"' EXIT
bind() { echo "type=bind,src=$1,dst=$1,options=rbind:$2"; }
ctr --namespace k8s.io run --rm --net-host \
    --mount "$(bind "$KUBECONFIG" ro)" --mount "$(bind "$files" rw)" --env "KUBECONFIG=$KUBECONFIG" \
    --env "HELM_CACHE_HOME=$files/cache" --env "HELM_CONFIG_HOME=$files/config" --env "HELM_DATA_HOME=$files/data" \
    "$image" "kcluster-helm-$$" /helm "$@"
"#;

/// Installs a chart as a release, and waits for all of it.
async fn install(context: &Context<'_>, node: &str, chart: &Chart) -> Result<(), StepError> {
    let folder = format!("/kcluster/addons/{}", chart.release);
    let archive = format!("{folder}/chart.tgz");
    let mut files = vec![File::secret(archive.as_str(), chart.archive.clone())];
    let limit = context.timeouts.ready;
    let timeout = format!("{}s", limit.as_secs());
    let mut helm: Vec<String> = [
        "upgrade",
        "--install",
        &chart.release,
        &archive,
        "--namespace",
        &chart.namespace,
        "--create-namespace",
        "--wait",
        "--timeout",
        &timeout,
    ]
    .map(str::to_owned)
    .into();
    for (number, values) in chart.values.iter().enumerate() {
        let path = format!("{folder}/values-{number}.yaml");
        helm.extend(["--values".to_owned(), path.clone()]);
        files.push(File::secret(path, values.as_str()));
    }
    let packed = tar(&files).map_err(|error| failed(node, error))?;
    let copied = context.engine.copy_in(node, packed).await;
    copied.map_err(|error| failed(node, error))?;
    // As containerd knows it.
    let image = format!("docker.io/{}", chart.helm);
    let script = ["sh", "-c", INSTALL, "helm", &image, &folder].map(str::to_owned);
    let spec = ExecSpec {
        env: vec![("KUBECONFIG".to_owned(), kubeadm::ADMIN.to_owned())],
        ..ExecSpec::new(script.into_iter().chain(helm))
    };
    let grace = std::time::Duration::from_secs(30);
    let done = context
        .run(Step::Addons, node, spec, limit + grace, |_| {})
        .await;
    match done {
        Ok(_) => Ok(()),
        Err(StepError::Failed(mut failure)) => {
            // The script is ours, and of no interest.
            failure.command = Some(format!("helm upgrade --install {}", chart.release));
            Err(explained(context, node, &chart.namespace, failure).await)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_works_by_itself_is_waited_for() {
        let waits = |object: Value| wait(&object).map(|args| args.join(" "));
        let named = |kind: &str| json!({ "kind": kind, "metadata": { "name": "a" } });
        assert_eq!(
            waits(named("Deployment")).unwrap(),
            "rollout status Deployment/a"
        );
        assert_eq!(waits(named("ConfigMap")), None);
        assert_eq!(
            waits(named("Job")).unwrap(),
            "wait Job/a --for=condition=Complete"
        );
        let mut held = named("DaemonSet");
        held["spec"] = json!({ "updateStrategy": { "type": "OnDelete" } });
        assert_eq!(waits(held), None);
        // The API server's own groups are always there.
        assert_eq!(waits(named("APIService")), None);
        let mut served = named("APIService");
        served["spec"] = json!({ "service": { "name": "x" } });
        assert!(waits(served).unwrap().ends_with("=Available"));
    }

    #[test]
    fn one_object_several_and_a_list_are_read() {
        let count = |text: &str| objects(text).unwrap().len();
        assert_eq!(count(r#"{ "kind": "Pod" }"#), 1);
        assert_eq!(count("{ \"kind\": \"Pod\" }\n{ \"kind\": \"Job\" }"), 2);
        assert_eq!(
            count(r#"{ "kind": "List", "items": [{ "kind": "Pod" }, {}] }"#),
            2
        );
        assert!(objects("error: no").is_err());
    }

    #[test]
    fn a_pod_says_why_it_waits() {
        let pod =
            |status: Value| waits_for(&json!({ "metadata": { "name": "p" }, "status": status }));
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        assert_eq!(pod(json!({ "conditions": ready })), None);
        assert_eq!(pod(json!({ "phase": "Succeeded" })), None);
        let waiting =
            json!({ "waiting": { "reason": "ErrImagePull", "message": "no such image" } });
        assert_eq!(
            pod(json!({ "containerStatuses": [{ "state": waiting }] })).unwrap(),
            "pod p is not Ready (ErrImagePull: no such image)"
        );
        let unscheduled =
            json!([{ "type": "PodScheduled", "status": "False", "message": "0/1 nodes" }]);
        assert_eq!(
            pod(json!({ "conditions": unscheduled })).unwrap(),
            "pod p is not Ready (0/1 nodes)"
        );
        assert_eq!(
            pod(json!({ "phase": "Pending" })).unwrap(),
            "pod p is not Ready (Pending)"
        );
    }
}
