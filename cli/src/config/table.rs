//! The shape of the table of keys: what one entry of `keys.rs` turns into.

use std::fmt;

use clap::{Arg, ArgMatches};
use toml::de::ValueDeserializer;

use super::host::Host;
use super::keys::{Layer, Settings};

/// Which commands take a key as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Every command.
    Global,
    /// Commands on one cluster.
    Name,
    /// Commands that need a node image.
    Image,
    /// Commands that need anything of Kubernetes.
    Source,
    /// Commands that make a cluster.
    Cluster,
    /// Commands that run specs.
    Tests,
    /// Commands that write reports.
    Report,
    /// Commands that describe a product.
    Product,
    /// Commands on a matrix of cells.
    Matrix,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag(String),
    /// The environment.
    Variable(String),
    /// A file, as it is shown to the user, and a line of it.
    File(String, usize),
    /// A profile of a file: the file, the line, and the profile's name.
    Profile(String, usize, String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File(path, line) => write!(f, "{path}:{line}"),
            Self::Profile(path, line, name) => write!(f, "{path}:{line}, profile {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One key: all its forms.
pub struct Key {
    pub(super) field: &'static str,
    pub(super) doc: &'static str,
    /// Which commands take it.
    pub group: Group,
    /// What stands for the value in help.
    pub hint: &'static str,
    /// A flag of one letter.
    pub short: Option<char>,
    /// A second variable, which counts when the first is not set.
    pub also: Option<&'static str>,
    /// A value other than the default, as a flag or variable would give it.
    pub example: &'static str,
    pub(super) arg: fn(Arg) -> Arg,
    pub(super) take_flag: fn(&Key, &ArgMatches, &mut Layer),
    pub(super) take_text: fn(&str, &mut Layer) -> Result<(), String>,
    pub(super) take_toml: TakeToml,
    pub(super) show: fn(&Settings) -> toml::Value,
    pub(super) default: fn(&Host) -> toml::Value,
    pub(super) schema: fn() -> serde_json::Value,
}

type TakeToml = fn(ValueDeserializer<'_>, &str, &mut Layer) -> Result<(), toml::de::Error>;

impl Key {
    /// The key in files, and the flag without its dashes.
    #[must_use]
    pub fn name(&self) -> String {
        self.field.replace('_', "-")
    }

    /// The variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("KCLUSTER_{}", self.field.to_uppercase())
    }

    /// What it is for; the first line stands alone.
    #[must_use]
    pub fn doc(&self) -> String {
        let lines: Vec<&str> = self.doc.lines().map(str::trim).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The default as help shows it, the same on every machine.
    #[must_use]
    pub fn default_text(&self) -> String {
        match (self.default)(&Host::of_nobody()) {
            toml::Value::String(text) => text,
            toml::Value::Table(table) if table.is_empty() => "none".to_owned(),
            toml::Value::Array(array) if array.is_empty() => "none".to_owned(),
            other => other.to_string(),
        }
    }

    /// The value in `settings`, as a file would give it.
    #[must_use]
    pub fn show(&self, settings: &Settings) -> toml::Value {
        (self.show)(settings)
    }
}

/// Turns the table in `keys.rs` into `Layer`, `Settings` and `KEYS`.
///
/// An entry is: documentation, group, field, type, default (from the host), example, and
/// where wanted what stands for the value in help, a short flag, or a second variable.
macro_rules! settings {
    ($(
        $(#[doc = $doc:literal])+
        $group:ident $field:ident: $type:ty = $default:expr, example $example:literal
        $(, hint $hint:literal)? $(, short $short:literal)? $(, also $also:literal)?;
    )+) => {
        /// What one place says: any of the keys.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Layer {
            $( $(#[doc = $doc])+ pub $field: Option<$type>, )+
        }

        /// Every key with its value.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: $type, )+
            /// Where each value comes from, in the order of [`KEYS`].
            pub origins: Vec<Origin>,
        }

        /// All keys, in the order they are shown.
        pub static KEYS: &[Key] = &[$(
            Key {
                field: stringify!($field),
                doc: concat!($($doc, "\n"),+),
                group: Group::$group,
                hint: { let hint: &[&str] = &[$($hint,)? <$type as Value>::NAME]; hint[0] },
                short: { let short: &[char] = &[$($short)?]; short.first().copied() },
                also: { let name: &[&str] = &[$($also)?]; name.first().copied() },
                example: $example,
                arg: value::arg::<$type>,
                take_flag: |key, matches, layer| layer.$field = value::from_flag(matches, key.field),
                take_text: |text, layer| {
                    layer.$field = Some(<$type as Value>::parse(text)?);
                    Ok(())
                },
                take_toml: |toml, folder, layer| {
                    layer.$field = Some(<$type as Value>::from_toml(toml)?.anchored(folder));
                    Ok(())
                },
                show: |settings| Value::to_toml(&settings.$field),
                default: |host| {
                    let default: fn(&Host) -> $type = $default;
                    Value::to_toml(&default(host))
                },
                schema: <$type as Value>::schema,
            },
        )+];

        impl Layer {
            /// All of `layers`, which say nothing about each other's keys.
            #[must_use]
            pub fn of<const N: usize>(layers: [&Self; N]) -> Self {
                layers.into_iter().cloned().fold(Self::default(), Self::over)
            }

            /// This layer, and `below` where this one says nothing.
            #[must_use]
            pub fn over(self, below: Self) -> Self {
                Self { $( $field: self.$field.or(below.$field), )+ }
            }
        }

        impl Settings {
            /// The same, with what `layer` says over it; where a value came from is kept.
            #[must_use]
            pub fn with(mut self, layer: Layer) -> Self {
                $( if let Some(value) = layer.$field { self.$field = value; } )+
                self
            }

            /// Lays `layers` over each other, the first on top, and defaults below all.
            /// `origin` says where a layer has a key from.
            pub(super) fn resolve<L: Source>(mut layers: Vec<L>, host: &Host) -> Self {
                let mut origins = Vec::with_capacity(KEYS.len());
                let mut keys = KEYS.iter();
                $(
                    let found = keys.next().and_then(|key| {
                        layers.iter_mut().find_map(|from| {
                            let value = from.layer().$field.take()?;
                            Some((value, from.origin(key)))
                        })
                    });
                    let ($field, origin) = found.unwrap_or_else(|| {
                        let default: fn(&Host) -> $type = $default;
                        (default(host), Origin::Default)
                    });
                    origins.push(origin);
                )+
                Self { $($field,)+ origins }
            }
        }
    };
}

pub(super) use settings;

/// A layer together with where its values come from.
pub(super) trait Source {
    /// The values.
    fn layer(&mut self) -> &mut Layer;
    /// Where it has `key` from.
    fn origin(&self, key: &Key) -> Origin;
}
