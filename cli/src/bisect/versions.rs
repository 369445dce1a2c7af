//! Versions as points: those that Go's module proxy lists, those known here, and those that the user names.

use std::collections::BTreeSet;

use kcluster_images::{known_versions, marked_version};
use kcluster_matrix::bisect::{Goal, History};
use kcluster_matrix::{KubeVersion, Sink, VersionRequest};

use super::ends::{Asked, Found, LAST_GREEN, last_green};
use super::plan::PointKind;
use crate::config::SourceKind;
use crate::context::Context;
use crate::error::Told;
use crate::image;

/// What a server of releases and builds has markers below: `ci/latest`, `release/stable-1.36`.
const MARKERS: [&str; 2] = ["ci/", "release/"];

/// Versions between two, both included, the oldest first.
pub(super) async fn versions(context: &Context, asked: &Asked<'_>) -> anyhow::Result<Found> {
    let good = end(context, asked, asked.good).await?;
    let bad = end(context, asked, asked.bad).await?;
    let builder = image::builder(context)?;
    let listed = match builder.listed_versions().await {
        Ok(listed) => listed,
        // Binaries may be at hand without Go, and without a proxy.
        Err(error) => {
            context.hub.warn(&format_args!(
                "only versions that are known here or named with --also are searched, for Go's module proxy lists none: {error}"
            ));
            Vec::new()
        }
    };
    let settings = &context.settings;
    let kind = PointKind::Versions {
        source: settings.source.to_string(),
        address: settings.source_url.given().cloned(),
        also: asked.also.to_vec(),
    };
    Ok(Found {
        kind,
        history: among(asked, (&good, &bad), &listed)?,
        good: good.to_string(),
        bad: bad.to_string(),
    })
}

/// All versions between those that are listed, known or named.
fn among(
    asked: &Asked<'_>,
    (good, bad): (&KubeVersion, &KubeVersion),
    listed: &[KubeVersion],
) -> anyhow::Result<History> {
    let (old, new) = match asked.goal {
        Goal::FirstBad => (good, bad),
        Goal::FirstGood => (bad, good),
    };
    if old >= new {
        let help = match asked.goal {
            Goal::FirstBad => "give --find-fix to look for the first good one",
            Goal::FirstGood => "leave out --find-fix to look for the first bad one",
        };
        return Err(Told::input(format!("{old} does not come before {new}"))
            .help(help)
            .into());
    }
    for also in asked.also {
        if !(old < also && also < new) {
            return Err(
                Told::input(format!("{also} is not between {old} and {new}"))
                    .help("--also names a version between the two ends")
                    .into(),
            );
        }
    }
    let known = known_versions();
    let between: BTreeSet<&KubeVersion> = known
        .iter()
        .chain(listed)
        .chain(asked.also)
        .filter(|version| (old..=new).contains(version))
        .chain([old, new])
        .collect();
    let named = between
        .into_iter()
        .map(|version| (version.to_string(), String::new()));
    Ok(History::line(named)?)
}

/// The version that a text means.
async fn end(context: &Context, asked: &Asked<'_>, text: &str) -> anyhow::Result<KubeVersion> {
    if MARKERS.iter().any(|start| text.starts_with(start)) {
        let settings = &context.settings;
        if settings.source != SourceKind::Release {
            let source = settings.source;
            return Err(Told::input(format!(
                "`{text}` is a marker of builds, and the source is {source}"
            ))
            .help("give --source release")
            .into());
        }
        let version = marked_version(image::releases(settings), text).await?;
        context.hub.note(&format_args!("{text} is {version}"));
        return Ok(version);
    }
    let green;
    let text = match text {
        LAST_GREEN => {
            green = last_green(asked)?;
            &green
        }
        text => text,
    };
    Ok(text.parse::<VersionRequest>()?.resolve(&known_versions())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> KubeVersion {
        text.parse().unwrap()
    }

    #[test]
    fn listed_known_and_named_versions_between_the_ends_are_points_in_their_order() {
        let also = [version("1.36.9")];
        let mut asked = Asked {
            good: "1.36.3",
            bad: "1.37.1",
            goal: Goal::FirstBad,
            also: &also,
            results: None,
            cell: "bridge-amd64",
        };
        let ends = ["1.36.3", "1.36.5", "1.37.1"].map(version);
        let listed = ["1.36.10", "1.35.9", "1.37.0", "1.37.0-rc.0", "1.38.0"].map(version);
        let history = among(&asked, (&ends[0], &ends[2]), &listed).unwrap();
        let ids: Vec<&str> = history
            .points()
            .iter()
            .map(|point| point.id.as_str())
            .collect();
        let expected = [
            "v1.36.3",
            "v1.36.9",
            "v1.36.10",
            "v1.37.0-rc.0",
            "v1.37.0",
            "v1.37.1",
        ];
        assert_eq!(ids, expected);

        let error = |asked: &Asked<'_>| {
            let history = among(asked, (&ends[0], &ends[1]), &[]);
            history.unwrap_err().to_string()
        };
        assert_eq!(error(&asked), "v1.36.9 is not between v1.36.3 and v1.36.5");
        asked.goal = Goal::FirstGood;
        assert_eq!(error(&asked), "v1.36.5 does not come before v1.36.3");
    }
}
