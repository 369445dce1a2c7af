//! What goes wrong: kcluster killed at random moments, the engine's refusals, two at
//! once. Each ends in a clear error, with nothing left but labelled things that the
//! next run removes.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking and tells its timings"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use kcluster_tests::{Inventory, Kcluster, docker, junit_totals, real_clusters};

/// Longer than any boot here, so that kills fall before, within and after it.
const BOOT: Duration = Duration::from_secs(14);

#[test]
fn killed_three_times_nothing_is_left() {
    if real_clusters("killed_three_times_nothing_is_left") {
        kill_at_random_moments(3, seed());
    }
}

#[test]
#[ignore = "takes a quarter of an hour; `cargo xtask test faults` runs it"]
fn killed_twenty_times_nothing_is_left() {
    if real_clusters("killed_twenty_times_nothing_is_left") {
        kill_at_random_moments(20, seed());
    }
}

/// Kills `up` (and every third time `e2e`) by one signal after another, and after
/// each lets the next command find and remove what is left.
fn kill_at_random_moments(times: u32, seed: u64) {
    eprintln!("random seed {seed} (KCLUSTER_SEED repeats it)");
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let mut random = Random(seed);
    for round in 0..times {
        let signal = ["INT", "TERM", "KILL"][(round % 3) as usize];
        let during_e2e = round % 3 == 2;
        if during_e2e {
            up(&kcluster);
        }
        let args: &[&str] = if during_e2e {
            &["e2e", "ConfigMap", "--name", "k", "--report-dir", "out"]
        } else {
            &["up", "--name", "k", "--nodes", "1"]
        };
        let moment = random.below(BOOT);
        eprintln!(
            "round {round}: SIG{signal} to `{}` after {:.1} s",
            args[0],
            moment.as_secs_f64()
        );
        let mut child = kcluster.spawn(args).unwrap();
        let start = Instant::now();
        while start.elapsed() < moment && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let ended_before = child.try_wait().unwrap();
        if ended_before.is_none() {
            let pid = child.id().to_string();
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap();
        }
        let status = child.wait().unwrap();
        let log = fs_err::read_to_string(kcluster.state().join("spawned.log")).unwrap();
        if ended_before.is_none() && signal != "KILL" {
            assert_eq!(status.code(), Some(130), "round {round}: {status}\n{log}");
            if !during_e2e {
                let leaked = Inventory::take().unwrap().leaked_since(&before);
                assert!(leaked.is_empty(), "round {round} left {leaked:#?}\n{log}");
            }
        }
        // A killed run leaves at most what the next one finds by its labels.
        unlabelled(&before);
        if round % 4 == 1 {
            up(&kcluster);
        }
        kcluster
            .run(&["down", "--name", "k"])
            .unwrap()
            .expect_code(0)
            .unwrap();
        let leaked = Inventory::take().unwrap().leaked_since(&before);
        assert!(
            leaked.is_empty(),
            "after round {round} and `down`: {leaked:#?}"
        );
        assert_no_process_of(&kcluster);
    }
}

