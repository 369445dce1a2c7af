//! Where nodes ask for images, by the registry that images are named after.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction};
use kcluster_matrix::Mirror;
use serde::Deserialize;
use toml::de::{Error, ValueDeserializer};

use super::value::Value;
use super::values::inline;

/// Mirrors of registries, each registry's in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrors(pub BTreeMap<String, Vec<Mirror>>);

/// A registry as images are named after it: a host, perhaps a port; or `*`.
fn registry(text: &str) -> Result<String, String> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    // The name becomes one of a folder.
    if text == "*" || (!text.is_empty() && !text.starts_with('.') && text.bytes().all(sound)) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{text}` is no registry; write its host, as images are named after it, or `*`"
    ))
}

impl Value for Mirrors {
    const NAME: &'static str = "REGISTRY=URL,…";

    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('{') {
            return inline(text);
        }
        let mut all = Self::default();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            // Without the text: somebody may have put a password into it.
            let (name, url) = pair.split_once('=').ok_or("it is not REGISTRY=URL")?;
            let mirrors = all.0.entry(registry(name)?).or_default();
            mirrors.push(url.parse()?);
        }
        Ok(all)
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a mirror is a text, several are a list of texts"
        )]
        enum Entry {
            One(Mirror),
            Several(Vec<Mirror>),
        }
        let entries = BTreeMap::<String, Entry>::deserialize(value)?;
        let mirrors = entries.into_iter().map(|(name, entry)| {
            let mirrors = match entry {
                Entry::One(mirror) => vec![mirror],
                Entry::Several(mirrors) => mirrors,
            };
            Ok((registry(&name)?, mirrors))
        });
        mirrors
            .collect::<Result<_, String>>()
            .map(Self)
            .map_err(serde::de::Error::custom)
    }

    fn to_toml(&self) -> toml::Value {
        let pairs = self.0.iter().map(|(name, mirrors)| {
            let texts: Vec<toml::Value> = mirrors
                .iter()
                .map(|mirror| mirror.to_string().into())
                .collect();
            let value = match <[toml::Value; 1]>::try_from(texts) {
                Ok([one]) => one,
                Err(several) => toml::Value::Array(several),
            };
            (name.clone(), value)
        });
        toml::Value::Table(pairs.collect())
    }

    fn arg(arg: Arg) -> Arg {
        arg.action(ArgAction::Append)
    }

    fn joined(mut self, later: Self) -> Self {
        for (name, mirrors) in later.0 {
            self.0.entry(name).or_default().extend(mirrors);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_in_their_order_and_shown_as_they_are_read() {
        let text =
            "r.invalid=http://localhost:5000,r.invalid=https://m.invalid,*=http://127.0.0.1:5001";
        let mirrors = Mirrors::parse(text).unwrap();
        assert_eq!(mirrors.0["r.invalid"].len(), 2);
        let shown = mirrors.to_toml();
        assert_eq!(shown["*"].as_str(), Some("http://127.0.0.1:5001"));
        assert_eq!(Mirrors::parse(&shown.to_string()).unwrap(), mirrors);
        let more = Mirrors::parse("*=https://m.invalid").unwrap();
        assert_eq!(mirrors.joined(more).0["*"].len(), 2);
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in [
            "r.invalid=http://me:secret@m.invalid",
            "http://me:secret@m.invalid",
        ] {
            let error = Mirrors::parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
        for text in ["../x=http://m.invalid", "=http://m.invalid", "r=m"] {
            assert!(Mirrors::parse(text).is_err(), "{text}");
        }
    }
}
