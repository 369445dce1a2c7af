//! What is installed into a cluster: by name, from a file, an address or a chart.

use camino::Utf8Path;
use clap::{Arg, ArgAction};
use kcluster_matrix::KnownAddon;
use serde::{Deserialize, Serialize};
use toml::de::{Error, ValueDeserializer};

use super::value::Value;
use super::values::inline;

/// Addons, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Addons(pub Vec<AddonEntry>);

/// One of them, as it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddonEntry {
    /// What errors call it; alone, one that kcluster knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// File or address of objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Folder, archive, address or name of a chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// Address of the repository that has the chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Version of the chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Namespace of the chart's release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What is set for the chart: a table, or the path of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<toml::Value>,
    /// SHA-256 that what an address gives must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Images of the engine that nodes need for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
}

/// What kcluster knows by that name.
fn known(name: &str) -> Result<KnownAddon, String> {
    name.parse().map_err(|error| {
        format!(
            "{error}; a file is written with a slash or its ending, such as ./{name} or {name}.yaml"
        )
    })
}

/// Whether it is somewhere else.
pub(crate) fn is_address(text: &str) -> bool {
    text.contains("://")
}

fn is_archive(text: &str) -> bool {
    matches!(Utf8Path::new(text).extension(), Some("tgz" | "gz"))
}

impl AddonEntry {
    /// What a single text means.
    fn of(text: &str) -> Result<Self, String> {
        let (place, sha256) = match text.split_once("#sha256=") {
            Some((place, sha256)) => (place, Some(sha256.to_owned())),
            None => (text, None),
        };
        let mut entry = Self {
            sha256,
            ..Self::default()
        };
        let is_file = place.contains('/') || Utf8Path::new(place).extension().is_some();
        if place.starts_with("oci://") || (is_file && is_archive(place)) {
            entry.chart = Some(place.to_owned());
        } else if is_file {
            entry.manifest = Some(place.to_owned());
        } else {
            entry.name = Some(place.to_owned());
        }
        entry.checked()
    }

