//! Suites become files: JUnit, JSON and a summary in Markdown.

use anyhow::Context as _;
use camino::Utf8Path;
use kcluster_matrix::Suite;
use kcluster_reports::{json, junit, summary};

/// The machine's name, for reports.
pub(crate) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Writes `junit.xml`, `report.json` and `summary.md` into `folder`.
pub(crate) fn write(folder: &Utf8Path, suites: &[Suite]) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    let write = |name: &str, text: String| {
        fs_err::write(folder.join(name), text).with_context(|| format!("failed to write {name}"))
    };
    write("junit.xml", junit::render(suites)?)?;
    write("report.json", json::Report::new(suites).to_json()?)?;
    write("summary.md", summary::render(suites))
}
