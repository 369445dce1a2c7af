//! Which points there are between two ends: commits, that dates, tags and hashes name, or versions.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kcluster_images::{Cache, Repository};
use kcluster_matrix::bisect::{Goal, History};

use super::ends::{Asked, Found, LAST_GREEN, last_green};
use super::plan::{PointKind, anchored};
use super::versions::versions;
use crate::config::{Settings, SourceKind};
use crate::context::Context;
use crate::error::Told;

/// Looks everything up; nothing is changed but a mirror.
pub(crate) async fn find(context: &Context, asked: &Asked<'_>) -> anyhow::Result<Found> {
    match context.settings.source {
        SourceKind::Git if !asked.also.is_empty() => {
            let told = Told::input("--also names versions, and the source git has commits");
            Err(told.help("leave out --also").into())
        }
        SourceKind::Git => commits(context, asked),
        SourceKind::Module | SourceKind::Release => versions(context, asked).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_end_at_midnight() {
        assert_eq!(
            time("2026-11-20").unwrap().to_string(),
            "2026-11-20T23:59:59Z"
        );
        assert_eq!(
            time("2026-11-20T06:00:00Z").unwrap().to_string(),
            "2026-11-20T06:00:00Z"
        );
        assert!(time("v1.36.3").is_none());
    }
}