    fn checked(self) -> Result<Self, String> {
        let sound = |digest: &String| {
            digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if self.sha256.as_ref().is_some_and(|digest| !sound(digest)) {
            return Err("sha256 is not 64 hexadecimal digits".to_owned());
        }
        match (&self.manifest, &self.chart, &self.name) {
            (Some(_), Some(_), _) => {
                return Err("an addon is a manifest or a chart, not both".to_owned());
            }
            (None, None, None) => {
                return Err("an addon has a name, a manifest or a chart".to_owned());
            }
            (None, None, Some(name)) => drop(known(name)?),
            _ => {}
        }
        let only_charts = [
            ("repository", self.repository.is_some()),
            ("version", self.version.is_some()),
            ("namespace", self.namespace.is_some()),
            ("values", self.values.is_some()),
        ];
        if self.chart.is_none()
            && let Some((key, _)) = only_charts.into_iter().find(|(_, given)| *given)
        {
            return Err(format!("`{key}` is for a chart"));
        }
        Ok(self)
    }

    /// What errors call it.
    #[must_use]
    pub fn called(&self) -> String {
        let place = self.manifest.as_ref().or(self.chart.as_ref());
        let last = |place: &String| {
            let path = Utf8Path::new(place.trim_end_matches('/'));
            path.file_stem().unwrap_or(place).to_owned()
        };
        self.name
            .clone()
            .or_else(|| place.map(last))
            .unwrap_or_default()
    }

    /// The addon that kcluster knows by its name, if that is all that is said.
    #[must_use]
    pub fn known(&self) -> Option<KnownAddon> {
        match (&self.manifest, &self.chart, &self.name) {
            (None, None, Some(name)) => name.parse().ok(),
            _ => None,
        }
    }

    /// Whether the chart lies on this machine.
    #[must_use]
    pub fn is_local_chart(&self) -> bool {
        self.repository.is_none() && self.chart.as_ref().is_some_and(|chart| !is_address(chart))
    }
}

impl Value for Addons {
    const NAME: &'static str = "ADDON,…";

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('[') {
            return inline(text);
        }
        if text.starts_with('{') {
            return inline(&format!("[{text}]"));
        }
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts
            .map(AddonEntry::of)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "an addon is a text, or a table with name, manifest or chart"
        )]
        enum Entry {
            Text(String),
            Table(Box<AddonEntry>),
        }
        let entries = Vec::<Entry>::deserialize(value)?;
        let entries = entries.into_iter().map(|entry| match entry {
            Entry::Text(text) => AddonEntry::of(&text),
            Entry::Table(entry) => entry.checked(),
        });
        entries
            .collect::<Result<_, String>>()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }

    fn to_toml(&self) -> toml::Value {
        let entry = |entry: &AddonEntry| {
            let plain = |text: &String| AddonEntry::of(text).is_ok_and(|read| read == *entry);
            let texts = [&entry.name, &entry.manifest, &entry.chart];
            match texts.into_iter().flatten().find(|text| plain(text)) {
                Some(text) => text.clone().into(),
                // Every field is a text, a list of texts or what TOML itself read.
                None => toml::Value::try_from(entry).unwrap_or_else(|_| entry.called().into()),
            }
        };
        toml::Value::Array(self.0.iter().map(entry).collect())
    }

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn joined(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }

    fn anchored(mut self, folder: &str) -> Self {
        let anchor = |place: &mut String| {
            if !is_address(place) {
                *place = Utf8Path::new(folder).join(&*place).into_string();
            }
        };
        for entry in &mut self.0 {
            let local = entry.is_local_chart();
            let chart = entry.chart.iter_mut().filter(|_| local);
            entry.manifest.iter_mut().chain(chart).for_each(anchor);
            if let Some(toml::Value::String(path)) = &mut entry.values {
                anchor(path);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> AddonEntry {
        let Addons(entries) = Addons::parse(text).unwrap();
        let [entry] = entries.try_into().unwrap();
        entry
    }

    #[test]
    fn a_text_is_a_name_a_file_an_address_or_a_chart() {
        assert_eq!(
            one("metrics-server").known(),
            Some(KnownAddon::MetricsServer)
        );
        for (text, called) in [
            ("./dashboard.yaml", "dashboard"),
            ("x.json", "x"),
            ("https://localhost/a/b.yaml", "b"),
            ("./folder/", "folder"),
        ] {
            let entry = one(text);
            assert_eq!(entry.manifest.as_deref(), Some(text));
            assert_eq!(entry.called(), called);
        }
        for text in ["./web-1.2.tgz", "oci://localhost/charts/web"] {
            assert_eq!(one(text).chart.as_deref(), Some(text));
        }
        let digest = "ab".repeat(32);
        let pinned = one(&format!("https://localhost/b.yaml#sha256={digest}"));
        assert_eq!(pinned.sha256, Some(digest));
    }

    #[test]
    fn what_is_no_addon_is_told() {
        let said = |text: &str| Addons::parse(text).unwrap_err();
        assert!(
            said("metric-server").contains("did you mean `metrics-server`?"),
            "{}",
            said("metric-server")
        );
        assert!(said("https://x/y.yaml#sha256=12").contains("64 hexadecimal digits"));
        assert!(said("{ images = ['a'] }").contains("a name, a manifest or a chart"));
        assert!(
            said("{ manifest = 'a.yaml', version = '1' }").contains("`version` is for a chart")
        );
        assert!(said("{ manifest = 'a', chart = 'b' }").contains("not both"));
        assert!(!said("{ chrat = 'b' }").is_empty());
    }

    #[test]
    fn a_table_says_the_rest_and_is_shown_as_it_is_read() {
        let text = "[\"metrics-server\", { name = \"web\", chart = \"./web\", namespace = \"web\", \
                    images = [\"web:1\"], values = { replicas = 2 } }]";
        let addons = Addons::parse(text).unwrap();
        assert_eq!(addons.0[1].called(), "web");
        assert!(addons.0[1].is_local_chart());
        let shown = addons.to_toml().to_string();
        assert_eq!(Addons::parse(&shown).unwrap(), addons, "{shown}");
        let moved = addons.anchored("/here");
        assert_eq!(moved.0[1].chart.as_deref(), Some("/here/./web"));
    }
}
