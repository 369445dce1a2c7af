//! What the conformance programme wants of a vendor: `v1.36/kcluster/` with a README, the log, JUnit and the
//! product. Made only of a run that may be handed in; each reason why it may not is told.

use std::collections::{BTreeMap, BTreeSet};

use kcluster_matrix::outcome::{Case, Outcome, Suite, Totals};
use thiserror::Error;

use crate::junit::{self, JunitError};
use crate::property;
use crate::text::{first_line, one_line};

/// Fields of PRODUCT.yaml that must be there.
pub const REQUIRED: [&str; 8] = [
    "vendor",
    "name",
    "version",
    "website_url",
    "documentation_url",
    "product_logo_url",
    "type",
    "description",
];

/// Fields that may be there too.
pub const OPTIONAL: [&str; 2] = ["repo_url", "contact_email_address"];

/// The phases that together are all of conformance.
const PHASES: [&str; 2] = ["conformance", "conformance-serial"];

/// More cases than this are only counted.
const MOST_NAMED: usize = 5;

/// Why there is no bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// The run may not be handed in.
    #[error("this run is no certified conformance:\n  {}", .0.join("\n  "))]
    Refused(Vec<String>),
    /// JUnit could not be written.
    #[error("cannot write the bundle's JUnit")]
    Junit(#[from] JunitError),
}

/// A file of the bundle, by its path below the bundle's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Such as `v1.36/kcluster/README.md`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// The files of a bundle.
///
/// `e2e_log` is what ginkgo printed, of all phases.
///
/// # Errors
/// When the run was not all of conformance, or not all of it passed, or the product lacks a field: with every
/// reason.
pub fn bundle(
    suites: &[Suite],
    product: &BTreeMap<String, String>,
    e2e_log: &str,
) -> Result<Vec<File>, BundleError> {
    let suites: Vec<Suite> = suites
        .iter()
        .filter(|suite| suite.phase != "boot")
        .cloned()
        .collect();
    let mut reasons = refusals(&suites);
    reasons.extend(lacking(product));
    if e2e_log.trim().is_empty() {
        reasons.push("there is no e2e.log beside the report".to_owned());
    }
    if !reasons.is_empty() {
        return Err(BundleError::Refused(reasons));
    }
    let version = suites
        .first()
        .and_then(|suite| suite.property(property::KUBERNETES));
    let version = version.unwrap_or_default();
    let minor: Vec<&str> = version.split('.').take(2).collect();
    let file = |name: &str, text: String| File {
        path: format!("{}/kcluster/{name}", minor.join(".")),
        text,
    };
    Ok(vec![
        file("README.md", readme(&suites, version)),
        file("e2e.log", e2e_log.to_owned()),
        file("junit_01.xml", junit::render(&suites)?),
        file("PRODUCT.yaml", yaml(product)),
    ])
}

/// Why `suites` may not be handed in.
fn refusals(suites: &[Suite]) -> Vec<String> {
    let mut reasons = Vec::new();
    let cells: BTreeSet<&str> = suites.iter().map(|suite| suite.name.as_str()).collect();
    if cells.len() > 1 {
        let cells: Vec<&str> = cells.into_iter().collect();
        reasons.push(format!("it is of several cells: {}", cells.join(", ")));
    }
    for phase in PHASES {
        match suites.iter().filter(|suite| suite.phase == phase).count() {
            0 => reasons.push(format!("{phase} was not run; `e2e --all` runs both phases")),
            1 => {}
            runs => reasons.push(format!("{phase} was run {runs} times")),
        }
    }
    for suite in suites {
        let phase = &suite.phase;
        if !PHASES.contains(&phase.as_str()) {
            reasons.push(format!("{phase} is no part of conformance"));
        }
        for (name, what) in [
            (property::NARROWED, "it was narrowed by"),
            (property::SHARD, "it is not all shards:"),
            (property::RERUN, "it only reruns the failures of"),
        ] {
            if let Some(value) = suite.property(name) {
                reasons.push(format!("{phase}: {what} {}", one_line(value)));
            }
        }
        if suite.property(property::KUBERNETES).is_none() {
            reasons.push(format!(
                "{phase}: the report does not say which Kubernetes it is of"
            ));
        }
        let specs = suite.cases.len();
        match suite.property(property::LISTED).map(str::parse::<usize>) {
            Some(Ok(listed)) if listed == specs => {}
            Some(Ok(listed)) => {
                reasons.push(format!("{phase}: {specs} of {listed} specs are there"));
            }
            _ => reasons.push(format!(
                "{phase}: the report does not say how many specs it should have"
            )),
        }
        reasons.extend(not_passed(suite));
    }
    let mut seen = BTreeSet::new();
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let twice: Vec<&str> = cases
        .map(|case| case.name.as_str())
        .filter(|name| !seen.insert(*name))
        .collect();
    if let Some(first) = twice.first() {
        reasons.push(format!(
            "{} specs are there twice, such as {first}",
            twice.len()
        ));
    }
    reasons
}

