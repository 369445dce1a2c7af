//! The two ends that the user names, what they turn out to be, and the end that stored results tell.

use anyhow::Context as _;
use camino::Utf8Path;
use kcluster_matrix::KubeVersion;
use kcluster_matrix::bisect::{Goal, History};
use kcluster_reports::trend::Day;

use super::plan::PointKind;
use crate::error::Told;

/// The last commit of this cell at which all passed, by stored results.
pub(super) const LAST_GREEN: &str = "last-green";

/// What the user named.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) good: &'a str,
    pub(crate) bad: &'a str,
    pub(crate) goal: Goal,
    /// Versions between the two that no list has.
    pub(crate) also: &'a [KubeVersion],
    /// Stored results, for `last-green`.
    pub(crate) results: Option<&'a Utf8Path>,
    /// The cell, without its version.
    pub(crate) cell: &'a str,
}

/// The points between the two that are meant, and their names.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) kind: PointKind,
    pub(crate) history: History,
    pub(crate) good: String,
    pub(crate) bad: String,
}

pub(super) fn last_green(asked: &Asked<'_>) -> anyhow::Result<String> {
    let told = |text: String| {
        Told::input(text)
            .help("give --results with the file that `cargo kcluster trend add` writes")
    };
    let Some(file) = asked.results else {
        return Err(told("`last-green` needs stored results".to_owned()).into());
    };
    let text = fs_err::read_to_string(file).map_err(|error| told(error.to_string()))?;
    let days = Day::read(&text).with_context(|| format!("failed to read {file}"))?;
    let green = days
        .iter()
        .rev()
        .find(|day| day.cell == asked.cell && day.is_green());
    let cell = asked.cell;
    Ok(green
        .map(|day| day.revision.clone())
        .ok_or_else(|| told(format!("{file} knows no green day of the cell {cell}")))?)
}
