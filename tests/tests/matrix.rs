//! Many cells: planned, run at the same time, killed and resumed, spread over engines.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking and tells its timings"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use kcluster_tests::{
    Inventory, Kcluster, OwnEngine, SettingsSchema, installed, junit_totals, real_clusters,
};
use serde_json::Value;

/// What a cell's network has to do: across nodes, by Services, by host ports, by names.
const NETWORK: &str = r#"focus = [
  "Networking Granular Checks: Pods should function for intra-pod communication: http",
  "Services should be able to create a functioning NodePort service",
  "HostPort validates that there is no conflict between pods with same hostPort",
  "DNS should provide DNS for services",
]
"#;

fn write(kcluster: &Kcluster, text: &str) {
    SettingsSchema::of(kcluster).unwrap().expect(text).unwrap();
    fs_err::write(kcluster.state().join("kcluster.toml"), text).unwrap();
}

fn report(kcluster: &Kcluster) -> Value {
    let text = fs_err::read_to_string(kcluster.state().join("out/report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ended(kcluster: &Kcluster) -> Vec<String> {
    let cells = fs_err::read_dir(kcluster.state().join("out/cells"))
        .into_iter()
        .flatten();
    let ended = cells
        .flatten()
        .filter(|cell| cell.path().join("cell.json").exists());
    ended
        .map(|cell| cell.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn two_cells_run_at_the_same_time_and_their_reports_are_one() {
    if !real_clusters("two_cells_run_at_the_same_time") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    write(
        &kcluster,
        &format!(
            "nodes = 2\n[matrix]\ncni = [\"bridge\", \"flannel\"]\nsuites = \"network\"\n[matrix.suite.network]\n{NETWORK}"
        ),
    );
    let run = kcluster
        .run(&["matrix", "run", "--report-dir", "out"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    eprintln!("two cells: {:.1} s\n{}", run.took.as_secs_f64(), run.stderr);
    assert!(run.stderr.contains("2 of 2 cells passed"), "{}", run.stderr);
    assert!(run.stderr.contains("one after the other"), "{}", run.stderr);
    let totals = junit_totals(
        kcluster.state(),
        &kcluster.state().join("out/junit.xml"),
        "network",
    )
    .unwrap();
    eprintln!("{totals:?}");
    assert!(totals.tests >= 8, "{totals:?}");
    assert_eq!((totals.failures, totals.errors), (0, 0));
    for file in ["report.html", "summary.md"] {
        assert!(kcluster.state().join("out").join(file).exists(), "{file}");
    }
    // What is finished is not run again.
    let again = kcluster
        .run(&["matrix", "run", "--report-dir", "out", "--resume"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    assert!(again.took < Duration::from_secs(10), "{:?}", again.took);
    assert!(
        again.stderr.contains("2 of them in an earlier run"),
        "{}",
        again.stderr
    );
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}

#[test]
#[ignore = "builds two versions and two architectures more; `cargo xtask test matrix` runs it"]
fn six_cells_killed_in_the_middle_and_resumed() {
    if !real_clusters("six_cells_killed_in_the_middle_and_resumed") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    write(
        &kcluster,
        r#"
[matrix]
kubernetes = ["1.35", "1.36"]
cni = ["bridge", "flannel"]
arch = "amd64"
suites = "smoke"

[[matrix.include]]
kubernetes = "1.36"
cni = "bridge"
arch = ["arm64", "s390x"]
"#,
    );
    let args = ["matrix", "run", "--report-dir", "out"];
    let mut child = kcluster.spawn(&args).unwrap();
    let deadline = Instant::now() + Duration::from_secs(3600);
    while ended(&kcluster).len() < 2 {
        assert!(Instant::now() < deadline, "no two cells ended");
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let done = ended(&kcluster);
    let stamps: Vec<_> = done.iter().map(|cell| modified(&kcluster, cell)).collect();
    let resumed = kcluster
        .run(&[&args[..], &["--resume"]].concat())
        .unwrap()
        .expect_code(0)
        .unwrap();
    eprintln!(
        "resumed: {:.1} s\n{}",
        resumed.took.as_secs_f64(),
        resumed.stderr
    );
    assert!(
        resumed.stderr.contains("6 of 6 cells passed"),
        "{}",
        resumed.stderr
    );
    let again: Vec<_> = done.iter().map(|cell| modified(&kcluster, cell)).collect();
    assert_eq!(stamps, again, "a cell that had ended ran again");
    let totals = report(&kcluster)["totals"].clone();
    assert_eq!(
        (&totals["failed"], &totals["errored"]),
        (&0.into(), &0.into()),
        "{totals}"
    );
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}

fn modified(kcluster: &Kcluster, cell: &str) -> std::time::SystemTime {
    let file = kcluster
        .state()
        .join("out/cells")
        .join(cell)
        .join("cell.json");
    fs_err::metadata(file).unwrap().modified().unwrap()
}

#[test]
#[ignore = "takes minutes on two cores; `cargo xtask test engines` runs it"]
fn two_engines_share_four_cells_and_one_is_lost() {
    let name = "two_engines_share_four_cells_and_one_is_lost";
    if !real_clusters(name) || !installed(name, "sshd") {
        return;
    }
    let kcluster = Kcluster::new().unwrap();
    let mut engines = [
        OwnEngine::start(None).unwrap(),
        OwnEngine::start(None).unwrap(),
    ];
    let endpoints: Vec<String> = engines
        .iter()
        .map(|engine| engine.behind_ssh().unwrap())
        .collect();
    let program = kcluster
        .command(&[])
        .get_program()
        .to_string_lossy()
        .into_owned();
    write(
        &kcluster,
        &r#"
nodes = 0
e2e-images = "official"
cells-at-once = 2
[matrix]
cni = ["bridge", "ptp"]
kube-proxy-mode = ["nftables", "iptables"]
suites = "wait"
[matrix.suite.wait]
run = ["sh", "-c", "for n in 1 2 3 4 5; do PROGRAM kubectl get nodes || exit 1; sleep 2; done"]
"#
        .replace("PROGRAM", &program),
    );
    let engines_flag = endpoints.join(",");
    let args = [
        "matrix",
        "run",
        "--report-dir",
        "out",
        "--engines",
        &engines_flag,
    ];
    let mut child = kcluster.spawn(&args).unwrap();
    let log = kcluster.state().join("spawned.log");
    let deadline = Instant::now() + Duration::from_secs(900);
    // Both have begun, and the first has something to lose.
    while engines[0]
        .docker(&["ps", "--quiet"])
        .unwrap()
        .lines()
        .count()
        == 0
    {
        assert!(
            child.try_wait().unwrap().is_none(),
            "{}",
            fs_err::read_to_string(&log).unwrap()
        );
        assert!(
            Instant::now() < deadline,
            "{}",
            fs_err::read_to_string(&log).unwrap()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    engines[0].stop().unwrap();
    let status = child.wait().unwrap();
    let told = fs_err::read_to_string(&log).unwrap();
    eprintln!("{told}");
    assert!(status.success(), "{told}");
    assert!(told.contains("is lost"), "{told}");
    assert!(told.contains("4 of 4 cells passed"), "{told}");
    assert_eq!(ended(&kcluster).len(), 4);
}

#[test]
#[ignore = "builds a second version and the operator; `cargo xtask test operator` runs it"]
fn an_operators_own_tests_pass_in_two_cells() {
    if !real_clusters("an_operators_own_tests_pass_in_two_cells") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let operator = Path::new(env!("CARGO_MANIFEST_DIR")).join("operator");
    let out = kcluster.state().join("out");
    let mut command = kcluster.command(&["run", "--report-dir"]);
    command.arg(&out).args(["--", "cargo", "test", "--locked"]);
    let run = command
        .current_dir(operator)
        .env("CARGO_TARGET_DIR", kcluster.state().join("target"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stderr);
    eprintln!("{told}");
    assert!(run.status.success(), "{told}");
    assert!(told.contains("2 of 2 cells passed"), "{told}");
    for version in ["1.35", "1.36"] {
        let cells = fs_err::read_dir(out.join("cells")).unwrap().flatten();
        let cell = cells.map(|cell| cell.path()).find(|cell| {
            cell.file_name()
                .is_some_and(|name| name.to_string_lossy().contains(version))
        });
        let log = fs_err::read_to_string(cell.unwrap().join("run/output.log")).unwrap();
        assert!(log.contains("test result: ok. 1 passed"), "{log}");
    }
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}
