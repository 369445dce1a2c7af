//! Addons: their images reach all nodes, they come in order, and a failure names its own.

use kcluster_matrix::{Addon, AddonContent, Chart, Step, exit};

use super::stage::{Stage, fails, output, spec};
use crate::engine::Labels;
use crate::engine::recording::Answer;

const IMAGE: &str = "kcluster/metrics-server:1";
const HELM: &str = "kcluster/helm:1";

fn addon(name: &str, images: &[&str], content: AddonContent) -> Addon {
    Addon {
        name: name.into(),
        digest: "12".into(),
        images: images.iter().map(|image| (*image).to_owned()).collect(),
        content: Some(content),
    }
}

fn chart() -> AddonContent {
    AddonContent::Chart(Box::new(Chart {
        release: "web".into(),
        namespace: "shop".into(),
        archive: b"tgz".to_vec(),
        values: vec!["{}".into()],
        helm: HELM.into(),
    }))
}

/// A cluster with a manifest and a chart, on an engine that has their images.
fn scene() -> (kcluster_matrix::ClusterSpec, Stage) {
    let mut spec = spec("a", 1);
    spec.options.addons = vec![
        addon(
            "metrics",
            &[IMAGE],
            AddonContent::Manifests("the objects".into()),
        ),
        addon("web", &[HELM, "shop:1"], chart()),
    ];
    let mut stage = Stage::new(&spec);
    for image in [IMAGE, HELM, "shop:1"] {
        stage.engine = stage.engine.with_image(image, &Labels::new());
    }
    stage.engine.script(|_, spec| {
        let applied = spec.stdin.as_deref() == Some(b"the objects");
        let object = r#"{ "kind": "Deployment", "metadata": { "name": "m", "namespace": "n" } }"#;
        applied.then(|| Answer::Output(output(object)))
    });
    (spec, stage)
}

#[tokio::test]
async fn they_come_in_order_and_each_is_waited_for() {
    let (spec, stage) = scene();
    stage.up(&spec).await.unwrap();
    let calls = stage.engine.calls();
    let position = |part: &str| {
        let found = calls.iter().position(|call| call.contains(part));
        found.unwrap_or_else(|| panic!("no {part} in {calls:#?}"))
    };
    assert!(position("rollout status Deployment/m") < position("upgrade --install web"));
    assert!(position("--output=json") < position("rollout status Deployment/m"));
    // Every node has the images before anything is installed.
    for node in ["a-control-plane", "a-worker-1"] {
        let last = calls
            .iter()
            .rposition(|call| call.starts_with(&format!("exec {node} sh -c ctr")));
        assert!(last.unwrap() < position("--output=json"), "{node}");
    }
    // The user's own images are cut down to the nodes' platform, ours are the nodes' as they are.
    position(&format!("save_images {HELM} {IMAGE}"));
    position("save_images shop:1");
    let files = stage.engine.files("a-control-plane");
    assert!(
        files.contains(&"kcluster/addons/web/chart.tgz".to_owned()),
        "{files:?}"
    );
    let steps = stage.events.steps();
    assert!(
        steps
            .iter()
            .any(|(step, ended)| *step == Step::Addons && ended.is_passed())
    );
    // What is remembered is enough to know that nothing changed.
    assert!(stage.up(&spec).await.unwrap().existed);
    let mut other = spec.clone();
    other.options.addons[0].digest = "13".into();
    let error = stage.up(&other).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::BAD_INPUT);
    assert!(error.to_string().contains("metrics@12"), "{error}");
}

#[tokio::test]
async fn a_failure_names_the_addon_and_what_its_pods_wait_for() {
    let (spec, stage) = scene();
    stage.engine.script(|_, spec| {
        let words = spec.argv.join(" ");
        let pod = r#"{ "kind": "List", "items": [{ "kind": "Pod", "metadata": { "name": "m-1" },
            "status": { "containerStatuses": [{ "state": { "waiting": { "reason": "ErrImageNeverPull" } } }] } }] }"#;
        if words.contains("rollout status") {
            return Some(Answer::Output(fails("", "error: timed out waiting for the condition")));
        }
        words.contains("get pods --namespace n").then(|| Answer::Output(output(pod)))
    });
    let error = stage.up(&spec).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::CLUSTER_FAILED);
    let text = error.to_string();
    for part in [
        "addon `metrics`",
        "pod m-1 is not Ready (ErrImageNeverPull)",
        "timed out",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(stage.engine.leftovers().is_empty());
}

#[tokio::test]
async fn kinds_that_a_file_defines_itself_are_waited_for_once() {
    let (mut spec, stage) = scene();
    spec.options.addons.truncate(1);
    let tries = std::sync::atomic::AtomicUsize::new(0);
    stage.engine.script(move |_, spec| {
        if spec.stdin.as_deref() != Some(b"the objects") {
            return None;
        }
        let first = tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let unknown =
            "error: resource mapping not found for name: \"x\"\nensure CRDs are installed first";
        Some(Answer::Output(if first {
            fails("", unknown)
        } else {
            output("")
        }))
    });
    stage.up(&spec).await.unwrap();
    let calls = stage.engine.calls();
    let waits = calls.iter().filter(|call| call.contains("Established"));
    assert_eq!(waits.count(), 1, "{calls:#?}");
}

#[tokio::test]
async fn an_image_that_the_engine_lacks_is_named() {
    let (mut spec, stage) = scene();
    spec.options.addons[1].images.push("none:1".into());
    let text = stage.up(&spec).await.unwrap_err().to_string();
    assert!(
        text.contains("addons") && text.contains("`none:1`"),
        "{text}"
    );
}
