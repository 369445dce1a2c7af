//! What a search was asked to do, written down.

use std::path::Path;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use kcluster_matrix::KubeVersion;
use kcluster_matrix::bisect::{Goal, Rule};
use serde::{Deserialize, Serialize};

/// What points are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub(crate) enum PointKind {
    /// Commits.
    Git {
        /// The repository: an absolute path, or an address.
        repository: String,
    },
    /// Versions.
    Versions {
        /// The source of their programs: Go modules, or released binaries.
        source: String,
        /// Where released binaries are, if it was said.
        address: Option<String>,
        /// Those that were named beside the ends.
        also: Vec<KubeVersion>,
    },
}

/// What is run at a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub(crate) enum Test {
    /// Specs, on a cluster.
    Specs {
        /// What selects them, as `e2e` takes it.
        arguments: Vec<String>,
    },
    /// A command of the user's.
    Command {
        /// Program and arguments.
        words: Vec<String>,
        /// Where it runs.
        folder: Utf8PathBuf,
        /// Whether on a cluster of the point.
        cluster: bool,
    },
}

impl Test {
    /// Whether a cluster is booted.
    pub(crate) fn boots(&self) -> bool {
        !matches!(self, Self::Command { cluster: false, .. })
    }

    /// As one would type it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Specs { arguments } => format!("cargo kcluster e2e {}", line(arguments)),
            Self::Command { words, .. } => line(words),
        }
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Plan {
    /// What points are.
    pub(crate) points: PointKind,
    /// What is run at each.
    pub(crate) test: Test,
    /// The cell, without its version.
    pub(crate) cell: String,
    /// Name of the cluster that is made at each point.
    pub(crate) cluster: String,
    /// The good end as it was written.
    pub(crate) good: String,
    /// The bad end as it was written.
    pub(crate) bad: String,
    /// When it began.
    pub(crate) begun: Timestamp,
}

impl Plan {
    /// Where the points come from, in words.
    pub(crate) fn source(&self) -> &str {
        match &self.points {
            PointKind::Git { repository } => repository,
            PointKind::Versions { .. } => "versions",
        }
    }

    /// What makes kcluster build or boot a point.
    pub(crate) fn at(&self, point: &str) -> Vec<String> {
        match &self.points {
            PointKind::Git { .. } => self.source_at(point),
            PointKind::Versions { .. } => vec!["--kubernetes".to_owned(), point.to_owned()],
        }
    }

    /// What makes a command take a point's programs, on a cluster that knows its version.
    pub(crate) fn source_at(&self, point: &str) -> Vec<String> {
        let PointKind::Git { repository } = &self.points else {
            return Vec::new();
        };
        let words = [
            "--source",
            "git",
            "--source-git",
            repository,
            "--source-revision",
            point,
        ];
        words.map(str::to_owned).into()
    }

    /// One line that does the whole search again.
    pub(crate) fn reproduce(&self, goal: Goal, (good, bad): (&str, &str), rule: &Rule) -> String {
        let mut words: Vec<String> = ["bisect", "--good", good, "--bad", bad]
            .map(str::to_owned)
            .into();
        if goal == Goal::FirstGood {
            words.push("--find-fix".into());
        }
        let mut add = |flag: &str, value: &str| {
            words.push(flag.to_owned());
            words.push(value.to_owned());
        };
        match &self.points {
            PointKind::Git { repository } => {
                add("--source", "git");
                add("--source-git", repository);
            }
            PointKind::Versions {
                source,
                address,
                also,
            } => {
                add("--source", source);
                if let Some(address) = address {
                    add("--source-url", address);
                }
                // Between two that follow each other there is none.
                let mut ends = [good, bad].map(|end| end.parse::<KubeVersion>().ok());
                ends.sort();
                let between = |version: &&KubeVersion| {
                    let [old, new] = &ends;
                    old.as_ref() < Some(*version) && Some(*version) < new.as_ref()
                };
                for version in also.iter().filter(between) {
                    add("--also", &version.to_string());
                }
            }
        }
        if !rule.is_certain() {
            add("--fails-on-good", &rule.fails_on_good.to_string());
            add("--fails-on-bad", &rule.fails_on_bad.to_string());
            add("--error", &rule.error.to_string());
        }
        if let Some((cni, arch)) = self.cell.rsplit_once('-').filter(|_| self.test.boots()) {
            words.extend(["--cni", cni, "--arch", arch].map(str::to_owned));
        }
        match &self.test {
            Test::Specs { arguments } => words.extend(arguments.iter().cloned()),
            Test::Command {
                words: command,
                cluster,
                ..
            } => {
                if !cluster {
                    words.push("--no-cluster".into());
                }
                words.push("--".into());
                words.extend(command.iter().cloned());
            }
        }
        format!("cargo kcluster {}", line(&words))
    }
}

/// Words as a shell would read them.
pub(crate) fn line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    let quoted = words
        .iter()
        .map(|word| match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        });
    quoted.collect::<Vec<_>>().join(" ")
}

/// An absolute path where `location` is a folder, so that it is the same from everywhere.
pub(crate) fn anchored(location: &str, folder: &Path) -> anyhow::Result<String> {
    let path = folder.join(location);
    if !path.is_dir() {
        return Ok(location.to_owned());
    }
    let path = Utf8PathBuf::try_from(fs_err::canonicalize(path)?)?;
    Ok(path.into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_told_in_one_line_that_a_shell_takes() {
        let plan = Plan {
            points: PointKind::Git {
                repository: "/srv/k k".into(),
            },
            test: Test::Specs {
                arguments: vec!["--focus".into(), "a|b's".into()],
            },
            cell: "bridge-amd64".into(),
            cluster: "bisect".into(),
            good: "v1".into(),
            bad: "main".into(),
            begun: Timestamp::UNIX_EPOCH,
        };
        let flaky = Rule {
            fails_on_good: 0.3,
            fails_on_bad: 0.9,
            ..Rule::default()
        };
        assert_eq!(
            plan.reproduce(Goal::FirstGood, ("1", "2"), &flaky),
            r"cargo kcluster bisect --good 1 --bad 2 --find-fix --source git --source-git '/srv/k k' --fails-on-good 0.3 --fails-on-bad 0.9 --error 0.01 --cni bridge --arch amd64 --focus 'a|b'\''s'"
        );
    }
}
