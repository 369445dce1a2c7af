//! A matrix as a JSON schema, from the same tables that read one.

use kcluster_matrix::Cni;
use serde_json::{Value, json};

use super::names::Names;
use crate::config::schema::{architecture, closed, list_of, table_of, text};
use crate::config::value::Value as Setting;

const SUITE: &str = "^[a-z0-9][a-z0-9-]*$";

/// `[matrix]`.
pub(super) fn matrix() -> Value {
    let suite = closed([
        ("focus", list_of(&text(None))),
        ("skip", list_of(&text(None))),
        ("label-filter", text(None)),
        ("all", json!({ "type": "boolean" })),
        ("run", list_of(&text(None))),
        ("shards", json!({ "type": "integer", "minimum": 0 })),
    ]);
    let include = table(true, &[]);
    let exclude = table(true, &[("reason", text(None))]);
    let over = table(
        false,
        &[
            ("when", table(true, &[])),
            ("suites", some(&text(Some(SUITE)))),
        ],
    );
    table(
        true,
        &[
            ("suites", some(&text(Some(SUITE)))),
            ("suite", table_of(&suite)),
            ("include", list_of(&include)),
            ("exclude", list_of(&exclude)),
            ("override", list_of(&over)),
        ],
    )
}

/// A table with axes or single settings, and some words of its own.
fn table(axes: bool, words: &[(&'static str, Value)]) -> Value {
    let names = Names { axes, words: &[] }.all();
    let values = names.into_iter().map(|name| {
        let value = value(&name);
        let value = if axes { some(&value) } else { value };
        (name, value)
    });
    let words = words
        .iter()
        .map(|(word, value)| ((*word).to_owned(), value.clone()));
    closed(values.chain(words))
}

/// One value of an axis; of a setting, as a flag or a file would give it.
fn value(axis: &str) -> Value {
    match axis {
        "kubernetes" => text(Some("^(v?1[.]|latest|master$)")),
        "cni" => <Cni as Setting>::schema(),
        "arch" => architecture(),
        _ => json!({ "type": ["string", "integer", "boolean", "object"] }),
    }
}

/// One, or a list of at least one.
fn some(one: &Value) -> Value {
    let mut list = list_of(one);
    list["minItems"] = json!(1);
    json!({ "anyOf": [one, list] })
}
