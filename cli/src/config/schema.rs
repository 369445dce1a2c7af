//! `config schema`: the table of keys as a JSON schema, for editors and other programs.
//!
//! It may take more than kcluster does (what a text has to look like is told by kcluster itself), but
//! never less; tests hold what each key takes against it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Display;

use kcluster_matrix::Arch;
use serde_json::{Map, Value, json};

use super::file::PROFILES;
use super::host::Host;
use super::keys::KEYS;
use super::table::Key;

/// One of these words.
pub(super) fn one_of<T: Display>(words: impl IntoIterator<Item = T>) -> Value {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    json!({ "enum": words })
}

/// An architecture by any of its names.
pub(super) fn architecture() -> Value {
    let names = |arch: Arch| [arch.as_str(), arch.debian(), arch.uname()];
    let names: BTreeSet<&str> = Arch::ALL.into_iter().flat_map(names).collect();
    one_of(names)
}

/// A text, or only what `pattern` finds.
pub(super) fn text(pattern: Option<&str>) -> Value {
    match pattern {
        Some(pattern) => json!({ "type": "string", "pattern": pattern }),
        None => json!({ "type": "string" }),
    }
}

/// A table whose names are the user's own.
pub(super) fn table_of(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

/// A list.
pub(super) fn list_of(value: &Value) -> Value {
    json!({ "type": "array", "items": value })
}

/// A table with these names and no others.
pub(super) fn closed<N: Into<String>>(names: impl IntoIterator<Item = (N, Value)>) -> Value {
    let names: Map<String, Value> = names
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect();
    json!({ "type": "object", "properties": names, "additionalProperties": false })
}

/// The schema of a whole file.
#[must_use]
pub fn schema() -> Value {
    let link = |key: &Key| {
        (
            key.name(),
            json!({ "$ref": format!("#/definitions/{}", key.name()) }),
        )
    };
    let mut root = closed(KEYS.iter().map(link));
    let mut profiles = table_of(&closed(KEYS.iter().map(link)));
    profiles["description"] =
        json!("Settings by name; --profile NAME lays them over the file's own.");
    root["properties"][PROFILES] = profiles;
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("kcluster.toml");
    root["description"] =
        json!("Settings of kcluster. Flags and KCLUSTER_* variables win over this file.");
    let definitions: Map<String, Value> = KEYS
        .iter()
        .map(|key| (key.name(), definition(key)))
        .collect();
    root["definitions"] = Value::Object(definitions);
    root
}

/// What a key takes, with its documentation and its default on a machine of nobody's.
fn definition(key: &Key) -> Value {
    let mut value = (key.schema)();
    value["description"] = json!(key.doc());
    value["default"] = json!((key.default)(&Host::of_nobody()));
    value
}
