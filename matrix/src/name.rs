//! Cluster names: safe as container, network, file and suite names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name taken: node names add up to 20 characters and must stay
/// within a DNS label's 63.
pub const MAX_LEN: usize = 40;

/// A name that a cluster, its containers, its network and its files may carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

impl ClusterName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl TryFrom<String> for ClusterName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for ClusterName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |why| {
            Err(NameError {
                name: text.to_owned(),
                why,
            })
        };
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > MAX_LEN {
            return refuse("it is longer than 40 characters");
        }
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        {
            return refuse("only lower-case letters, digits and `-` may stand in it");
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) || text.ends_with('-') {
            return refuse("it must start with a letter and end with a letter or digit");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A name that cannot be a cluster's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{name}` cannot name a cluster: {why}")]
pub struct NameError {
    /// The name as given.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        for bad in [
            "",
            "A",
            "1a",
            "a_b",
            "a/b",
            "-a",
            "a-",
            "a b",
            "ä",
            &"a".repeat(41),
        ] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn good_names_are_kept_as_they_are(name in "[a-z]([a-z0-9-]{0,38}[a-z0-9])?") {
            let parsed = name.parse::<ClusterName>().unwrap();
            prop_assert_eq!(parsed.as_str(), name);
        }
    }
}
