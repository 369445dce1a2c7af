//! Suites that are too long for CI: run by hand, recorded by the command itself.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use jiff::Zoned;

use crate::run::{build, cargo, root, status};
use crate::{setup, tools};

/// A long suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// `up` and `e2e` killed at 20 random moments, then nothing may be left
    Faults,
    /// Kubernetes 1.34 and 1.37 boot and pass the smoke
    Versions,
    /// Every key of the configuration, seen from inside: three control planes, both IP families
    Options,
    /// The first bad commit of a repository of Kubernetes' own, with real builds and clusters; once by a flaky spec
    Bisect,
    /// All of conformance, parallel and serial, on two workers, three times in a row
    Conformance,
    /// Six cells: two versions with two network plugins, and two architectures; killed in the middle and resumed
    Matrix,
    /// Two engines share four cells, and one of them stops in the middle
    Engines,
    /// The tests of an operator in two cells
    Operator,
    /// The same of Kubernetes 1.37
    #[value(name = "conformance-1.37")]
    Conformance137,
    /// arm64, ppc64le and s390x, emulated: 1+2 nodes, and 150 specs of every SIG on each
    Architectures,
    /// All of conformance that may run in parallel, on emulated arm64
    ConformanceArm64,
    /// The same on ppc64le
    ConformancePpc64le,
    /// The same on s390x, which is big-endian
    ConformanceS390x,
    /// 100 suspensions and 50 snapshots under a workload that writes and checks
    Soak,
    /// The pull-request workflow with our action, run by act: green, then red
    Action,
    /// The nightly workflow, run by act on real clusters: green, then red with an issue, then green again
    Nightly,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Faults => "faults",
            Self::Versions => "versions",
            Self::Options => "options",
            Self::Bisect => "bisect",
            Self::Conformance => "conformance",
            Self::Matrix => "matrix",
            Self::Engines => "engines",
            Self::Operator => "operator",
            Self::Conformance137 => "conformance-1.37",
            Self::Architectures => "architectures",
            Self::ConformanceArm64 => "conformance-arm64",
            Self::ConformancePpc64le => "conformance-ppc64le",
            Self::ConformanceS390x => "conformance-s390x",
            Self::Soak => "soak",
            Self::Action => "action",
            Self::Nightly => "nightly",
        }
    }

    /// The test that runs it: its file, and its name where the file has several.
    fn test(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Faults => ("faults", None),
            Self::Versions => ("versions", None),
            Self::Options => ("options", None),
            Self::Bisect => ("bisect_real", None),
            Self::Conformance => ("conformance", Some("all_of_it_three_times_in_a_row")),
            Self::Conformance137 => ("conformance", Some("all_of_it_of_1_37")),
            Self::Architectures => ("architectures", Some("every_architecture_passes_150_specs")),
            Self::ConformanceArm64 => ("architectures", Some("all_parallel_specs_on_arm64")),
            Self::ConformancePpc64le => ("architectures", Some("all_parallel_specs_on_ppc64le")),
            Self::ConformanceS390x => ("architectures", Some("all_parallel_specs_on_s390x")),
            Self::Soak => ("soak", None),
            Self::Matrix => ("matrix", Some("six_cells_killed_in_the_middle_and_resumed")),
            Self::Engines => (
                "matrix",
                Some("two_engines_share_four_cells_and_one_is_lost"),
            ),
            Self::Operator => ("matrix", Some("an_operators_own_tests_pass_in_two_cells")),
            Self::Action => ("action", None),
            Self::Nightly => ("nightly", Some("three_nights_on_real_clusters")),
        }
    }
}

/// Runs a suite and records how it ended.
pub(crate) fn run(suite: Suite) -> Result<()> {
    build()?;
    setup::run()?;
    tools::install()?;
    let note = tempfile::NamedTempFile::new()?;
    let (file, test) = suite.test();
    let (code, took) = status(
        cargo()
            .args(["test", "--locked", "--package", "kcluster-tests"])
            .args(["--test", file])
            .args(["--", "--test-threads=1", "--nocapture", "--include-ignored"])
            .args(test)
            .env("KCLUSTER_TESTS", "all")
            .env("KCLUSTER_SUITE_NOTE", note.path()),
    )?;
    let passed = code == 0;
    let told = fs_err::read_to_string(note.path())?;
    let told: Vec<&str> = told.lines().collect();
    let date = Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string();
    let line = format!(
        "| {} | {date} | {} | {:.0} s | {} |",
        suite.name(),
        if passed { "passed" } else { "FAILED" },
        took.as_secs_f64(),
        told.join("; ")
    );
    record(suite.name(), &line)?;
    if !passed {
        bail!("suite {} failed with exit code {code}", suite.name());
    }
    Ok(())
}

const HEAD: &str = "# Long suites\n\nWritten by `cargo xtask test NAME`; one line per suite, its last run.\n\n\
| suite | when | result | duration | what it told |\n|---|---|---|---|---|\n";

/// Replaces the suite's line and keeps the others'.
fn record(name: &str, line: &str) -> Result<()> {
    let path = root().join("docs/suites.md");
    let old = if path.exists() {
        fs_err::read_to_string(&path)?
    } else {
        HEAD.to_owned()
    };
    let mut text = String::new();
    let mine = format!("| {name} |");
    for kept in old.lines().filter(|kept| !kept.starts_with(&mine)) {
        writeln!(text, "{kept}").context("failed to write to memory")?;
    }
    text.push_str(line);
    text.push('\n');
    fs_err::write(&path, text)?;
    Ok(())
}
