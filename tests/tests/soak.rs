//! A workload that writes and checks, through many suspensions and many ways back to a
//! snapshot: nothing it wrote may be lost, and nothing may pile up.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::time::Instant;

use kcluster_tests::{Inventory, Kcluster, docker, real_clusters};
use serde_json::Value;

const NAME: &str = "soak";
const NODES: [&str; 2] = ["soak-control-plane", "soak-worker-1"];
const WORKER: &str = NODES[1];
const LOG: &str = "/var/lib/soak/log";
const NAMESPACE: &str = "soak";

/// Numbered lines, each with the sum of itself and of the line before: one that is lost, doubled
/// or changed breaks the chain. It goes on where the log ends, as after a restart.
const WRITER: &str = r#"
set -e
last=$(tail -n 1 /data/log 2>/dev/null || true)
n=${last%% *}; sum=${last##* }
while true; do
  n=$((n + 1))
  sum=$(echo "$n $sum" | sha256sum | cut -c 1-16)
  echo "$n $sum" >> /data/log
  sleep 0.1
done
"#;

#[test]
#[ignore = "takes half an hour; `cargo xtask test soak` runs it"]
fn a_writing_workload_survives_suspensions_and_snapshots() {
    if !real_clusters("a_writing_workload_survives_suspensions_and_snapshots") {
        return;
    }
    let suspensions = number("KCLUSTER_SOAK_SUSPENSIONS", 100);
    let snapshots = number("KCLUSTER_SOAK_SNAPSHOTS", 50);
    let before = Inventory::take().unwrap();
    let soak = Soak(Kcluster::new().unwrap());
    soak.ok(&["up", "--name", NAME, "--nodes", "1"]);
    soak.start_writer();
    let mut written = soak.wait_for_lines(20);
    soak.suspend_and_resume(suspensions, &mut written);
    soak.save_and_restore(snapshots, &mut written);
    soak.ok(&["down", "--name", NAME]);
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
    eprintln!("{suspensions} suspensions and {snapshots} snapshots: {written} lines, none lost");
}

/// What must not pile up in a cluster.
#[derive(Debug, Clone, Copy)]
struct Held {
    processes: usize,
    mounts: usize,
    volumes: usize,
    memory_mib: usize,
}

impl Held {
    /// Some more is the cluster at work; more than that is a leak.
    fn is_bounded_by(self, first: Self) -> bool {
        self.processes <= first.processes + 8
            && self.mounts <= first.mounts + 4
            && self.volumes == first.volumes
            && self.memory_mib <= first.memory_mib * 3 / 2 + 64
    }
}

struct Soak(Kcluster);

impl Soak {
    fn suspend_and_resume(&self, cycles: usize, written: &mut usize) {
        let start = Instant::now();
        let mut first = None;
        for cycle in 1..=cycles {
            let marker = self.mark("suspension", cycle);
            self.ok(&["suspend", "--name", NAME]);
            let resume = self.ok(&["resume", "--name", NAME, "--observe", "1s", "--json"]);
            let resumed: Value = serde_json::from_str(&resume).unwrap();
            let classes = resumed["impact"]["classes"].as_object().unwrap();
            assert!(classes.len() >= 2, "{resumed:#}");
            for (class, impact) in classes {
                for count in ["restarts", "evicted", "deleted", "not_ready"] {
                    assert_eq!(impact[count], 0, "cycle {cycle}, {class}: {impact:#}");
                }
            }
            *written = self.wait_for_lines(*written + 5);
            self.check_log(*written);
            self.expect_marker(&marker);
            let held = self.held();
            // The first cycles still warm up.
            let first = *first.get_or_insert(held);
            assert!(
                held.is_bounded_by(first),
                "cycle {cycle}: {first:?} grew to {held:?}"
            );
            if cycle % 10 == 0 || cycle == cycles {
                let seconds = start.elapsed().as_secs();
                eprintln!(
                    "suspension {cycle} of {cycles} after {seconds} s: {written} lines, {held:?}"
                );
            }
        }
    }

    fn save_and_restore(&self, cycles: usize, written: &mut usize) {
        let start = Instant::now();
        let mut first = None;
        for cycle in 1..=cycles {
            let kept = self.mark("snapshot", cycle);
            *written = self.wait_for_lines(*written + 5);
            self.ok(&["snapshot", "save", "--name", NAME, "point"]);
            let later = self.wait_for_lines(*written + 25);
            let gone = self.mark("gone", cycle);
            self.ok(&["snapshot", "restore", "--name", NAME, "point"]);
            self.ok(&["snapshot", "remove", "--name", NAME, "point"]);
            let (lines, _) = self.read_log();
            // It writes on meanwhile, at ten lines a second at most.
            assert!(
                lines >= *written,
                "cycle {cycle}: {written} lines before, {lines} after"
            );
            self.expect_marker(&kept);
            self.expect_no_marker(&gone);
            *written = self.wait_for_lines(lines.max(*written) + 5);
            self.check_log(*written);
            let held = self.held();
            let first = *first.get_or_insert(held);
            assert!(
                held.is_bounded_by(first),
                "cycle {cycle}: {first:?} grew to {held:?}"
            );
            if cycle % 5 == 0 || cycle == cycles {
                let seconds = start.elapsed().as_secs();
                eprintln!(
                    "snapshot {cycle} of {cycles} after {seconds} s: {written} lines ({later} before it was restored), {held:?}"
                );
            }
        }
    }

    /// Runs kcluster to a good end; what it printed.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.0.run(args).unwrap();
        output.expect_code(0).unwrap().stdout
    }

    fn kubectl(&self, args: &[&str]) -> String {
        self.ok(&[&["kubectl", "--name", NAME, "--"], args].concat())
    }

    fn on_node(&self, node: &str, script: &str) -> String {
        self.ok(&["exec", "--name", NAME, node, "--", "sh", "-c", script])
    }

    fn start_writer(&self) {
        let images = self.on_node(WORKER, "ctr images list --quiet");
        let image = images
            .lines()
            .find(|image| image.contains("e2e-test-images/busybox"))
            .unwrap();
        let pod = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "writer", "namespace": NAMESPACE },
            "spec": {
                "nodeName": WORKER,
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "writer",
                    "image": image,
                    "command": ["sh", "-c", WRITER],
                    "volumeMounts": [{ "name": "data", "mountPath": "/data" }],
                    "resources": { "limits": { "cpu": "500m", "memory": "64Mi" } },
                }],
                "volumes": [{
                    "name": "data",
                    "hostPath": { "path": "/var/lib/soak", "type": "DirectoryOrCreate" },
                }],
            },
        });
        self.kubectl(&["create", "namespace", NAMESPACE]);
        let file = "/tmp/writer.json";
        let script = format!("cat > {file} <<'EOF'\n{pod}\nEOF\nkubectl apply -f {file}");
        self.on_node(NODES[0], &script);
    }

    /// An object of the API, made before something is done to the cluster.
    fn mark(&self, what: &str, cycle: usize) -> String {
        let name = format!("{what}-{cycle}");
        let value = format!("--from-literal=cycle={cycle}");
        self.kubectl(&[
            "create",
            "configmap",
            &name,
            &value,
            "--namespace",
            NAMESPACE,
        ]);
        name
    }

    fn markers(&self) -> Vec<String> {
        let names = self.kubectl(&[
            "get",
            "configmaps",
            "--output=name",
            "--namespace",
            NAMESPACE,
        ]);
        let names = names.lines().filter_map(|line| line.split_once('/'));
        names.map(|(_, name)| name.to_owned()).collect()
    }

    fn expect_marker(&self, name: &str) {
        let markers = self.markers();
        assert!(
            markers.iter().any(|known| known == name),
            "{name} is lost: {markers:?}"
        );
    }

    fn expect_no_marker(&self, name: &str) {
        let markers = self.markers();
        assert!(
            !markers.iter().any(|known| known == name),
            "{name} came after the snapshot"
        );
    }

    /// Waits in the node until the log has more than `lines`; returns how many it has.
    fn wait_for_lines(&self, lines: usize) -> usize {
        let script = format!(
            "for i in $(seq 600); do n=$(wc -l < {LOG} 2>/dev/null || echo 0); \
             if [ $n -ge {lines} ]; then echo $n; exit 0; fi; sleep 0.1; done; \
             echo \"still $n lines\" >&2; crictl ps -a >&2; exit 1"
        );
        self.on_node(WORKER, &script).trim().parse().unwrap()
    }

    /// How many whole lines there are, and what they are.
    fn read_log(&self) -> (usize, String) {
        let text = self.on_node(WORKER, &format!("cat {LOG}"));
        (text.lines().count(), text)
    }

    /// The chain from its first line to its last.
    fn check_log(&self, at_least: usize) {
        let script = format!(
            "awk '{{ if ($1 != NR || NF != 2) {{ print \"line \" NR \": \" $0; bad = 1; exit 1 }} }} END {{ exit bad }}' {LOG} && \
             tail -n 400 {LOG} | {{ read n sum; while read m next; do \
             want=$(echo \"$m $sum\" | sha256sum | cut -c 1-16); \
             [ \"$want\" = \"$next\" ] || {{ echo \"line $m: $next, not $want\"; exit 1; }}; sum=$next; done; }} && wc -l < {LOG}"
        );
        let lines: usize = self.on_node(WORKER, &script).trim().parse().unwrap();
        assert!(lines >= at_least, "{at_least} lines became {lines}");
    }

    fn held(&self) -> Held {
        let mut held = Held {
            processes: 0,
            mounts: 0,
            volumes: docker(&["volume", "ls", "--quiet"])
                .unwrap()
                .lines()
                .count(),
            memory_mib: 0,
        };
        for node in NODES {
            let printed = self.on_node(
                node,
                "ls -d /proc/[0-9]* | wc -l; wc -l < /proc/1/mounts; \
                 cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss_Anon/ { kib += $2 } END { print int(kib / 1024) }'",
            );
            let mut numbers = printed
                .lines()
                .map(|line| line.trim().parse::<usize>().unwrap());
            held.processes += numbers.next().unwrap();
            held.mounts += numbers.next().unwrap();
            held.memory_mib += numbers.next().unwrap();
        }
        held
    }
}

/// Fewer cycles for a trial; what is recorded has them all.
fn number(variable: &str, full: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => full,
    }
}