fn not_passed(suite: &Suite) -> Vec<String> {
    let bad: Vec<&Case> = suite
        .cases
        .iter()
        .filter(|case| !case.outcome.is_passed())
        .collect();
    let mut reasons: Vec<String> = bad
        .iter()
        .take(MOST_NAMED)
        .map(|case| {
            let (what, why) = match &case.outcome {
                Outcome::Passed => ("passed", ""),
                Outcome::Failed { message } => ("failed", message.as_str()),
                Outcome::Errored { message } => ("could not be judged", message.as_str()),
                Outcome::Skipped { reason } => ("was skipped", reason.as_str()),
            };
            format!("{}: {what}: {}", one_line(&case.name), first_line(why))
        })
        .collect();
    if bad.len() > MOST_NAMED {
        let more = bad.len() - MOST_NAMED;
        reasons.push(format!("{}: {more} more did not pass", suite.phase));
    }
    reasons
}

fn lacking(product: &BTreeMap<String, String>) -> Vec<String> {
    let empty = |name: &&&str| {
        product
            .get(**name)
            .is_none_or(|value| value.trim().is_empty())
    };
    let missing: Vec<&str> = REQUIRED.iter().filter(empty).copied().collect();
    let mut reasons = Vec::new();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        reasons.push(format!(
            "the product has no {missing}; set them in [product] of kcluster.toml"
        ));
    }
    for name in product.keys() {
        if !REQUIRED.contains(&name.as_str()) && !OPTIONAL.contains(&name.as_str()) {
            let known = [REQUIRED.as_slice(), OPTIONAL.as_slice()]
                .concat()
                .join(", ");
            reasons.push(format!("PRODUCT.yaml has no field {name}; it has {known}"));
        }
    }
    reasons
}

/// Fields in the programme's own order.
fn yaml(product: &BTreeMap<String, String>) -> String {
    let order = [
        "vendor",
        "name",
        "version",
        "website_url",
        "repo_url",
        "documentation_url",
        "product_logo_url",
        "type",
        "description",
        "contact_email_address",
    ];
    let line = |name: &&str| {
        let value = product.get(*name)?;
        // What JSON quotes, YAML reads; a string cannot fail to be JSON.
        let value = serde_json::to_string(value).unwrap_or_default();
        Some(format!("{name}: {value}\n"))
    };
    order.iter().filter_map(line).collect()
}

fn readme(suites: &[Suite], version: &str) -> String {
    let totals = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
    let mut text = format!(
        "# Conformance of Kubernetes {version} on kcluster\n\n\
         All {} conformance specs passed, none was skipped.\n\n\
         ## To reproduce\n\n\
         With a Docker engine and Rust's toolchain on Linux:\n\n\
         ```\n\
         cargo install cargo-kcluster\n\
         cargo kcluster up --kubernetes {} --nodes 2\n\
         cargo kcluster e2e --all --report-dir out\n\
         cargo kcluster report bundle out\n\
         ```\n\n\
         The specs that may run beside others run in parallel, then those that must run alone; \
         `e2e.log` and `junit_01.xml` hold both, in this order.\n\n\
         ## The run\n\n| | |\n|---|---|\n",
        totals.passed,
        version.trim_start_matches('v')
    );
    let mut told = BTreeSet::new();
    for suite in suites {
        text.push_str(&format!(
            "| {} | {} specs, {} |\n",
            suite.phase,
            suite.cases.len(),
            suite.started
        ));
    }
    for (name, value) in suites.iter().flat_map(|suite| &suite.properties) {
        if name != property::LISTED && told.insert(name) {
            text.push_str(&format!("| {} | {} |\n", one_line(name), one_line(value)));
        }
    }
    let flaky: Vec<&Case> = suites
        .iter()
        .flat_map(|suite| &suite.cases)
        .filter(|case| case.is_flaky())
        .collect();
    if !flaky.is_empty() {
        text.push_str("\n## Passed only when tried again\n\n");
    }
    for case in flaky {
        text.push_str(&format!(
            "- {} ({} attempts)\n",
            one_line(&case.name),
            case.attempts
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
}