#[test]
fn a_taken_port_is_told_before_anything_is_left() {
    if !real_clusters("a_taken_port_is_told_before_anything_is_left") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let up = kcluster
        .run(&["up", "--name", "p", "--nodes", "0", "--api-port", &port])
        .unwrap()
        .expect_code(3)
        .unwrap();
    assert!(
        up.stderr.contains(&port) && up.stderr.contains("taken"),
        "{}",
        up.stderr
    );
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

#[test]
fn a_node_lost_during_join_is_named() {
    if !real_clusters("a_node_lost_during_join_is_named") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let mut child = kcluster
        .spawn(&["up", "--name", "j", "--nodes", "1"])
        .unwrap();
    let log = kcluster.state().join("spawned.log");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs_err::read_to_string(&log)
        .unwrap()
        .contains("kubeadm join")
    {
        assert!(Instant::now() < deadline, "join never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    docker(&["kill", "j-worker-1"]).unwrap();
    let status = child.wait().unwrap();
    let text = fs_err::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(3), "{text}");
    assert!(text.contains("j-worker-1"), "{text}");
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

#[test]
fn two_ups_of_one_name_do_not_mix() {
    if !real_clusters("two_ups_of_one_name_do_not_mix") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let mut first = kcluster
        .spawn(&["up", "--name", "t", "--nodes", "0"])
        .unwrap();
    let log = kcluster.state().join("spawned.log");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs_err::read_to_string(&log).unwrap().contains("nodes") {
        assert!(
            Instant::now() < deadline,
            "the first up never got to its nodes"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = kcluster
        .run(&["up", "--name", "t", "--nodes", "0"])
        .unwrap()
        .expect_code(2)
        .unwrap();
    assert!(
        second.stderr.contains(&first.id().to_string()),
        "{}",
        second.stderr
    );
    assert_eq!(first.wait().unwrap().code(), Some(0));
    kcluster
        .run(&["down", "--name", "t"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

fn up(kcluster: &Kcluster) {
    kcluster
        .run(&["up", "--name", "k", "--nodes", "1"])
        .unwrap()
        .expect_code(0)
        .unwrap();
}

/// Containers, networks and volumes that are new must carry our label.
fn unlabelled(before: &Inventory) {
    let label = "label=dev.kcluster.cluster";
    let ours = [
        docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", label]).unwrap(),
        docker(&["network", "ls", "--quiet", "--no-trunc", "--filter", label]).unwrap(),
        docker(&["volume", "ls", "--quiet", "--filter", label]).unwrap(),
    ]
    .concat();
    for leaked in Inventory::take().unwrap().leaked_since(before) {
        let (kind, id) = leaked.split_once(' ').unwrap();
        // The engine mounts a container's root and network while it runs.
        let labelled = kind == "mount" || ours.lines().any(|line| line == id);
        assert!(labelled, "{leaked} carries no label");
    }
}

fn assert_no_process_of(kcluster: &Kcluster) {
    let state = kcluster.state().display().to_string();
    for entry in fs_err::read_dir("/proc").unwrap().flatten() {
        let Ok(command) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        assert!(!command.contains(&state), "still running: {command}");
    }
}

fn seed() -> u64 {
    std::env::var("KCLUSTER_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| {
            let now = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            now.as_secs()
        })
}

/// A small repeatable generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn below(&mut self, most: Duration) -> Duration {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = (self.0 >> 40) as f64 / (1u64 << 24) as f64;
        most.mul_f64(share)
    }
}

/// What cannot be judged is not called failed, and what was there is collected.
#[test]
#[ignore = "waits until a node counts as lost; `cargo xtask test faults` runs it"]
fn a_worker_killed_in_the_middle_of_a_run_makes_it_errored() {
    if !real_clusters("a_worker_killed_in_the_middle_of_a_run_makes_it_errored") {
        return;
    }
    let kcluster = Kcluster::new().unwrap();
    let ok = |args: &[&str]| kcluster.run(args).unwrap().expect_code(0).unwrap();
    ok(&["up", "--name", "k", "--nodes", "2"]);
    let out = kcluster.state().join("out");
    let folder = out.display().to_string();
    let mut run = kcluster
        .spawn(&["e2e", "--name", "k", "--report-dir", &folder])
        .unwrap();
    let log = kcluster.state().join("spawned.log");
    let told = || fs_err::read_to_string(&log).unwrap();
    let first_verdict = Instant::now();
    while !fs_err::read_to_string(out.join("events.jsonl"))
        .is_ok_and(|events| events.contains("spec-finished"))
    {
        assert!(
            first_verdict.elapsed() < Duration::from_secs(120),
            "{}",
            told()
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    // What runs specs must not be pruned by another process meanwhile: the commands, e2e.test, ginkgo, and kubectl.
    let held = fs_err::read_dir(format!("/proc/{}/fd", run.id())).unwrap();
    let held = held.map(|fd| fs_err::read_link(fd.unwrap().path()).unwrap_or_default());
    let held: BTreeSet<_> = held.collect();
    let of = |kind: &str| {
        let locks = format!("/locks/{kind}-");
        let held = held.iter();
        held.filter(|file| file.to_string_lossy().contains(&locks))
            .count()
    };
    assert!(of("kubernetes") >= 3 && of("kubectl") >= 1, "{held:?}");
    docker(&["kill", "k-worker-2"]).unwrap();
    let killed = Instant::now();
    let code = run.wait().unwrap().code();
    eprintln!(
        "ended {:.0} s after the kill",
        killed.elapsed().as_secs_f64()
    );
    let totals = junit_totals(kcluster.state(), &out.join("junit.xml"), "conformance").unwrap();
    let report = fs_err::read_to_string(out.join("junit.xml")).unwrap();
    ok(&["down", "--name", "k"]);
    assert_eq!(code, Some(3), "{}", told());
    assert_eq!(totals.failures, 0, "{totals:?}");
    assert!(totals.errors > 0 && totals.tests == 417, "{totals:?}");
    assert!(report.contains("worker-2"), "the report names no node");
    for artefact in ["report.json", "report.html", "summary.md", "dump/nodes"] {
        assert!(out.join(artefact).exists(), "no {artefact}");
    }
}
