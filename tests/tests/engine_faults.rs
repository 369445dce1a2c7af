//! The engine fails: it is stopped in the middle of a boot, or its disk is full.

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
    kcluster.run(&up).unwrap().expect_code(0).unwrap();
    kcluster
        .run(&["down", "--name", "d", "--engine", &endpoint])
        .unwrap()
        .expect_code(0)
        .unwrap();
    let left = engine.docker(&["ps", "--all", "--quiet"]).unwrap();
    assert!(left.is_empty(), "left behind: {left}");
}

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
