//! `config show` and `config init`: the table of keys, written out.

use std::fmt::Write as _;

use serde_json::json;

use super::host::Host;
use super::keys::{KEYS, Settings};
use super::variables::PROFILE;

/// Each value with where it came from, as TOML.
#[must_use]
pub fn as_toml(settings: &Settings) -> String {
    let lines: Vec<(String, String)> = KEYS
        .iter()
        .zip(&settings.origins)
        .map(|(key, origin)| {
            (
                format!("{} = {}", key.name(), key.show(settings)),
                origin.to_string(),
            )
        })
        .collect();
    let width = lines
        .iter()
        .map(|(value, _)| value.chars().count())
        .max()
        .unwrap_or(0)
        .min(48);
    let mut text = String::new();
    for (value, origin) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{value:width$}  # {origin}");
    }
    text
}

/// The same as variables, for another process of kcluster's.
pub fn as_variables(settings: &Settings) -> impl Iterator<Item = (String, String)> {
    let pairs = KEYS.iter().map(|key| {
        let text = match key.show(settings) {
            toml::Value::String(text) => text,
            other => other.to_string(),
        };
        (key.variable(), text)
    });
    // They say all that a profile said.
    pairs.chain([(PROFILE.to_owned(), String::new())])
}

/// The variable that names the state folder.
#[must_use]
pub fn variable_of_state_dir() -> String {
    KEYS.iter()
        .find(|key| key.field == "state_dir")
        .map(super::table::Key::variable)
        .unwrap_or_default()
}

/// The same for programs.
#[must_use]
pub fn as_json(settings: &Settings) -> serde_json::Value {
    let keys = KEYS.iter().zip(&settings.origins).map(|(key, origin)| {
        let value = json!({ "value": key.show(settings), "origin": origin.to_string() });
        (key.name(), value)
    });
    serde_json::Value::Object(keys.collect())
}

const PROFILE_TEMPLATE: &str = "
# Settings by name, which --profile or KCLUSTER_PROFILE lays over those above.
#[profile.ci]
#egress = \"closed\"
";

/// A file with every key, explained and commented out.
#[must_use]
pub fn template(host: &Host) -> String {
    let mut text = String::from(
        "# Settings of kcluster. Flags and KCLUSTER_* variables win over this file.\n",
    );
    for key in KEYS {
        text.push('\n');
        for line in key.doc().lines() {
            let _ = writeln!(text, "{}", format!("# {line}").trim_end());
        }
        let _ = writeln!(text, "#{} = {}", key.name(), (key.default)(host));
    }
    text.push_str(PROFILE_TEMPLATE);
    text
}
