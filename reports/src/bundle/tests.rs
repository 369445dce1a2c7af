use std::time::Duration;

use kcluster_matrix::outcome::Outcome;

use super::*;

fn suites() -> Vec<Suite> {
    let suite = |phase: &str, names: &[&str]| Suite {
        name: "v1.36.3-bridge-amd64".into(),
        phase: phase.into(),
        host: "here".into(),
        started: "2026-11-21T03:00:00Z".parse().unwrap(),
        properties: vec![
            ("kubernetes".into(), "v1.36.3".into()),
            ("listed".into(), names.len().to_string()),
        ],
        cases: names
            .iter()
            .map(|name| Case {
                name: (*name).into(),
                class: "sig-x".into(),
                took: Duration::from_secs(1),
                outcome: Outcome::Passed,
                attempts: 1,
                output: String::new(),
            })
            .collect(),
    };
    vec![
        suite("boot", &["network"]),
        suite("conformance", &["a", "b"]),
        suite("conformance-serial", &["c"]),
    ]
}

fn product() -> BTreeMap<String, String> {
    let field = |name: &&str| ((*name).to_owned(), format!("its \"{name}\""));
    REQUIRED.iter().map(field).collect()
}

fn refused(change: impl Fn(&mut Vec<Suite>)) -> String {
    let mut suites = suites();
    change(&mut suites);
    bundle(&suites, &product(), "log").unwrap_err().to_string()
}

#[test]
fn a_whole_run_is_four_files() {
    let files = bundle(&suites(), &product(), "the log").unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "v1.36/kcluster/README.md",
            "v1.36/kcluster/e2e.log",
            "v1.36/kcluster/junit_01.xml",
            "v1.36/kcluster/PRODUCT.yaml"
        ]
    );
    assert!(files[0].text.contains("All 3 conformance specs passed"));
    let xml = roxmltree::Document::parse(&files[2].text).unwrap();
    let cases = xml
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    assert_eq!(cases.count(), 3);
    assert!(
        files[3]
            .text
            .starts_with("vendor: \"its \\\"vendor\\\"\"\nname: ")
    );
}

#[test]
fn what_is_skipped_missing_narrowed_or_failed_is_refused() {
    let skip = |suites: &mut Vec<Suite>| {
        suites[1].cases[0].outcome = Outcome::Skipped {
            reason: "no GPU".into(),
        };
    };
    assert!(refused(skip).contains("a: was skipped: no GPU"));
    let fail = |suites: &mut Vec<Suite>| {
        suites[2].cases[0].outcome = Outcome::Failed {
            message: "no".into(),
        };
    };
    assert!(refused(fail).contains("c: failed: no"));
    assert!(refused(|suites| drop(suites[1].cases.pop())).contains("1 of 2 specs are there"));
    assert!(refused(|suites| drop(suites.pop())).contains("conformance-serial was not run"));
    for (name, value, said) in [
        (property::NARROWED, "--skip `x`", "narrowed by --skip `x`"),
        (
            property::SHARD,
            "missing 2/2",
            "not all shards: missing 2/2",
        ),
        (property::RERUN, "out", "only reruns the failures of out"),
    ] {
        let text = refused(|suites| suites[1].properties.push((name.into(), value.into())));
        assert!(text.contains(said), "{text}");
    }
    let twice = refused(|suites| suites[2].cases[0].name = "a".into());
    assert!(
        twice.contains("1 specs are there twice, such as a"),
        "{twice}"
    );
    assert!(refused(|suites| suites[2].name = "other".into()).contains("several cells"));
    assert!(refused(|suites| suites[2].properties.clear()).contains("which Kubernetes"));
    assert!(refused(Vec::clear).contains("conformance was not run"));
}

#[test]
fn a_product_with_holes_and_a_run_without_log_are_refused() {
    let mut product = product();
    product.remove("vendor");
    product.insert("vender".into(), "me".into());
    let text = bundle(&suites(), &product, " \n").unwrap_err().to_string();
    for said in ["has no vendor;", "no field vender;", "no e2e.log"] {
        assert!(text.contains(said), "{text}");
    }
}
