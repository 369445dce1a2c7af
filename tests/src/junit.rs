//! JUnit files as other readers see them: PyPI's `junitparser` and npm's `junit2json`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::run;
use crate::{node, node_packages};

/// What a JUnit file says in sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub struct JunitTotals {
    /// All cases.
    pub tests: usize,
    /// Failed cases.
    pub failures: usize,
    /// Cases that could not be judged.
    pub errors: usize,
    /// Cases not run.
    pub skipped: usize,
}

const READER: &str = r#"
import json, sys
from junitparser import JUnitXml, TestSuite, Failure, Error, Skipped
xml = JUnitXml.fromfile(sys.argv[1])
suites = [xml] if isinstance(xml, TestSuite) else list(xml)
wanted = sys.argv[2]
cases = [case for suite in suites if wanted in suite.name for case in suite]
count = lambda kind: sum(1 for case in cases if any(isinstance(r, kind) for r in case.result))
print(json.dumps({"tests": len(cases), "failures": count(Failure), "errors": count(Error), "skipped": count(Skipped)}))
"#;

/// Reads the suites whose name contains `suite` with `junitparser`, which is installed
/// into a virtual environment below `folder` first, and with `junit2json` where that is installed.
///
/// # Errors
/// When Python or the package cannot be had, the file cannot be read, or the readers disagree.
pub fn junit_totals(folder: &Path, file: &Path, suite: &str) -> Result<JunitTotals> {
    let python = junit_reader(folder)?;
    let output = run(Command::new(&python)
        .args(["-c", READER])
        .arg(file)
        .arg(suite))?;
    let totals: JunitTotals =
        serde_json::from_str(&output).with_context(|| format!("junitparser printed {output}"))?;
    if node_packages("junit2json") {
        let output = node("junit.mjs", &[&file.display().to_string(), suite])?;
        let other: JunitTotals = serde_json::from_str(&output)
            .with_context(|| format!("junit2json printed {output}"))?;
        ensure!(
            totals == other,
            "junitparser reads {totals:?}, junit2json {other:?}"
        );
    }
    Ok(totals)
}

/// Python with `junitparser`, in a virtual environment below `folder`: what fetches it comes before a long run.
///
/// # Errors
/// When Python or the package cannot be had.
pub fn junit_reader(folder: &Path) -> Result<PathBuf> {
    let environment = folder.join("junitparser");
    let python = environment.join("bin/python");
    if !python.exists() {
        let environment = environment.display().to_string();
        run(Command::new("python3").args(["-m", "venv", &environment]))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "junitparser==5.0.3"]))?;
    }
    Ok(python)
}
