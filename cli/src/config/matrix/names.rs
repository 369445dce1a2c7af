//! What may stand before an equals sign in the tables of a matrix.

use std::fmt;

use kcluster_matrix::suggest::nearest;
use serde::de::{self, DeserializeSeed, Deserializer, Visitor};

use crate::config::keys::KEYS;
use crate::config::table::{Group, Key};

/// A name in one of the tables.
#[derive(Clone, Copy)]
pub(super) enum Name {
    /// An axis with a type of its own.
    Axis(&'static str),
    /// A setting of a cluster, by its key.
    Setting(&'static Key),
    /// A word of the table itself.
    Word(&'static str),
}

/// Axes with a type of their own.
const AXES: [&str; 4] = ["kubernetes", "cni", "arch", "nodes"];

/// Which names a table takes; an unknown one is an error at its place.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) axes: bool,
    pub(super) words: &'static [&'static str],
}

/// Whether cells may differ in this key.
fn is_setting(key: &Key) -> bool {
    let name = key.name();
    matches!(key.group, Group::Cluster | Group::Tests)
        && !AXES.contains(&name.as_str())
        && name != "variant"
        && name != "emulation"
}

impl Names {
    fn find(self, name: &str) -> Option<Name> {
        if let Some(word) = self.words.iter().find(|word| **word == name) {
            return Some(Name::Word(word));
        }
        if let Some(axis) = AXES.iter().find(|axis| **axis == name) {
            return self.axes.then_some(Name::Axis(axis));
        }
        let key = KEYS.iter().find(|key| key.name() == name);
        key.filter(|key| is_setting(key)).map(Name::Setting)
    }

    pub(super) fn all(self) -> Vec<String> {
        let axes = AXES.iter().filter(|_| self.axes);
        let fixed = axes.chain(self.words).map(|name| (*name).to_owned());
        let settings = KEYS.iter().filter(|key| is_setting(key)).map(Key::name);
        fixed.chain(settings).collect()
    }
}

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Name, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Names {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an axis or a setting")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
        self.find(name).ok_or_else(|| {
            let all = self.all();
            let near = nearest(&name.replace('_', "-"), all.iter().map(String::as_str));
            let hint = near.map_or_else(
                || format!("known are {} and the settings of a cluster", self.known()),
                |near| format!("did you mean `{near}`?"),
            );
            E::custom(format!("unknown name `{name}` in the matrix; {hint}"))
        })
    }
}

impl Names {
    fn known(self) -> String {
        let axes = AXES.iter().filter(|_| self.axes);
        axes.chain(self.words)
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    }
}
