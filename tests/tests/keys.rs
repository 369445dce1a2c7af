//! Which test shows what each key of the configuration does stands in one table, and a key without a test fails.

use std::collections::BTreeSet;
use std::path::Path;

use kcluster_tests::Kcluster;
use serde_json::Value;

const OPTIONS: &str = "tests/tests/options.rs";
const MATRIX: &str = "tests/tests/matrix.rs";
const BISECT: &str = "tests/tests/bisect_real.rs";
const FIRST: &str = "tests/tests/first_cell.rs";
const BOOK: &str = "tests/tests/book.rs";
const RUNS: &str = "tests/tests/options/runs.rs";
const SOURCES: &str = "tests/tests/options/sources.rs";
const ARCHITECTURES: &str = "tests/tests/architectures.rs";

/// Each key, and the test that shows what it does on real clusters: its file and its function.
const SHOWN: &[(&str, &str, &str)] = &[
    ("name", FIRST, "nodes_are_what_was_asked"),
    (
        "merge-context",
        BOOK,
        "commands_that_need_a_cluster_do_what_the_book_says",
    ),
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
    ("variant", RUNS, "as_much_is_told_as_was_asked"),
    ("verbosity", RUNS, "as_much_is_told_as_was_asked"),
    (
        "boot-timeout",
        RUNS,
        "boots_end_in_time_and_leave_what_was_asked",
    ),
    ("retain", RUNS, "boots_end_in_time_and_leave_what_was_asked"),
    (
        "processes",
        RUNS,
        "specs_run_at_the_same_time_as_processes_say",
    ),
    ("retries", RUNS, "specs_are_run_again_as_often_as_asked"),
    ("timeout", RUNS, "specs_and_runs_are_stopped_in_time"),
    ("spec-timeout", RUNS, "specs_and_runs_are_stopped_in_time"),
    ("matrix-order", RUNS, "what_failed_comes_first"),
    ("source", SOURCES, "nodes_run_what_each_source_gave"),
    ("source-url", SOURCES, "from_a_server_of_releases"),
    ("source-dir", SOURCES, "from_a_folder"),
    ("source-binaries", SOURCES, "from_an_address_for_each"),
    ("debian-mirror", SOURCES, "from_a_folder"),
    ("cache-dir", SOURCES, "from_a_folder"),
    ("e2e-images", SOURCES, "images_of_specs_are_left_out"),
    ("arch", ARCHITECTURES, "boots"),
    ("emulation", SOURCES, "pods_alone_are_emulated"),
    ("product", "tests/tests/conformance.rs", "whole"),
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
    let listed: Vec<&str> = SHOWN.iter().map(|(key, ..)| *key).collect();
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
}
