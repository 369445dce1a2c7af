//! A type that may be a key's: readable from a flag, a variable and a file, and shown again.

use std::any::Any;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use clap::{Arg, ArgAction, ArgMatches};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use toml::de::{Error, ValueDeserializer};

use super::schema::{one_of, text};

/// See the module.
pub(super) trait Value: Any + Clone + Debug + Send + Sync {
    /// What stands for it in help.
    const NAME: &'static str;

    /// Reads what a flag or a variable says.
    ///
    /// # Errors
    /// What is wrong with the text.
    fn parse(text: &str) -> Result<Self, String>;

    /// Reads what a file says.
    ///
    /// # Errors
    /// What is wrong with the value, and where it stands.
    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error>;

    /// Writes it as a file would.
    fn to_toml(&self) -> toml::Value;

    /// What a file may say, as a JSON schema.
    fn schema() -> serde_json::Value;

    /// What is special about its flag.
    fn arg(arg: Arg) -> Arg {
        arg
    }

    /// Adds what a repeated flag says, for values that have parts.
    #[must_use]
    fn joined(self, later: Self) -> Self {
        let _ = self;
        later
    }

    /// The same, with relative paths taken from `folder`.
    #[must_use]
    fn anchored(self, _folder: &str) -> Self {
        self
    }
}

/// Makes `arg` take a `T`.
pub(super) fn arg<T: Value>(arg: Arg) -> Arg {
    T::arg(arg.value_parser(T::parse))
}

/// The value of flag `id`, if it was given; repeated ones joined.
pub(super) fn from_flag<T: Value>(matches: &ArgMatches, id: &str) -> Option<T> {
    let given = matches.try_get_many::<T>(id).ok().flatten()?;
    given.cloned().reduce(T::joined)
}

/// A value written in this source. A test resolves every default, so a typo cannot ship.
#[expect(clippy::panic, reason = "only constants of this crate come here")]
pub(super) fn known<T: FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is a constant and must parse"))
}

/// Reads a value by the type's own parser.
pub(super) struct Text<T> {
    pub(super) expecting: &'static str,
    pub(super) accepts: Accepts,
    pub(super) parse: fn(&str) -> Result<T, String>,
}

/// What of TOML's types is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepts {
    Strings,
    Integers,
    Both,
}

impl<T> Text<T> {
    pub(super) fn read<'de, D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_any(self)
    }
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        if self.accepts == Accepts::Integers {
            return Err(E::invalid_type(de::Unexpected::Str(text), &self));
        }
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        if self.accepts == Accepts::Strings {
            return Err(E::invalid_type(de::Unexpected::Signed(number), &self));
        }
        (self.parse)(&number.to_string()).map_err(E::custom)
    }
}

/// The type's own parser, its error as text.
pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

macro_rules! text_values {
    ($($type:ty, $name:literal, $expecting:literal, $schema:expr;)+) => {$(
        impl Value for $type {
            const NAME: &'static str = $name;

            fn parse(text: &str) -> Result<Self, String> {
                parse(text)
            }

            fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
                let accepts = Accepts::Strings;
                let text = Text { expecting: $expecting, accepts, parse: Self::parse };
                text.read(value)
            }

            fn to_toml(&self) -> toml::Value {
                toml::Value::String(self.to_string())
            }

            fn schema() -> serde_json::Value {
                $schema
            }
        }
    )+};
}

text_values! {
    kcluster_matrix::ClusterName, "NAME", "a name in quotes", text(Some("^[a-z][a-z0-9-]*$"));
    kcluster_matrix::VersionRequest, "VERSION", "a version in quotes, such as \"1.36\"", text(Some("^(v?1[.]|latest)"));
    kcluster_matrix::Cni, "CNI", "a network plugin in quotes", one_of(kcluster_matrix::Cni::ALL);
    kcluster_matrix::Egress, "open|closed", "\"open\" or \"closed\"", one_of(kcluster_matrix::Egress::ALL);
    kcluster_matrix::ProxyMode, "MODE", "\"nftables\" or \"iptables\"", one_of(kcluster_matrix::ProxyMode::ALL);
    kcluster_matrix::IpFamily, "FAMILY", "\"ipv4\", \"ipv6\" or \"dual\"", one_of(kcluster_matrix::IpFamily::ALL);
    kcluster_matrix::Audit, "LEVEL", "an audit level in quotes", one_of(kcluster_matrix::Audit::ALL);
    kcluster_matrix::Swap, "none|limited", "\"none\" or \"limited\"", one_of(kcluster_matrix::Swap::ALL);
    ipnet::Ipv6Net, "CIDR", "a subnet in quotes, such as \"fd00::/64\"", text(Some("^[0-9A-Fa-f:.]+/[0-9]+$"));
    ipnet::Ipv4Net, "CIDR", "a subnet in quotes, such as \"10.0.0.0/16\"", text(Some("^[0-9.]+/[0-9]+$"));
    std::net::IpAddr, "ADDRESS", "an address in quotes", text(Some("^[0-9A-Fa-f:.]+$"));
    super::timeout::Timeout, "DURATION", "a duration in quotes, such as \"90s\" or \"1h 30m\"", text(None);
    super::values::SourceKind, "SOURCE", "a source in quotes", one_of(super::values::SourceKind::ALL);
    super::values::E2eImages, "IMAGES", "images in quotes, as \"built\"", one_of(super::values::E2eImages::ALL);
    kcluster_matrix::plan::Order, "ORDER", "\"cheapest-first\" or \"failures-first\"", one_of(kcluster_matrix::plan::Order::ALL);
}

macro_rules! number_values {
    ($($type:ty, $name:literal;)+) => {$(
        impl Value for $type {
            const NAME: &'static str = $name;

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("`{text}` is not a whole number from 0 to {}", Self::MAX))
            }

            fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
                let accepts = Accepts::Integers;
                let text = Text { expecting: "a whole number", accepts, parse: Self::parse };
                text.read(value)
            }

            fn to_toml(&self) -> toml::Value {
                toml::Value::Integer((*self).into())
            }

            fn schema() -> serde_json::Value {
                json!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
            }
        }
    )+};
}

number_values! {
    u8, "N";
    u16, "PORT";
}

impl Value for bool {
    const NAME: &'static str = "BOOL";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err("expected true or false".to_owned()),
        }
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        Self::deserialize(value)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "boolean" })
    }

    /// `--retain` alone means true.
    fn arg(arg: Arg) -> Arg {
        arg.num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .action(ArgAction::Set)
    }
}

impl Value for camino::Utf8PathBuf {
    const NAME: &'static str = "PATH";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        let accepts = Accepts::Strings;
        let text = Text {
            expecting: "a path in quotes",
            accepts,
            parse: Self::parse,
        };
        text.read(value)
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }

    fn schema() -> serde_json::Value {
        text(None)
    }

    fn anchored(self, folder: &str) -> Self {
        Self::from(folder).join(self)
    }
}
