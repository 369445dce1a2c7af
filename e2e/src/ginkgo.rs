//! Ginkgo's JSON report: the parts of it that verdicts need.
//!
//! The report names every spec of the binary, also the thousands that a filter left out, and is
//! ten megabytes or more, so nothing that is not read is kept.

use std::io::Read;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

/// One suite's report.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Report {
    /// What ginkgo prefixes to each name before it matches a regular expression.
    pub suite_description: String,
    /// Ginkgo's own verdict.
    pub suite_succeeded: bool,
    /// Why it failed, where no spec is to blame: interrupted, timed out.
    pub special_suite_failure_reasons: Option<Vec<String>>,
    /// All specs and suite-level nodes.
    #[serde(default, deserialize_with = "nullable")]
    pub spec_reports: Vec<SpecReport>,
}

impl Report {
    /// Reads the report of a run of one suite.
    ///
    /// # Errors
    /// When it is not JSON, or not of ginkgo's shape, or of no suite.
    pub fn read(source: impl Read) -> Result<Self, serde_json::Error> {
        let suites: Vec<Self> = serde_json::from_reader(source)?;
        suites
            .into_iter()
            .next()
            .ok_or_else(|| serde::de::Error::custom("the report holds no suite"))
    }

    /// The specs: what is neither set-up nor reporting of the whole suite.
    pub fn specs(&self) -> impl Iterator<Item = &SpecReport> {
        self.spec_reports.iter().filter(|spec| spec.is_spec())
    }

    /// Whether ginkgo's own time limit ended the run.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.special_suite_failure_reasons
            .iter()
            .flatten()
            .any(|reason| reason.contains("Timeout"))
    }
}

/// One spec, or one suite-level node.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpecReport {
    #[serde(default, deserialize_with = "nullable")]
    container_hierarchy_texts: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    container_hierarchy_labels: Vec<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "nullable")]
    leaf_node_labels: Vec<String>,
    leaf_node_type: String,
    leaf_node_text: String,
    /// How it ended.
    pub state: State,
    #[serde(default)]
    start_time: Option<Timestamp>,
    #[serde(default)]
    end_time: Option<Timestamp>,
    #[serde(default)]
    run_time: i64,
    /// The process it ran in, from 1.
    #[serde(default)]
    pub parallel_process: usize,
    /// Runs of it.
    #[serde(default)]
    pub num_attempts: u32,
    /// The failure, or for a skipped spec the reason.
    #[serde(default)]
    pub failure: Option<Failure>,
    #[serde(default)]
    captured_ginkgo_writer_output: String,
    #[serde(default, rename = "CapturedStdOutErr")]
    captured_std_out_err: String,
}

/// What ginkgo calls the end of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It passed.
    Passed,
    /// An assertion failed.
    Failed,
    /// It panicked.
    Panicked,
    /// A time limit: its own, or the suite's.
    Timedout,
    /// The run was interrupted during it.
    Interrupted,
    /// The suite was aborted by it.
    Aborted,
    /// Left out by a filter, skipped by itself, or not reached.
    Skipped,
    /// Marked as not to be run.
    Pending,
    /// Anything newer than this list.
    #[serde(other)]
    Unknown,
}

/// Why a spec failed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Failure {
    /// The assertion's message, or the reason of a skip.
    #[serde(default)]
    pub message: String,
    /// What was panicked with.
    #[serde(default)]
    pub forwarded_panic: String,
    /// Where.
    #[serde(default)]
    pub location: Location,
}

/// A place in the source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Location {
    /// File, with the module it is in.
    #[serde(default)]
    pub file_name: String,
    /// Line.
    #[serde(default)]
    pub line_number: u64,
}

impl SpecReport {
    /// Whether this is a spec, not a suite-level node.
    #[must_use]
    pub fn is_spec(&self) -> bool {
        self.leaf_node_type == "It"
    }

    /// The full name; a suite-level node is named by its kind.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = format!("[{}]", self.leaf_node_type);
        let kind = if self.is_spec() { "" } else { kind.as_str() };
        [kind]
            .into_iter()
            .chain(self.container_hierarchy_texts.iter().map(String::as_str))
            .chain([self.leaf_node_text.as_str()])
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The kind of a suite-level node, such as `SynchronizedBeforeSuite`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.leaf_node_type
    }

    /// All labels, outermost first, each once.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = Vec::new();
        let all = self.container_hierarchy_labels.iter().flatten().flatten();
        for label in all.chain(&self.leaf_node_labels) {
            if !labels.contains(label) {
                labels.push(label.clone());
            }
        }
        labels
    }

    /// How long it ran, over all attempts.
    #[must_use]
    pub fn took(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.run_time).unwrap_or(0))
    }

    /// When it ended, if it ran.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.end_time.or(self.start_time)
    }

    /// Why it failed, and where.
    #[must_use]
    pub fn message(&self) -> String {
        let Some(failure) = &self.failure else {
            return format!("ginkgo gives no reason for the state {:?}", self.state);
        };
        let mut message = failure.message.trim_end().to_owned();
        if !failure.forwarded_panic.is_empty() {
            message = format!("{message}: {}", failure.forwarded_panic);
        }
        if !failure.location.file_name.is_empty() {
            let Location {
                file_name,
                line_number,
            } = &failure.location;
            message = format!("{message}\nat {file_name}:{line_number}");
        }
        message
    }

    /// What it printed.
    #[must_use]
    pub fn output(&self) -> String {
        let (writer, std) = (
            &self.captured_ginkgo_writer_output,
            &self.captured_std_out_err,
        );
        match (writer.is_empty(), std.is_empty()) {
            (_, true) => writer.clone(),
            (true, false) => std.clone(),
            (false, false) => format!("{writer}\n--- standard output and error ---\n{std}"),
        }
    }
}

/// Go writes an empty list as `null`.
fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_report_is_read() {
        let report = Report::read(include_bytes!("../fixtures/parallel.json").as_slice()).unwrap();
        assert_eq!(report.suite_description, "Kubernetes e2e suite");
        assert!(!report.suite_succeeded && !report.timed_out());
        assert_eq!(report.specs().count(), 12);
        let by = |part: &str| report.specs().find(|s| s.name().contains(part)).unwrap();
        let panics = by("panics");
        assert_eq!(
            panics.name(),
            "[sig-network] Services (really) panics [Conformance]"
        );
        assert!(
            panics.message().starts_with("Test Panicked: dial tcp"),
            "{}",
            panics.message()
        );
        assert_eq!(by("flaky").num_attempts, 2);
        assert_eq!(by("runs alone").labels(), ["Serial", "Conformance"]);
        assert!(by("looks like").output().contains("9.999"));
        let set_up = report.spec_reports.iter().find(|s| !s.is_spec()).unwrap();
        assert_eq!(set_up.name(), "[SynchronizedBeforeSuite]");
    }

    #[test]
    fn a_time_limit_is_told_and_newer_states_are_survived() {
        let report = Report::read(include_bytes!("../fixtures/timeout.json").as_slice()).unwrap();
        assert!(report.timed_out());
        let state: State = serde_json::from_str("\"levitating\"").unwrap();
        assert_eq!(state, State::Unknown);
        assert!(Report::read(b"[]".as_slice()).is_err());
        assert!(Report::read(b"{".as_slice()).is_err());
    }
}
