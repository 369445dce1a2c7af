//! Kubernetes versions, and the ways a user may ask for one.

use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An exact Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KubeVersion(Version);

impl KubeVersion {
    /// The minor release, such as 36 of 1.36.3.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.0.minor
    }

    /// The major release; 1 for all of Kubernetes so far.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.0.major
    }

    /// The version of the staging modules (`k8s.io/api` and so on): 0 in place of 1.
    #[must_use]
    pub fn staging(&self) -> String {
        let staging = Version {
            major: 0,
            ..self.0.clone()
        };
        format!("v{staging}")
    }

    /// The release that it leads to: without what comes after the patch number.
    #[must_use]
    pub fn release(&self) -> Self {
        Self(Version::new(self.0.major, self.0.minor, self.0.patch))
    }

    /// Whether it is a build between releases, such as 1.38.0-alpha.1.12+5f4a7c9d: no release has a `+`.
    #[must_use]
    pub fn is_build(&self) -> bool {
        !self.0.build.is_empty()
    }

    /// "1.36", the release line.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}.{}", self.0.major, self.0.minor)
    }
}

impl fmt::Display for KubeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}", self.0))
    }
}

impl From<KubeVersion> for String {
    fn from(version: KubeVersion) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for KubeVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for KubeVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let version = Version::parse(bare).map_err(|_| VersionError::Malformed(text.to_owned()))?;
        if version.major != 1 {
            return Err(VersionError::Malformed(text.to_owned()));
        }
        Ok(Self(version))
    }
}

/// What a user may write where a Kubernetes version is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VersionRequest {
    /// `1.36.3` or `v1.36.3`.
    Exact(KubeVersion),
    /// `1.36`: the newest patch release known of that line.
    Line(u64),
    /// `latest`, `latest-1`, …: so many lines before the newest one known.
    Latest(u64),
}

impl VersionRequest {
    /// The exact version meant, given the versions that are known.
    ///
    /// # Errors
    /// When no known version answers the request; an exact version needs none.
    pub fn resolve(&self, known: &[KubeVersion]) -> Result<KubeVersion, VersionError> {
        let newest_of = |minor: u64| known.iter().filter(|v| v.minor() == minor).max();
        let found = match self {
            Self::Exact(version) => return Ok(version.clone()),
            Self::Line(minor) => newest_of(*minor),
            Self::Latest(back) => known
                .iter()
                .map(KubeVersion::minor)
                .max()
                .and_then(|newest| newest.checked_sub(*back))
                .and_then(newest_of),
        };
        found.cloned().ok_or_else(|| {
            let mut lines: Vec<u64> = known.iter().map(KubeVersion::minor).collect();
            lines.sort_unstable();
            lines.dedup();
            VersionError::Unknown {
                asked: self.to_string(),
                known: lines.iter().map(|minor| format!("1.{minor}")).collect(),
            }
        })
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => write!(f, "{version}"),
            Self::Line(minor) => write!(f, "1.{minor}"),
            Self::Latest(0) => f.write_str("latest"),
            Self::Latest(back) => write!(f, "latest-{back}"),
        }
    }
}

impl From<VersionRequest> for String {
    fn from(request: VersionRequest) -> Self {
        request.to_string()
    }
}

impl TryFrom<String> for VersionRequest {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for VersionRequest {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("latest") {
            return match rest.strip_prefix('-') {
                None if rest.is_empty() => Ok(Self::Latest(0)),
                Some(back) => back
                    .parse()
                    .map(Self::Latest)
                    .map_err(|_| VersionError::Malformed(text.to_owned())),
                None => Err(VersionError::Malformed(text.to_owned())),
            };
        }
        let bare = text.strip_prefix('v').unwrap_or(text);
        if let Some((major, minor)) = bare.split_once('.')
            && !minor.contains('.')
        {
            return match (major, minor.parse()) {
                ("1", Ok(minor)) => Ok(Self::Line(minor)),
                _ => Err(VersionError::Malformed(text.to_owned())),
            };
        }
        text.parse().map(Self::Exact)
    }
}

/// Why a version could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VersionError {
    /// The text is no version at all.
    #[error("`{0}` is not a Kubernetes version; write one like 1.36.3, 1.36 or latest")]
    Malformed(String),
    /// Well written, but nothing known answers it.
    #[error("no known Kubernetes version answers `{asked}`; known lines: {}; an exact version such as 1.36.3 is taken as it is", known.join(", "))]
    Unknown {
        /// The request as written.
        asked: String,
        /// The release lines that are known.
        known: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<KubeVersion> {
        ["1.34.4", "1.36.3", "1.36.10", "1.37.1"]
            .map(|text| text.parse().unwrap())
            .to_vec()
    }

    #[test]
    fn requests_resolve_to_the_newest_patch() {
        let resolve = |text: &str| {
            text.parse::<VersionRequest>()
                .unwrap()
                .resolve(&known())
                .map(|version| version.to_string())
        };
        assert_eq!(resolve("1.36").unwrap(), "v1.36.10");
        assert_eq!(resolve("latest").unwrap(), "v1.37.1");
        assert_eq!(resolve("latest-1").unwrap(), "v1.36.10");
        assert_eq!(resolve("v1.36.3").unwrap(), "v1.36.3");
        let message = resolve("1.99").unwrap_err().to_string();
        assert!(message.contains("1.34, 1.36, 1.37"), "{message}");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "1",
            "2.1",
            "1.x",
            "latest-x",
            "latestest",
            "1.36.3.1",
            "one",
        ] {
            assert!(text.parse::<VersionRequest>().is_err(), "{text}");
        }
    }

    #[test]
    fn staging_modules_follow_the_version() {
        let version: KubeVersion = "v1.37.0-rc.1".parse().unwrap();
        assert_eq!(version.staging(), "v0.37.0-rc.1");
        assert_eq!(version.line(), "1.37");
        assert!(!version.is_build());
        let build: KubeVersion = "v1.37.0-rc.1.12+5f4a7c9d".parse().unwrap();
        assert!(build.is_build() && build > version);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(minor in 0u64..200, patch in 0u64..200, back in 0u64..9) {
            let exact = VersionRequest::Exact(format!("1.{minor}.{patch}").parse().unwrap());
            for request in [exact, VersionRequest::Line(minor), VersionRequest::Latest(back)] {
                prop_assert_eq!(request.to_string().parse::<VersionRequest>().unwrap(), request);
            }
        }
    }
}
