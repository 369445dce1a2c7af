//! What a failed spec leaves in its namespace, taken while the rest still runs.
//!
//! `e2e.test` deletes a spec's namespace as soon as the spec ends, so it is told not to where a spec failed;
//! then events, descriptions and logs of its pods are read here, and the namespace is deleted by us. All
//! of it is bounded in time and size, and a namespace is deleted also when nothing could be read.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::fnv::Fnv;
use kcluster_matrix::outcome::Case;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::health::Kubectl;

/// After so many failed specs the next ones tell nothing new.
const MOST_SPECS: usize = 60;

/// Namespaces of one spec, over all its attempts.
const MOST_NAMESPACES: usize = 4;

/// Pods of one namespace whose logs are read.
const MOST_PODS: usize = 12;

/// One file holds at most this much: the end.
const MOST_PER_FILE: usize = 512 << 10;

/// What of each file goes to the spec's own output.
const EXCERPT: usize = 12 << 10;

/// A question that takes longer will not be answered.
const LIMIT: Duration = Duration::from_secs(10);

/// All questions about one spec together.
const LIMIT_PER_SPEC: Duration = Duration::from_secs(40);

/// What a failed spec said, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    name: String,
    namespaces: Vec<String>,
}

impl Failed {
    /// Of a case that failed in any attempt and had a namespace.
    pub(crate) fn of(case: &Case) -> Option<Self> {
        if case.outcome.severity() < 2 && !case.is_flaky() {
            return None;
        }
        let namespaces = namespaces(&case.output);
        (!namespaces.is_empty()).then(|| Self {
            name: case.name.clone(),
            namespaces,
        })
    }
}

/// The namespaces a spec's output says it failed in; the framework names each when it looks into it.
fn namespaces(output: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    for rest in output.split("Collecting events from namespace \"").skip(1) {
        let Some((name, _)) = rest.split_once('"') else {
            continue;
        };
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        // It becomes an argument, and what is in it is deleted: the system's own never is.
        let ours = name.ends_with(|c: char| c.is_ascii_digit()) && name.contains('-');
        if ours && name.len() <= 63 && name.chars().all(sound) && !name.starts_with("kube-") {
            found.insert(name.to_owned());
        }
    }
    found.into_iter().take(MOST_NAMESPACES).collect()
}

/// The folder below `dump/specs` for what belongs to a spec: readable, and different for each.
pub(crate) fn folder_of(spec: &str) -> String {
    let mut hash = Fnv::default();
    hash.add(spec.as_bytes());
    format!("{}-{hash}", slug(spec))
}

/// A name that any file system takes.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '.' {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= 100 {
            break;
        }
    }
    slug.trim_matches(['-', '.']).to_owned()
}

/// Takes failed specs as they come, until no more do; what comes back is an excerpt for each spec's output.
pub(crate) async fn collect(
    kubectl: Kubectl<'_>,
    out: &Utf8Path,
    mut failed: UnboundedReceiver<Failed>,
    cancel: &CancellationToken,
) -> HashMap<String, String> {
    let mut excerpts = HashMap::new();
    while let Some(spec) = failed.recv().await {
        // Whoever interrupts wants the cluster clean, and the rest soon.
        if excerpts.len() < MOST_SPECS && !cancel.is_cancelled() {
            let folder = out.join("dump/specs").join(folder_of(&spec.name));
            let read = async {
                let mut excerpt = String::new();
                for namespace in &spec.namespaces {
                    excerpt.push_str(&of_namespace(kubectl, namespace, &folder).await);
                }
                excerpt
            };
            let excerpt = tokio::time::timeout(LIMIT_PER_SPEC, read).await;
            let late = |_| "\n[kcluster] its namespace could not be read in time\n".to_owned();
            excerpts.insert(spec.name.clone(), excerpt.unwrap_or_else(late));
        }
        for namespace in &spec.namespaces {
            let delete = [
                "delete",
                "namespace",
                "--ignore-not-found",
                "--wait=false",
                namespace,
            ];
            if let Err(refused) = kubectl.output(&delete, LIMIT).await {
                tracing::debug!(
                    said = refused.said,
                    namespace,
                    "cannot delete the namespace"
                );
            }
        }
    }
    excerpts
}

/// Events, descriptions and logs of one namespace, as files and as an excerpt.
async fn of_namespace(kubectl: Kubectl<'_>, namespace: &str, folder: &Utf8Path) -> String {
    let within = format!("--namespace={namespace}");
    let events = [
        "get",
        "events",
        &within,
        "--sort-by=.metadata.creationTimestamp",
    ];
    let events = match kubectl.output(&events, LIMIT).await {
        Ok(events) => events,
        // The others would not be answered either.
        Err(refused) => {
            return format!(
                "\n[kcluster] namespace {namespace} could not be read: {}\n",
                refused.said
            );
        }
    };
    let pods = ["describe", "pods", &within];
    let pods = kubectl.output(&pods, LIMIT).await;
    let pods = pods.unwrap_or_else(|refused| refused.said.into_bytes());
    let logs = logs(kubectl, &within).await;
    let mut excerpt = String::new();
    for (what, text) in [("events", events), ("pods", pods), ("logs", logs)] {
        let path = folder.join(format!("{namespace}-{what}.txt"));
        let kept = &text[text.len().saturating_sub(MOST_PER_FILE)..];
        let remark = match write(&path, kept) {
            Ok(()) => String::new(),
            Err(error) => format!(" (not written: {error})"),
        };
        let kept = String::from_utf8_lossy(&text[text.len().saturating_sub(EXCERPT)..]);
        let cut = if text.len() > EXCERPT { "…" } else { "" };
        excerpt.push_str(&format!(
            "\n--- {what} of namespace {namespace}{remark} ---\n{cut}{kept}"
        ));
    }
    excerpt
}

