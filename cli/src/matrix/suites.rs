//! Suites that have a name without being written down.

use std::collections::BTreeMap;

use kcluster_matrix::plan::SuiteSpec;

/// The suite of a matrix that names none.
pub(crate) const SMOKE: &str = "smoke";

/// Specs of the smoke, as a regular expression.
const SMOKE_SPECS: &str = include_str!("../../../tests/smoke.txt");

/// Every name that is known: kcluster's own, and over them those of the configuration.
pub(super) fn all(named: &BTreeMap<String, SuiteSpec>) -> BTreeMap<String, SuiteSpec> {
    let smoke = SuiteSpec {
        focus: vec![SMOKE_SPECS.trim().to_owned()],
        ..SuiteSpec::default()
    };
    let all = SuiteSpec {
        all: true,
        ..SuiteSpec::default()
    };
    let own = [
        (SMOKE, smoke),
        ("conformance", SuiteSpec::default()),
        ("conformance-all", all),
    ];
    let own = own.map(|(name, suite)| (name.to_owned(), suite));
    own.into_iter().chain(named.clone()).collect()
}
