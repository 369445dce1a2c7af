//! What can still be learnt about a failure once the run is over.
//!
//! A spec's namespace is gone by then; what was in it was taken when the spec failed
//! (see `collect`). So each failed spec's output goes into a file beside that, and the state of the cluster (nodes, pods, events, the system's logs) beside them. All
//! of it is bounded: a dump must not fill a disk, nor take longer than looking at it is worth.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::outcome::Case;
use tokio_util::sync::CancellationToken;

use crate::collect::{folder_of, slug};
use crate::error::E2eError;
use crate::health::{Kubectl, Refused};
use crate::tools::Tools;

/// One file holds at most this much: the end, where the news is.
const MOST_PER_FILE: usize = 2 << 20;

/// All files hold about at most this much.
const MOST_IN_ALL: usize = 64 << 20;

/// A question that takes longer will not be answered.
const LIMIT: Duration = Duration::from_secs(20);

/// What is asked about the whole cluster, and the file each answer goes to.
const QUESTIONS: [(&str, &[&str]); 7] = [
    ("nodes.txt", &["get", "nodes", "--output=wide"]),
    ("nodes-described.txt", &["describe", "nodes"]),
    (
        "pods.txt",
        &["get", "pods", "--all-namespaces", "--output=wide"],
    ),
    (
        "events.txt",
        &[
            "get",
            "events",
            "--all-namespaces",
            "--sort-by=.metadata.creationTimestamp",
        ],
    ),
    (
        "kube-system.yaml",
        &["get", "pods", "--namespace=kube-system", "--output=yaml"],
    ),
    ("namespaces.txt", &["get", "namespaces"]),
    (
        "services.txt",
        &[
            "get",
            "services,endpointslices",
            "--all-namespaces",
            "--output=wide",
        ],
    ),
];

/// What a dump came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// The files, by their paths.
    pub files: Vec<Utf8PathBuf>,
    /// What could not be had, and why, one line each.
    pub missing: Vec<String>,
}

/// Collects into `<out>/dump` what is worth seeing after `cases` have failed. Nothing is collected
/// when none has. A cluster that does not answer costs one question, not all.
///
/// # Errors
/// When the folder cannot be written.
pub async fn dump(
    tools: &Tools,
    kubeconfig: &Utf8Path,
    cases: &[Case],
    out: &Utf8Path,
    cancel: &CancellationToken,
) -> Result<Dump, E2eError> {
    let failed: Vec<&Case> = cases
        .iter()
        .filter(|case| case.outcome.severity() >= 2)
        .collect();
    let mut collector = Collector {
        folder: out.join("dump"),
        left: MOST_IN_ALL,
        dump: Dump::default(),
    };
    if failed.is_empty() {
        return Ok(collector.dump);
    }
    for case in failed.iter().filter(|case| !case.output.is_empty()) {
        let name = format!("specs/{}/output.log", folder_of(&case.name));
        collector.write(
            &name,
            format!("{}\n\n{}", case.name, case.output).as_bytes(),
        )?;
    }
    let kubectl = Kubectl::new(tools, kubeconfig);
    tokio::select! {
        done = collector.ask(kubectl) => done?,
        () = cancel.cancelled() => collector.dump.missing.push("the rest: interrupted".into()),
    }
    Ok(collector.dump)
}

struct Collector {
    folder: Utf8PathBuf,
    left: usize,
    dump: Dump,
}

impl Collector {
    async fn ask(&mut self, kubectl: Kubectl<'_>) -> Result<(), E2eError> {
        if let Err(refused) = kubectl.ready().await {
            self.missed("the cluster", &refused);
            return Ok(());
        }
        for (name, question) in QUESTIONS {
            self.answer(name, kubectl.output(question, LIMIT).await)?;
        }
        let pods = ["get", "pods", "--namespace=kube-system", "--output=name"];
        let pods = match kubectl.output(&pods, LIMIT).await {
            Ok(pods) => String::from_utf8_lossy(&pods).into_owned(),
            Err(refused) => {
                self.missed("logs of kube-system", &refused);
                return Ok(());
            }
        };
        for pod in pods.lines() {
            let logs = [
                "logs",
                "--namespace=kube-system",
                "--all-containers",
                "--prefix",
                "--tail=5000",
                pod,
            ];
            let name = format!("kube-system/{}.log", slug(pod.trim_start_matches("pod/")));
            self.answer(&name, kubectl.output(&logs, LIMIT).await)?;
        }
        Ok(())
    }

