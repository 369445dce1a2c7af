//! The engine fails: it is stopped in the middle of a boot, it goes down with its host, or its
//! disk is full.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::time::{Duration, Instant};

use kcluster_tests::{Kcluster, OwnEngine, real_clusters};

#[test]
fn an_engine_that_stops_is_named_and_the_next_run_works() {
    if !real_clusters("an_engine_that_stops_is_named_and_the_next_run_works") {
        return;
    }
    let mut engine = OwnEngine::start(None).unwrap();
    let endpoint = engine.endpoint();
    let kcluster = Kcluster::new().unwrap();
    let up = ["up", "--name", "d", "--nodes", "0", "--engine", &endpoint];
    let mut child = kcluster.spawn(&up).unwrap();
    let log = kcluster.state().join("spawned.log");
    let deadline = Instant::now() + Duration::from_secs(300);
    while !fs_err::read_to_string(&log)
        .unwrap()
        .contains("kubeadm init")
    {
        assert!(Instant::now() < deadline, "init never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    engine.stop().unwrap();
    let status = child.wait().unwrap();
    let text = fs_err::read_to_string(&log).unwrap();
    eprintln!(
        "{}",
        text.lines().rev().take(12).collect::<Vec<_>>().join("\n")
    );
    assert_eq!(status.code(), Some(3), "{text}");
    assert!(
        text.contains(&endpoint),
        "the error does not name the engine:\n{text}"
    );

    engine.restart().unwrap();
    let up = ["up", "--name", "d", "--nodes", "1", "--engine", &endpoint];
    kcluster.run(&up).unwrap().expect_code(0).unwrap();
    a_cluster_survives_its_host(&mut engine, &kcluster, &up);
    kcluster
        .run(&["down", "--name", "d", "--engine", &endpoint])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let left = engine.docker(&["ps", "--all", "--quiet"]).unwrap();
    assert!(left.is_empty(), "left behind: {left}");
}

/// The host loses its power and comes back: the same cluster, its workloads and its data.
fn a_cluster_survives_its_host(engine: &mut OwnEngine, kcluster: &Kcluster, up: &[&str]) {
    let endpoint = engine.endpoint();
    let inside = |script: &str| {
        let args = [
            "exec",
            "--name",
            "d",
            "--engine",
            &endpoint,
            "control-plane",
        ];
        let script = format!("export KUBECONFIG=/etc/kubernetes/admin.conf; {script}");
        let run = kcluster.run(&[&args[..], &["--", "sh", "-c", &script]].concat());
        run.unwrap().expect_code(0).unwrap().stdout
    };
    inside(&format!("kubectl apply -f - <<'EOF'\n{WORKLOAD}\nEOF"));
    inside("kubectl wait --for=condition=Available --timeout=60s deployment/keeper");
    let uid = "kubectl get nodes -o jsonpath='{.items[*].metadata.uid}'";
    let containers = [
        "ps",
        "--all",
        "--no-trunc",
        "--format",
        "{{.ID}} {{.Names}}",
    ];
    let (nodes, made) = (inside(uid), engine.docker(&containers).unwrap());

    engine.crash().unwrap();
    engine.restart().unwrap();
    assert!(engine.docker(&["ps", "--quiet"]).unwrap().is_empty());
    let again = kcluster.run(up).unwrap().expect_code(0).unwrap();
    eprintln!(
        "up after a crash of the host: {:.1} s\n{}",
        again.took.as_secs_f64(),
        again.stderr
    );
    assert_eq!(inside(uid), nodes, "not the same cluster");
    assert_eq!(engine.docker(&containers).unwrap(), made);
    inside("kubectl wait --for=condition=Ready --timeout=10s nodes --all");
    inside("kubectl wait --for=condition=Available --timeout=60s deployment/keeper");
    let lives = inside("kubectl exec deployment/keeper -- cat /data/lives");
    assert_eq!(lives, "alive\nalive\n", "the claim's data is another");
}

/// A claim on a volume of a worker, and a pod that writes into it at each start.
const WORKLOAD: &str = r#"apiVersion: v1
kind: PersistentVolume
metadata: {name: kept}
spec:
  capacity: {storage: 1Mi}
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  hostPath: {path: /var/kept, type: DirectoryOrCreate}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kept}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  resources: {requests: {storage: 1Mi}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: keeper}
spec:
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: keeper
        image: registry.k8s.io/e2e-test-images/busybox:1.37.0-1
        command: [sh, -c, "echo alive >> /data/lives; exec sleep 1000000"]
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: kept}}]
"#;

#[test]
fn a_full_disk_is_told() {
    if !real_clusters("a_full_disk_is_told") {
        return;
    }
    let engine = OwnEngine::start(Some(200)).unwrap();
    let kcluster = Kcluster::new().unwrap();
    let up = kcluster
        .run(&[
            "up",
            "--name",
            "f",
            "--nodes",
            "0",
            "--engine",
            &engine.endpoint(),
        ])
        .unwrap()
        .expect_code(3)
        .unwrap();
    eprintln!("{}", up.stderr);
    assert!(up.stderr.contains("disk is full"), "{}", up.stderr);
    let left = engine.docker(&["ps", "--all", "--quiet"]).unwrap();
    assert!(left.is_empty(), "left behind: {left}");
}
