//! What the tests of keys do again and again.

use std::path::Path;

use kcluster_tests::{Inventory, Kcluster, Output, junit_totals, real_clusters};
use serde_json::Value;

/// Runs a command that has to succeed.
pub(crate) fn good(kcluster: &Kcluster, args: &[&str]) -> Output {
    kcluster.run(args).unwrap().expect_code(0).unwrap()
}

/// Runs a script in a node.
pub(crate) fn inside(kcluster: &Kcluster, name: &str, node: &str, script: &str) -> String {
    let script = format!("export KUBECONFIG=/etc/kubernetes/admin.conf; {script}");
    let args = ["exec", "--name", name, node, "--", "sh", "-c", &script];
    good(kcluster, &args).stdout
}

/// What the API has of these objects.
pub(crate) fn get(kcluster: &Kcluster, name: &str, what: &[&str]) -> Value {
    let args = [
        &["kubectl", "--name", name, "--", "get", "-o", "json"],
        what,
    ]
    .concat();
    serde_json::from_str(&good(kcluster, &args).stdout).unwrap()
}

/// What a run left in that folder of the state folder.
pub(crate) fn report(kcluster: &Kcluster, folder: &str) -> Value {
    let file = kcluster.state().join(folder).join("report.json");
    serde_json::from_str(&fs_err::read_to_string(file).unwrap()).unwrap()
}

/// Runs specs and expects at least so many, all passed and none skipped.
pub(crate) fn specs(kcluster: &Kcluster, name: &str, args: &[&str], at_least: usize) {
    let out = kcluster.state().join("out");
    let out = out.display().to_string();
    let all = [&["e2e", "--name", name, "--report-dir", &out], args].concat();
    good(kcluster, &all);
    let totals = junit_totals(
        kcluster.state(),
        &Path::new(&out).join("junit.xml"),
        "conformance",
    )
    .unwrap();
    eprintln!("{args:?}: {totals:?}");
    assert!(totals.tests >= at_least, "only {} specs", totals.tests);
    assert_eq!((totals.failures, totals.errors, totals.skipped), (0, 0, 0));
}

/// Does `work` of that test with a cluster of that name, where there are real clusters; what is left when it is over is a
/// leak.
pub(crate) fn leaving_nothing(test: &str, name: &str, work: impl FnOnce(&Kcluster)) {
    if !real_clusters(test) {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    work(&kcluster);
    good(&kcluster, &["down", "--name", name]);
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}
