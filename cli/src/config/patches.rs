//! Patches for kubeadm, checked before anything is touched.

use clap::{Arg, ArgAction};
use kcluster_matrix::cluster::KubeadmPatch;
use kcluster_matrix::suggest::UnknownValue;
use serde::Deserialize;
use serde_json::json;
use toml::de::{Error, ValueDeserializer};

use super::schema::{closed, list_of, one_of, text};
use super::value::Value;
use super::values::inline;

/// Patches for kubeadm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patches(pub Vec<KubeadmPatch>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchEntry {
    target: String,
    r#type: String,
    patch: String,
}

impl PatchEntry {
    fn checked(self) -> Result<KubeadmPatch, String> {
        let one_of = |kind, value: &str, known: &[&'static str]| {
            if known.contains(&value) {
                Ok(())
            } else {
                Err(UnknownValue::new(kind, value, known.iter().copied()).to_string())
            }
        };
        one_of("patch target", &self.target, &KubeadmPatch::TARGETS)?;
        one_of("patch type", &self.r#type, &KubeadmPatch::KINDS)?;
        Ok(KubeadmPatch {
            target: self.target,
            kind: self.r#type,
            content: self.patch,
        })
    }
}

impl Value for Patches {
    const NAME: &'static str = "TARGET:TYPE=PATCH";

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('[') {
            return inline(text);
        }
        let malformed = || format!("`{text}` is not TARGET:TYPE=PATCH");
        let (head, patch) = text.split_once('=').ok_or_else(malformed)?;
        let (target, kind) = head.split_once(':').ok_or_else(malformed)?;
        let [target, r#type, patch] = [target, kind, patch].map(str::to_owned);
        Ok(Self(vec![
            PatchEntry {
                target,
                r#type,
                patch,
            }
            .checked()?,
        ]))
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        let entries = Vec::<PatchEntry>::deserialize(value)?;
        let patches = entries.into_iter().map(PatchEntry::checked);
        patches
            .collect::<Result<_, String>>()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }

    fn to_toml(&self) -> toml::Value {
        let entry = |patch: &KubeadmPatch| {
            let pairs = [
                ("target", &patch.target),
                ("type", &patch.kind),
                ("patch", &patch.content),
            ];
            toml::Value::Table(
                pairs
                    .map(|(name, text)| (name.to_owned(), text.clone().into()))
                    .into_iter()
                    .collect(),
            )
        };
        toml::Value::Array(self.0.iter().map(entry).collect())
    }

    fn schema() -> serde_json::Value {
        let mut entry = closed([
            ("target", one_of(KubeadmPatch::TARGETS)),
            ("type", one_of(KubeadmPatch::KINDS)),
            ("patch", text(None)),
        ]);
        entry["required"] = json!(["target", "type", "patch"]);
        list_of(&entry)
    }

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn joined(mut self, later: Self) -> Self {
        self.0.extend(later.0);
        self
    }

    fn anchored(mut self, folder: &str) -> Self {
        for patch in &mut self.0 {
            if let Some(path) = patch.content.strip_prefix('@') {
                patch.content = format!("@{}", camino::Utf8Path::new(folder).join(path));
            }
        }
        self
    }
}
