//! Which test shows what each key of the configuration does stands in one table, and a key without a test fails.

use std::collections::BTreeSet;
use std::path::Path;

use kcluster_tests::Kcluster;
use serde_json::Value;

const OPTIONS: &str = "tests/tests/options.rs";
const MATRIX: &str = "tests/tests/matrix.rs";
const BISECT: &str = "tests/tests/bisect.rs";
const FIRST: &str = "tests/tests/first_cell.rs";
const BINARY: &str = "cli/tests/binary.rs";
const SOURCES: &str = "images/src/source/tests.rs";

/// Each key, and the test that shows what it does: its file and its function.
const SHOWN: &[(&str, &str, &str)] = &[
    ("name", FIRST, "nodes_are_what_was_asked"),
    ("nodes", FIRST, "nodes_are_what_was_asked"),
    ("egress", FIRST, "egress_is_closed"),
    (
        "kubernetes",
        "tests/tests/versions.rs",
        "older_and_newer_versions_pass_the_smoke",
    ),
    ("report-dir", FIRST, "specs_pass"),
    ("state-dir", FIRST, "kubeconfig_is_private_and_works"),
    ("engine", "tests/tests/remote.rs", "cluster_lives_on"),
    (
        "api-port",
        "tests/tests/faults.rs",
        "a_taken_port_is_told_before_anything_is_left",
    ),
    (
        "control-planes",
        OPTIONS,
        "three_control_planes_lose_one_while_specs_run",
    ),
    ("ip-family", OPTIONS, "both_families"),
    ("pod-subnet", OPTIONS, "both_families"),
    ("pod-subnet-v6", OPTIONS, "both_families"),
    ("service-subnet", OPTIONS, "both_families"),
    ("service-subnet-v6", OPTIONS, "both_families"),
    ("kube-proxy-mode", OPTIONS, "services_are_programmed_by"),
    ("per-node", OPTIONS, "nodes_are_as_each_was_asked"),
    ("audit", OPTIONS, "requests_are_written_down"),
    ("swap", OPTIONS, "components_are_told"),
    ("feature-gates", OPTIONS, "components_are_told"),
    ("runtime-config", OPTIONS, "components_are_told"),
    ("kubeadm-patches", OPTIONS, "components_are_told"),
    ("api-address", OPTIONS, "components_are_told"),
    (
        "addons",
        "tests/tests/addons.rs",
        "the_chart_says_what_was_set",
    ),
    (
        "registry-mirrors",
        "tests/tests/addons.rs",
        "images_come_from_a_mirror_that_asks_who_it_is",
    ),
    (
        "registry-credentials",
        "tests/tests/addons.rs",
        "images_come_from_a_mirror_that_asks_who_it_is",
    ),
    ("cni", OPTIONS, "six_alone"),
    ("image", OPTIONS, "six_alone"),
    (
        "source-git",
        BISECT,
        "real_clusters_name_the_commit_that_broke_a_service",
    ),
    (
        "source-revision",
        BISECT,
        "real_clusters_name_the_commit_that_broke_a_service",
    ),
    (
        "auto-snapshot",
        "tests/tests/snapshots.rs",
        "a_cluster_comes_back_from_its_first_boot_and_elsewhere_with_other_keys",
    ),
    (
        "matrix",
        MATRIX,
        "two_cells_run_at_the_same_time_and_their_reports_are_one",
    ),
    (
        "cells-at-once",
        MATRIX,
        "two_engines_share_four_cells_and_one_is_lost",
    ),
    (
        "engines",
        MATRIX,
        "two_engines_share_four_cells_and_one_is_lost",
    ),
];

/// Keys that nothing inside a cluster shows, and why.
const NOT_INSIDE: &[(&str, &str)] = &[
    ("source", SOURCES),
    ("source-url", SOURCES),
    ("source-dir", SOURCES),
    ("source-binaries", SOURCES),
    ("debian-mirror", "images/src/debian/mirror.rs"),
    ("arch", "cli/src/config/tests.rs"),
    ("emulation", "cli/src/config/tests.rs"),
    ("e2e-images", "images/src/node/tests.rs"),
    ("retain", "cluster/src/tests/failures.rs"),
    ("boot-timeout", "cli/src/config/timeout.rs"),
    ("processes", "e2e/src/capacity.rs"),
    ("retries", "e2e/src/run/tests.rs"),
    ("timeout", "e2e/src/run/tests.rs"),
    ("spec-timeout", "e2e/src/run/tests.rs"),
    ("product", BINARY),
    ("variant", "matrix/src/cell.rs"),
    ("matrix-order", "matrix/src/plan/tests.rs"),
    ("verbosity", "cli/src/output/live.rs"),
    ("cache-dir", "cli/src/config/tests.rs"),
];

#[test]
fn each_key_has_a_test() {
    let shown = Kcluster::new().unwrap().run(&["config", "show", "--json"]);
    let shown = shown.unwrap().expect_code(0).unwrap().stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let keys: BTreeSet<&str> = shown
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let listed: Vec<&str> = SHOWN
        .iter()
        .map(|(key, ..)| *key)
        .chain(NOT_INSIDE.iter().map(|(key, _)| *key))
        .collect();
    let known: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(
        listed.len(),
        known.len(),
        "a key stands in the tables twice"
    );
    let without: Vec<&&str> = keys.difference(&known).collect();
    assert!(
        without.is_empty(),
        "keys without a test: {without:?}; add one and name it here"
    );
    let gone: Vec<&&str> = known.difference(&keys).collect();
    assert!(gone.is_empty(), "there are no such keys: {gone:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (key, file, function) in SHOWN {
        let text = fs_err::read_to_string(root.join(file)).unwrap();
        assert!(
            text.contains(&format!("fn {function}(")),
            "{key}: {file} has no {function}"
        );
    }
    for (key, file) in NOT_INSIDE {
        let text = fs_err::read_to_string(root.join(file)).unwrap();
        let tested = text.contains("#[test]") || text.contains("#[tokio::test]");
        assert!(tested, "{key}: {file} has no test");
    }
}
