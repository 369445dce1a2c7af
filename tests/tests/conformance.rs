//! All of conformance, parallel and serial, on two workers.

use kcluster_tests::{Kcluster, junit_totals, real_clusters};

#[test]
#[ignore = "takes half an hour; `cargo xtask test conformance` runs it"]
fn every_conformance_spec_passes() {
    if !real_clusters("every_conformance_spec_passes") {
        return;
    }
    let kcluster = Kcluster::new().unwrap();
    let ok = |args: &[&str]| kcluster.run(args).unwrap().expect_code(0).unwrap();
    ok(&["up", "--name", "full", "--nodes", "2"]);
    let listed = ok(&["e2e", "--all", "--dry-run", "--name", "full"]);
    let listed = listed
        .stdout
        .lines()
        .filter(|line| line.starts_with('['))
        .count();
    let out = kcluster.state().join("out");
    let run = kcluster
        .run(&[
            "e2e",
            "--all",
            "--name",
            "full",
            "--report-dir",
            &out.display().to_string(),
        ])
        .unwrap();
    let lines: Vec<&str> = run.stderr.lines().collect();
    eprintln!("{}", lines[lines.len().saturating_sub(40)..].join("\n"));
    eprintln!("{listed} specs in {:.0} s", run.took.as_secs_f64());
    let totals = junit_totals(kcluster.state(), &out.join("junit.xml"), "conformance").unwrap();
    ok(&["down", "--name", "full"]);
    assert_eq!(totals.tests, listed, "{totals:?}");
    assert_eq!(
        (totals.failures, totals.errors, totals.skipped),
        (0, 0, 0),
        "{totals:?}"
    );
    assert_eq!(run.code, 0);
}
