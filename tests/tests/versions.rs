//! Other Kubernetes versions boot and pass the smoke.

use kcluster_tests::{Kcluster, SMOKE, junit_totals, real_clusters};

#[test]
#[ignore = "builds two more versions of Kubernetes; `cargo xtask test versions` runs it"]
fn older_and_newer_versions_pass_the_smoke() {
    if !real_clusters("older_and_newer_versions_pass_the_smoke") {
        return;
    }
    for version in ["1.34", "1.37"] {
        let kcluster = Kcluster::new().unwrap();
        let name = format!("v{}", version.replace('.', ""));
        let up = kcluster
            .run(&[
                "up",
                "--kubernetes",
                version,
                "--name",
                &name,
                "--nodes",
                "1",
            ])
            .unwrap()
            .expect_code(0)
            .unwrap();
        eprintln!("{version}: {}", up.stderr);
        let out = kcluster.state().join("out").display().to_string();
        kcluster
            .run(&[
                "e2e",
                "--focus",
                SMOKE,
                "--name",
                &name,
                "--report-dir",
                &out,
            ])
            .unwrap()
            .expect_code(0)
            .unwrap();
        let junit = kcluster.state().join("out/junit.xml");
        let totals = junit_totals(kcluster.state(), &junit, "conformance").unwrap();
        eprintln!("{version}: {totals:?}");
        assert!(totals.tests >= 30, "{totals:?}");
        assert_eq!((totals.failures, totals.errors, totals.skipped), (0, 0, 0));
        kcluster
            .run(&["down", "--name", &name])
            .unwrap()
            .expect_code(0)
            .unwrap();
    }
}
