//! What the conformance programme wants of a vendor: `v1.36/kcluster/` with a README, the log, JUnit and the
//! product. Made only of a run that may be handed in; each reason why it may not is told.

mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use kcluster_matrix::outcome::{Case, Suite, Totals};
use thiserror::Error;

use crate::junit::{self, JunitError};
use crate::property;
use crate::text::one_line;

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
    let mut reasons = refusals::of_run(&suites);
    reasons.extend(refusals::of_product(product));
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
mod tests;