async fn logs(kubectl: Kubectl<'_>, within: &str) -> Vec<u8> {
    let names = ["get", "pods", within, "--output=name"];
    let names = match kubectl.output(&names, LIMIT).await {
        Ok(names) => String::from_utf8_lossy(&names).into_owned(),
        Err(refused) => return refused.said.into_bytes(),
    };
    let mut text = Vec::new();
    for pod in names.lines().take(MOST_PODS) {
        let ask = [
            "logs",
            within,
            "--all-containers",
            "--prefix",
            "--tail=400",
            pod,
        ];
        match kubectl.output(&ask, LIMIT).await {
            Ok(log) => text.extend(log),
            Err(refused) => text.extend(format!("{pod}: {}\n", refused.said).into_bytes()),
        }
    }
    text
}

fn write(path: &Utf8PathBuf, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Tools;
    use kcluster_matrix::outcome::Outcome;

    fn case(outcome: Outcome, attempts: u32, output: &str) -> Case {
        Case {
            name: "[sig-x] Pods should".into(),
            class: "sig-x".into(),
            took: Duration::ZERO,
            outcome,
            attempts,
            output: output.into(),
        }
    }

    fn no() -> Outcome {
        Outcome::Failed {
            message: "no".into(),
        }
    }

    #[test]
    fn only_a_failures_own_namespaces_are_taken() {
        let output = "STEP: Collecting events from namespace \"pods-12\".\n\
            STEP: Collecting events from namespace \"pods-7\". @ now\n\
            STEP: Collecting events from namespace \"pods-12\".\n\
            Collecting events from namespace \"kube-system\". Collecting events from namespace \"kube-1\"\n\
            Collecting events from namespace \"default\" Collecting events from namespace \"--all-1\n";
        let of = |case: &Case| Failed::of(case).map(|failed| failed.namespaces);
        let both = Some(vec!["pods-12".to_owned(), "pods-7".to_owned()]);
        assert_eq!(of(&case(no(), 1, output)), both);
        assert_eq!(of(&case(Outcome::Passed, 2, output)), both);
        assert_eq!(of(&case(Outcome::Passed, 1, output)), None);
        assert_eq!(of(&case(no(), 1, "nothing")), None);
    }

    #[test]
    fn folders_differ_where_slugs_do_not() {
        let long = "[sig-storage] Projected configMap should be consumable ".repeat(3);
        let (one, two) = (
            folder_of(&format!("{long} a")),
            folder_of(&format!("{long} b")),
        );
        assert_ne!(one, two);
        assert_eq!(slug(&long), slug(&format!("{long} a")));
        assert!(one.len() < 120, "{one}");
    }

    #[tokio::test]
    async fn a_failure_leaves_files_and_an_excerpt_and_its_namespace_goes() {
        let fake = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fake");
        let tools = Tools {
            ginkgo: fake.join("ginkgo"),
            e2e_test: "/nowhere".into(),
            kubectl: fake.join("kubectl"),
        };
        let folder = tempfile::tempdir().unwrap();
        let out = Utf8Path::from_path(folder.path()).unwrap();
        let kubeconfig = out.join("kubeconfig");
        let failed = case(no(), 1, "Collecting events from namespace \"pods-12\".");
        let cancel = CancellationToken::new();
        let run = async || {
            let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
            sender.send(Failed::of(&failed).unwrap()).unwrap();
            drop(sender);
            let mut excerpts =
                collect(Kubectl::new(&tools, &kubeconfig), out, receiver, &cancel).await;
            excerpts.remove(&failed.name).unwrap_or_default()
        };
        let excerpt = run().await;
        assert!(
            excerpt.contains("--- events of namespace pods-12 ---\nkubectl "),
            "{excerpt}"
        );
        assert!(
            excerpt.contains("describe pods --namespace=pods-12"),
            "{excerpt}"
        );
        assert!(excerpt.contains("kubectl logs of pod/only"), "{excerpt}");
        let spec = out.join("dump/specs").join(folder_of(&failed.name));
        for what in ["events", "pods", "logs"] {
            assert!(spec.join(format!("pods-12-{what}.txt")).exists(), "{what}");
        }
        let deleted = fs_err::read_to_string(out.join("kubeconfig.deleted")).unwrap();
        assert_eq!(deleted, "pods-12\n");

        fs_err::write(out.join("kubeconfig.down"), "").unwrap();
        let excerpt = run().await;
        assert!(
            excerpt.contains("could not be read: The connection"),
            "{excerpt}"
        );

        fs_err::remove_file(out.join("kubeconfig.down")).unwrap();
        cancel.cancel();
        assert_eq!(run().await, "");
        let deleted = fs_err::read_to_string(out.join("kubeconfig.deleted")).unwrap();
        assert_eq!(deleted, "pods-12\npods-12\n");
    }
}