    fn answer(&mut self, name: &str, answer: Result<Vec<u8>, Refused>) -> Result<(), E2eError> {
        match answer {
            Ok(bytes) => self.write(name, &bytes),
            Err(refused) => {
                self.missed(name, &refused);
                Ok(())
            }
        }
    }

    fn missed(&mut self, what: &str, refused: &Refused) {
        self.dump.missing.push(format!("{what}: {}", refused.said));
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), E2eError> {
        let most = MOST_PER_FILE.min(self.left);
        if most == 0 {
            self.dump.missing.push(format!(
                "{name}: the dump holds {MOST_IN_ALL} bytes already"
            ));
            return Ok(());
        }
        let path = self.folder.join(name);
        let kept = &bytes[bytes.len().saturating_sub(most)..];
        let note = match bytes.len() - kept.len() {
            0 => String::new(),
            cut => format!("[{cut} bytes before this are left out]\n"),
        };
        let write = || {
            fs_err::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            fs_err::write(&path, [note.as_bytes(), kept].concat())
        };
        write().map_err(E2eError::io(format!("cannot write {path}")))?;
        self.left -= kept.len();
        self.dump.files.push(path);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::outcome::Outcome;

    fn case(name: &str, outcome: Outcome, output: &str) -> Case {
        Case {
            name: name.into(),
            class: "sig-x".into(),
            took: Duration::ZERO,
            outcome,
            attempts: 1,
            output: output.into(),
        }
    }

    fn failed(name: &str, output: &str) -> Case {
        let message = "no".into();
        case(name, Outcome::Failed { message }, output)
    }

    async fn dumped(cases: &[Case], down: bool) -> (tempfile::TempDir, Dump) {
        let fake = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fake");
        let tools = Tools {
            ginkgo: fake.join("ginkgo"),
            e2e_test: "/nowhere".into(),
            kubectl: fake.join("kubectl"),
        };
        let folder = tempfile::tempdir().unwrap();
        let out = Utf8Path::from_path(folder.path()).unwrap();
        if down {
            fs_err::write(out.join("kubeconfig.down"), "").unwrap();
        }
        let (kubeconfig, cancel) = (out.join("kubeconfig"), CancellationToken::new());
        let mut dump = dump(&tools, &kubeconfig, cases, out, &cancel)
            .await
            .unwrap();
        for file in &mut dump.files {
            *file = file.strip_prefix(out).unwrap().to_owned();
        }
        (folder, dump)
    }

    #[tokio::test]
    async fn a_failure_leaves_its_output_and_the_clusters_state() {
        let long = "x".repeat(MOST_PER_FILE + 7);
        let cases = [
            case("fine", Outcome::Passed, "nothing to see"),
            failed("[sig-x] Pods should: a/b ../c", "its events"),
            failed("long", &long),
        ];
        let (folder, dump) = dumped(&cases, false).await;
        let files: Vec<String> = dump.files.iter().map(ToString::to_string).collect();
        let shown = files.join("\n");
        let shown = cases.iter().fold(shown, |shown, case| {
            let name = slug(&case.name);
            shown.replace(&folder_of(&case.name), &format!("{name}-HASH"))
        });
        insta::assert_snapshot!(shown, @r"
        dump/specs/sig-x-pods-should-a-b-..-c-HASH/output.log
        dump/specs/long-HASH/output.log
        dump/nodes.txt
        dump/nodes-described.txt
        dump/pods.txt
        dump/events.txt
        dump/kube-system.yaml
        dump/namespaces.txt
        dump/services.txt
        dump/kube-system/etcd-a-control-plane.log
        ");
        assert_eq!(
            dump.missing,
            ["kube-system/coredns-1.log: error: container is waiting to start"]
        );
        let read =
            |name: &str| fs_err::read_to_string(folder.path().join("dump").join(name)).unwrap();
        assert!(
            read(&format!("specs/{}/output.log", folder_of(&cases[1].name)))
                .ends_with("its events")
        );
        let long = read(&format!("specs/{}/output.log", folder_of("long")));
        assert!(
            long.starts_with("[13 bytes before this are left out]\n")
                && long.len() < MOST_PER_FILE + 64
        );
    }

    #[tokio::test]
    async fn nothing_failed_nothing_dumped_and_a_dead_cluster_is_asked_once() {
        let (_folder, dump) = dumped(&[case("fine", Outcome::Passed, "")], false).await;
        assert_eq!(dump, Dump::default());
        let (_folder, dump) = dumped(&[failed("bad", "why")], true).await;
        assert_eq!((dump.files.len(), dump.missing.len()), (1, 1));
        assert!(
            dump.missing[0].contains("was refused"),
            "{:?}",
            dump.missing
        );
    }
}
