//! Which points there are, and which are meant: dates, tags, hashes, versions, the last green.

use anyhow::Context as _;
use camino::Utf8Path;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kcluster_images::{Cache, Repository, known_versions};
use kcluster_matrix::bisect::{Goal, History};
use kcluster_matrix::{KubeVersion, VersionRequest};
use kcluster_reports::trend::Day;

use super::plan::{PointKind, anchored};
use crate::config::{Settings, SourceKind};
use crate::context::Context;
use crate::error::Told;

/// The last commit of this cell at which all passed, by stored results.
const LAST_GREEN: &str = "last-green";

/// What the user named.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) good: &'a str,
    pub(crate) bad: &'a str,
    pub(crate) goal: Goal,
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

/// Looks everything up; nothing is changed but a mirror.
pub(crate) fn find(context: &Context, asked: &Asked<'_>) -> anyhow::Result<Found> {
    match context.settings.source {
        SourceKind::Git => commits(context, asked),
        SourceKind::Module | SourceKind::Release => versions(asked),
        SourceKind::Url | SourceKind::Dir => {
            let told = Told::input("one folder or one set of addresses has no history to search");
            Err(told.help("use --source git, module or release").into())
        }
    }
}

fn commits(context: &Context, asked: &Asked<'_>) -> anyhow::Result<Found> {
    let settings = &context.settings;
    let Some(location) = settings.source_git.given() else {
        return Err(Told::input("the source git has no repository")
            .help("give --source-git")
            .into());
    };
    let location = anchored(location, context.host.folder.as_std_path())?;
    let cache = Cache::open(&settings.cache_dir)?;
    let repository = Repository::open(&cache, &location)?;
    repository.refresh(&cache)?;
    let end = |text: &str| commit(settings, &repository, asked, text);
    let (good, bad) = (end(asked.good)?, end(asked.bad)?);
    let (old, new) = match asked.goal {
        Goal::FirstBad => (&good, &bad),
        Goal::FirstGood => (&bad, &good),
    };
    let history = History::new(repository.between(old, new)?)?;
    Ok(Found {
        kind: PointKind::Git {
            repository: location,
        },
        history,
        good,
        bad,
    })
}

/// The commit that a text means. What git knows by that name comes first: a tag may look like a date.
fn commit(
    settings: &Settings,
    repository: &Repository,
    asked: &Asked<'_>,
    text: &str,
) -> anyhow::Result<String> {
    if text == LAST_GREEN {
        return last_green(asked);
    }
    let known = repository.resolve(text);
    match time(text) {
        Some(time) if known.is_err() => {
            let branch = settings
                .source_revision
                .given()
                .map_or("HEAD", String::as_str);
            Ok(repository.at(branch, time.as_second())?)
        }
        _ => Ok(known?),
    }
}

/// `2026-11-20`, which is its end, or `2026-11-20T06:00:00Z`.
fn time(text: &str) -> Option<Timestamp> {
    let day = |date: Date| date.at(23, 59, 59, 0).to_zoned(TimeZone::UTC).ok();
    text.parse()
        .ok()
        .or_else(|| Some(day(text.parse().ok()?)?.timestamp()))
}

fn last_green(asked: &Asked<'_>) -> anyhow::Result<String> {
    let told = |text: String| {
        Told::input(text).help("give --results with the file that `report history add` writes")
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

/// Known versions between two, both included.
fn versions(asked: &Asked<'_>) -> anyhow::Result<Found> {
    let known = known_versions();
    let end = |text: &str| -> anyhow::Result<KubeVersion> {
        Ok(text.parse::<VersionRequest>()?.resolve(&known)?)
    };
    let (good, bad) = (end(asked.good)?, end(asked.bad)?);
    let (old, new) = match asked.goal {
        Goal::FirstBad => (&good, &bad),
        Goal::FirstGood => (&bad, &good),
    };
    if old >= new {
        let told = format!("{old} does not come before {new}");
        return Err(Told::input(told)
            .help("give --find-fix to look for the first good one")
            .into());
    }
    let mut between: Vec<KubeVersion> = known
        .iter()
        .filter(|version| (old..=new).contains(version))
        .chain([old, new])
        .cloned()
        .collect();
    between.sort();
    between.dedup();
    let named = between
        .iter()
        .map(|version| (version.to_string(), String::new()));
    Ok(Found {
        kind: PointKind::Versions,
        history: History::line(named)?,
        good: good.to_string(),
        bad: bad.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight_and_versions_between_are_listed() {
        assert_eq!(
            time("2026-11-20").unwrap().to_string(),
            "2026-11-20T23:59:59Z"
        );
        assert_eq!(
            time("2026-11-20T06:00:00Z").unwrap().to_string(),
            "2026-11-20T06:00:00Z"
        );
        assert!(time("v1.36.3").is_none());
        let mut asked = Asked {
            good: "1.34.4",
            bad: "latest",
            goal: Goal::FirstBad,
            results: None,
            cell: "bridge-amd64",
        };
        let found = versions(&asked).unwrap();
        assert!(found.history.points().len() >= 3);
        asked.goal = Goal::FirstGood;
        let error = versions(&asked).unwrap_err().to_string();
        assert!(error.contains("does not come before"), "{error}");
    }
}
