//! `report.json`: everything that is known, in a form that other versions can read.

use kcluster_matrix::outcome::{Case, Suite, Totals};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::cap;

/// The version of the schema this writes, and the newest it reads. Raised only when a reader of the
/// older one would misunderstand; new keys are not such a reason.
pub const SCHEMA: u32 = 1;

/// What `report.json` looks like, as a JSON Schema.
pub const JSON_SCHEMA: &str = include_str!("json/schema.json");

/// At most this much of what one case printed.
const MOST_PER_CASE: usize = 256 << 10;

/// The whole of `report.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// What wrote it, such as "kcluster 0.1.0".
    pub generator: String,
    /// All suites together.
    pub totals: Totals,
    /// The suites, with all their cases.
    pub suites: Vec<Suite>,
}

/// Why a report could not be read.
#[derive(Debug, Error)]
pub enum ReportError {
    /// It is not JSON, or not of the right shape.
    #[error("not a kcluster report")]
    Json(#[from] serde_json::Error),
    /// It was written by a newer kcluster.
    #[error("the report has schema {found}, this kcluster reads up to {SCHEMA}; use a newer one")]
    Schema {
        /// The schema it says it has.
        found: u32,
    },
}

impl Report {
    /// A report of `suites`. Long output is cut, and that of cases that passed at once is left out.
    #[must_use]
    pub fn new(suites: &[Suite]) -> Self {
        let mut suites = suites.to_vec();
        for case in suites.iter_mut().flat_map(|suite| &mut suite.cases) {
            trim(case);
        }
        Self {
            schema: SCHEMA,
            generator: concat!("kcluster ", env!("CARGO_PKG_VERSION")).to_owned(),
            totals: Totals::of(suites.iter().flat_map(|suite| &suite.cases)),
            suites,
        }
    }

    /// The report as text.
    ///
    /// # Errors
    /// When a value cannot be JSON, which none here is.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// When it is something else, or of a newer schema.
    pub fn from_json(text: &str) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } = serde_json::from_str(text)?;
        if schema > SCHEMA {
            return Err(ReportError::Schema { found: schema });
        }
        Ok(serde_json::from_str(text)?)
    }
}

fn trim(case: &mut Case) {
    if case.outcome.is_passed() && !case.is_flaky() {
        case.output.clear();
    } else if case.output.len() > MOST_PER_CASE {
        case.output = cap(&case.output, MOST_PER_CASE).into_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::outcome::Outcome;
    use std::time::Duration;

    fn report(output: &str) -> Report {
        let case = |outcome| Case {
            name: "[sig-x] a".into(),
            class: "sig-x".into(),
            took: Duration::from_millis(1250),
            outcome,
            attempts: 1,
            output: output.to_owned(),
        };
        let message = "no".to_owned();
        Report::new(&[Suite {
            name: "v1.36.3-bridge-amd64".into(),
            phase: "conformance".into(),
            host: "here".into(),
            started: "2026-11-21T03:00:00Z".parse().unwrap(),
            properties: vec![("arch".into(), "amd64".into())],
            cases: vec![case(Outcome::Passed), case(Outcome::Failed { message })],
        }])
    }

    #[test]
    fn the_shape_is_stable() {
        insta::assert_snapshot!(report("\u{1b}[31mprinted").to_json().unwrap(), @r#"
        {
          "schema": 1,
          "generator": "kcluster 0.1.0",
          "totals": {
            "passed": 1,
            "failed": 1,
            "errored": 0,
            "skipped": 0,
            "flaky": 0
          },
          "suites": [
            {
              "name": "v1.36.3-bridge-amd64",
              "phase": "conformance",
              "host": "here",
              "started": "2026-11-21T03:00:00Z",
              "properties": [
                [
                  "arch",
                  "amd64"
                ]
              ],
              "cases": [
                {
                  "name": "[sig-x] a",
                  "class": "sig-x",
                  "took": {
                    "secs": 1,
                    "nanos": 250000000
                  },
                  "outcome": {
                    "is": "passed"
                  },
                  "attempts": 1,
                  "output": ""
                },
                {
                  "name": "[sig-x] a",
                  "class": "sig-x",
                  "took": {
                    "secs": 1,
                    "nanos": 250000000
                  },
                  "outcome": {
                    "is": "failed",
                    "message": "no"
                  },
                  "attempts": 1,
                  "output": "\u001b[31mprinted"
                }
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn what_is_written_is_read_and_a_newer_schema_is_refused() {
        let mut report = report(&"x".repeat(MOST_PER_CASE * 2));
        assert!(report.suites[0].cases[0].output.is_empty());
        assert!(report.suites[0].cases[1].output.len() < MOST_PER_CASE + 64);
        assert_eq!(
            Report::from_json(&report.to_json().unwrap()).unwrap(),
            report
        );
        report.schema = 2;
        let error = Report::from_json(&report.to_json().unwrap()).unwrap_err();
        assert!(error.to_string().contains("schema 2"), "{error}");
        assert!(Report::from_json("{}").is_err());
    }
}
