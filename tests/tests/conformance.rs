//! All of conformance, parallel and serial, on two workers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kcluster_tests::{Kcluster, junit_reader, junit_totals, real_clusters, suite};

/// A run on two cores may take this long, in seconds.
const AT_MOST: f64 = 35.0 * 60.0;

#[test]
#[ignore = "takes an hour and a half; `cargo xtask test conformance` runs it"]
fn all_of_it_three_times_in_a_row() {
    if !real_clusters("all_of_it_three_times_in_a_row") {
        return;
    }
    let passed = thrice("1.36", "conformance");
    assert_eq!(passed, [446; 3], "1.36 has 446 conformance specs");
}

#[test]
#[ignore = "takes an hour and a half; `cargo xtask test conformance-1.37` runs it"]
fn all_of_it_of_1_37() {
    if !real_clusters("all_of_it_of_1_37") {
        return;
    }
    let passed = thrice("1.37", "conformance-1.37");
    assert_eq!(passed, [462; 3], "1.37 has 462 conformance specs");
}

/// How many specs passed in each of three runs, each on a cell of its own.
fn thrice(version: &str, suite: &str) -> [usize; 3] {
    let out = suite::folder(suite).unwrap();
    [1, 2, 3].map(|run: u8| whole(version, &out.join(run.to_string())))
}

/// Boots a cell, runs all specs, and returns how many passed: all of them.
fn whole(version: &str, out: &std::path::Path) -> usize {
    let tools = suite::tools().unwrap();
    junit_reader(&tools).unwrap();
    let kcluster = Kcluster::new().unwrap();
    let ok = |args: &[&str]| kcluster.run(args).unwrap().expect_code(0).unwrap();
    let (name, folder) = ("full", out.display().to_string());
    ok(&[
        "up",
        "--name",
        name,
        "--kubernetes",
        version,
        "--nodes",
        "2",
        "--cni",
        "bridge",
    ]);
    let list = |more: &[&str]| -> Vec<String> {
        let dry = ok(&[&["e2e", "--all", "--dry-run", "--name", name], more].concat()).stdout;
        let specs = dry.lines().filter(|line| line.starts_with('['));
        specs.map(str::to_owned).collect()
    };
    let mut all = list(&[]);
    let listed = all.len();
    let shards = ["1/4", "2/4", "3/4", "4/4"].map(|shard| list(&["--shard", shard]));
    let sizes = shards.each_ref().map(Vec::len);
    let mut union = shards.concat();
    union.sort();
    all.sort();
    assert_eq!(union, all, "four shards of {sizes:?} are not the list");
    // What passes only when it is run once more is named as flaky.
    let all = [
        "e2e",
        "--all",
        "--retries",
        "1",
        "--name",
        name,
        "--report-dir",
        &folder,
    ];
    let run = kcluster.run(&all).unwrap();
    let told = |start: &str| -> Vec<&str> {
        let lines = run.stderr.lines();
        lines.filter(|line| line.starts_with(start)).collect()
    };
    let flaky = told("flaky:");
    let flaky = match flaky.is_empty() {
        true => "none flaky".to_owned(),
        false => flaky.join(", "),
    };
    let totals = junit_totals(&tools, &out.join("junit.xml"), "conformance").unwrap();
    let passed = totals.tests - totals.failures - totals.errors - totals.skipped;
    suite::note(&format!(
        "{version}: {passed} of {listed} in {:.1} min, {flaky}, {}",
        run.took.as_secs_f64() / 60.0,
        told("high-water marks").join(", ")
    ))
    .unwrap();
    ok(&["down", "--name", name]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!((totals.tests, passed), (listed, listed), "{totals:?}");
    assert!(run.took.as_secs_f64() <= AT_MOST, "{:?}", run.took);
    may_be_handed_in(&kcluster, out);
    passed
}

/// A run of everything makes a bundle for the conformance programme, with the product that was set.
fn may_be_handed_in(kcluster: &Kcluster, out: &std::path::Path) {
    let product = [
        "vendor=Nobody",
        "name=kcluster",
        "version=1",
        "website_url=https://example.invalid",
        "documentation_url=https://example.invalid/docs",
        "product_logo_url=https://example.invalid/logo.svg",
        "type=installer",
        "description=a cell of a test",
        "contact_email_address=nobody@example.invalid",
    ];
    let folder = out.display().to_string();
    let args = ["report", "bundle", &folder, "--product", &product.join(",")];
    let bundle = kcluster.run(&args).unwrap().expect_code(0).unwrap().stdout;
    let cells = fs_err::read_dir(bundle.trim()).unwrap().flatten();
    let cell = cells
        .map(|cell| cell.path().join("kcluster"))
        .next()
        .unwrap();
    let told = fs_err::read_to_string(cell.join("PRODUCT.yaml")).unwrap();
    assert!(told.contains("vendor: \"Nobody\"\n"), "{told}");
    for file in ["README.md", "e2e.log", "junit_01.xml"] {
        assert!(cell.join(file).exists(), "{file}");
    }
}
