//! Settings of single nodes.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction};
use kcluster_matrix::NodeSettings;
use serde::Deserialize;
use toml::de::{Error, ValueDeserializer};

use super::schema::{closed, list_of, table_of, text};
use super::value::Value;
use super::values::inline;

/// Settings of single nodes, by what names the nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerNode(pub BTreeMap<String, NodeSettings>);

impl Value for PerNode {
    const NAME: &'static str = "NODE={…}";

    fn parse(text: &str) -> Result<Self, String> {
        // What a file would say of all nodes, or NODE={…} of one.
        if text.starts_with('{') {
            return inline(text);
        }
        let (node, settings) = text
            .split_once('=')
            .ok_or_else(|| format!("`{text}` is not NODE={{…}}"))?;
        inline(&format!("{{ {node} = {settings} }}"))
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        BTreeMap::deserialize(value).map(Self)
    }

    fn to_toml(&self) -> toml::Value {
        // Every setting is a text, a list or a table of texts.
        toml::Value::try_from(&self.0).unwrap_or_else(|_| toml::Value::Table(toml::Table::new()))
    }

    fn schema() -> serde_json::Value {
        let texts = || list_of(&text(None));
        table_of(&closed([
            ("labels", table_of(&text(None))),
            ("taints", texts()),
            ("mounts", texts()),
            ("ports", texts()),
            ("cpus", text(None)),
            ("memory", text(None)),
        ]))
    }

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn joined(mut self, later: Self) -> Self {
        for (node, settings) in later.0 {
            let before = self.0.remove(&node).unwrap_or_default();
            self.0.insert(node, before.with(&settings));
        }
        self
    }

    fn anchored(self, _folder: &str) -> Self {
        self
    }
}
