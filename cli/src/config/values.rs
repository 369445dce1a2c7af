//! Types of keys that only the configuration knows.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use clap::{Arg, ArgAction};
use kcluster_matrix::suggest::UnknownValue;
use serde::Deserialize;
use serde_json::json;
use toml::de::{Error, ValueDeserializer};

use super::schema::{architecture, list_of, one_of, table_of, text};
use super::value::{Accepts, Text, Value, parse};

/// A value, or the word `auto` to leave it to kcluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auto<T> {
    /// Left to kcluster.
    Auto,
    /// This one.
    Is(T),
}

impl<T> Auto<T> {
    /// The value, unless it is left to kcluster.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Auto => None,
            Self::Is(value) => Some(value),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Auto<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Is(value) => value.fmt(f),
        }
    }
}

/// What `Auto` may hold: `anchor` joins relative paths to a folder, and is nothing for others.
trait Inner: FromStr<Err: fmt::Display> + fmt::Display + Value0 {
    const NAME: &'static str;
    fn anchor(self, _folder: &str) -> Self {
        self
    }
    /// What a file may say beside `auto`.
    fn schema() -> serde_json::Value {
        // A number is taken for its digits.
        json!({ "type": ["string", "integer"] })
    }
}

/// Bounds that [`Value`] asks for.
trait Value0: Clone + fmt::Debug + Send + Sync + 'static {}
impl<T: Clone + fmt::Debug + Send + Sync + 'static> Value0 for T {}

impl Inner for kcluster_matrix::Arch {
    const NAME: &'static str = "ARCH";
    fn schema() -> serde_json::Value {
        architecture()
    }
}
impl Inner for kcluster_matrix::Emulation {
    const NAME: &'static str = "KIND";
    fn schema() -> serde_json::Value {
        one_of(Self::ALL)
    }
}
impl Inner for std::num::NonZeroUsize {
    const NAME: &'static str = "N";
    fn schema() -> serde_json::Value {
        json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, text(Some("^[+]?[0-9]+$"))] })
    }
}
impl Inner for super::timeout::Timeout {
    const NAME: &'static str = "DURATION";
    fn schema() -> serde_json::Value {
        text(None)
    }
}
impl Inner for String {
    const NAME: &'static str = "TEXT";
}
impl Inner for camino::Utf8PathBuf {
    const NAME: &'static str = "PATH";
    fn anchor(self, folder: &str) -> Self {
        Self::from(folder).join(self)
    }
}

impl<T: Inner> Value for Auto<T> {
    const NAME: &'static str = T::NAME;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            text => parse(text).map(Self::Is),
        }
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        let accepts = Accepts::Both;
        let text = Text {
            expecting: "a value in quotes, or \"auto\"",
            accepts,
            parse: Self::parse,
        };
        text.read(value)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }

    fn schema() -> serde_json::Value {
        json!({ "anyOf": [{ "const": "auto" }, T::schema()] })
    }

    fn anchored(self, folder: &str) -> Self {
        match self {
            Self::Auto => Self::Auto,
            Self::Is(value) => Self::Is(value.anchor(folder)),
        }
    }
}

/// Where Kubernetes comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Go modules.
    Module,
    /// A release.
    Release,
    /// A revision of a repository.
    Git,
    /// Binaries below an address.
    Url,
    /// Binaries in a folder.
    Dir,
}

impl SourceKind {
    pub(super) const ALL: [Self; 5] =
        [Self::Module, Self::Git, Self::Release, Self::Url, Self::Dir];

    fn as_str(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Release => "release",
            Self::Git => "git",
            Self::Url => "url",
            Self::Dir => "dir",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SourceKind {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownValue::new("source", text, Self::ALL.map(Self::as_str)))
    }
}

/// Which images specs run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum E2eImages {
    /// Ours, built and baked into the node image.
    Built,
    /// Upstream's, pulled by the nodes when a spec runs them.
    Official,
}

impl E2eImages {
    pub(super) const ALL: [Self; 2] = [Self::Built, Self::Official];

    fn as_str(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Official => "official",
        }
    }
}

impl fmt::Display for E2eImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for E2eImages {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, UnknownValue> {
        Self::ALL
            .into_iter()
            .find(|images| images.as_str() == text)
            .ok_or_else(|| UnknownValue::new("e2e-images", text, Self::ALL.map(Self::as_str)))
    }
}

/// Names with values: `A=true,B=false`, or a table in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table<V>(pub BTreeMap<String, V>);

/// What a [`Table`] may hold, as a JSON schema.
trait Entry {
    fn schema() -> serde_json::Value;
}

impl Entry for String {
    fn schema() -> serde_json::Value {
        text(None)
    }
}

impl Entry for bool {
    fn schema() -> serde_json::Value {
        <Self as Value>::schema()
    }
}

impl<V> Value for Table<V>
where
    V: Clone + fmt::Debug + Send + Sync + 'static,
    V: FromStr<Err: fmt::Display> + Into<toml::Value> + for<'de> Deserialize<'de> + Entry,
{
    const NAME: &'static str = "KEY=VALUE,…";

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('{') {
            return inline(text);
        }
        let pairs = text.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("`{pair}` is not KEY=VALUE"))?;
            let value = parse(value).map_err(|error| format!("in `{pair}`: {error}"))?;
            Ok((name.to_owned(), value))
        });
        pairs.collect::<Result<_, String>>().map(Self)
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        BTreeMap::deserialize(value).map(Self)
    }

    fn to_toml(&self) -> toml::Value {
        let pairs = self
            .0
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()));
        toml::Value::Table(pairs.collect())
    }

    fn schema() -> serde_json::Value {
        table_of(&V::schema())
    }

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn joined(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }
}

/// What a file would say, in a flag or variable.
pub(super) fn inline<T: Value>(text: &str) -> Result<T, String> {
    ValueDeserializer::parse(text)
        .and_then(T::from_toml)
        .map_err(|error| error.message().to_owned())
}

/// Texts: `a,b`, or a list in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List(pub Vec<String>);

impl Value for List {
    const NAME: &'static str = "TEXT,…";

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('[') {
            return inline(text);
        }
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        Ok(Self(parts.map(str::to_owned).collect()))
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        Vec::deserialize(value).map(Self)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.0.iter().map(|text| text.clone().into()).collect())
    }

    fn schema() -> serde_json::Value {
        list_of(&text(None))
    }

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn joined(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }
}
