//! What is installed into a cluster once it is up.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// What kcluster installs by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownAddon {
    /// Answers `kubectl top` and feeds horizontal pod autoscalers.
    MetricsServer,
    /// Makes volumes of folders on the nodes, for claims of the default class.
    LocalPathProvisioner,
}

words!(
    KnownAddon,
    "addon",
    MetricsServer = "metrics-server",
    LocalPathProvisioner = "local-path-provisioner"
);

/// The repositories of images that addons are made of.
pub const ADDON_REPOSITORIES: [&str; 3] = [
    "kcluster/metrics-server",
    "kcluster/local-path-provisioner",
    "kcluster/helm",
];

/// One addon, all of it. Two are equal if they are called the same and made of the same; where
/// a specification is kept, only that is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Addon {
    /// What errors call it.
    pub name: String,
    /// Tells it from what was made of something else.
    pub digest: String,
    /// What nodes need of the engine's images.
    pub images: Vec<String>,
    /// What is installed; none of one that was only remembered.
    pub content: Option<AddonContent>,
}

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddonContent {
    /// Objects, as kubectl takes them.
    Manifests(String),
    /// A chart, which Helm installs.
    Chart(Box<Chart>),
}

/// A chart, fetched and packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Name of the release.
    pub release: String,
    /// Where to.
    pub namespace: String,
    /// The chart as a packed archive.
    pub archive: Vec<u8>,
    /// What is set for it, each a whole YAML document; a later one counts over an earlier one.
    pub values: Vec<String>,
    /// The image that holds Helm; nodes need it as they do the others.
    pub helm: String,
}

impl PartialEq for Addon {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.digest) == (&other.name, &other.digest)
    }
}

impl Eq for Addon {}

impl From<Addon> for String {
    fn from(addon: Addon) -> Self {
        format!("{}@{}", addon.name, addon.digest)
    }
}

impl From<String> for Addon {
    fn from(text: String) -> Self {
        let (name, digest) = text.rsplit_once('@').unwrap_or((&text, ""));
        Self {
            name: name.to_owned(),
            digest: digest.to_owned(),
            images: Vec::new(),
            content: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_an_addon_tells_it_from_others() {
        let addon = Addon {
            name: "a@b".into(),
            digest: "12".into(),
            images: vec!["x:1".into()],
            content: Some(AddonContent::Manifests("{}".into())),
        };
        let text = serde_json::to_string(&addon).unwrap();
        assert_eq!(text, "\"a@b@12\"");
        let again: Addon = serde_json::from_str(&text).unwrap();
        assert_eq!(again, addon);
        assert_eq!(again.content, None);
        let other: Addon = serde_json::from_str("\"a@b@13\"").unwrap();
        assert_ne!(other, addon);
    }
}
