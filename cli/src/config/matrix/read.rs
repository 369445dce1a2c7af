//! The tables of a matrix, each read by a seed that knows its names.

use std::collections::BTreeMap;
use std::fmt;

use kcluster_matrix::plan::{Axes, Exclude, MatrixSpec, Override, SuiteSpec, suite_name};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::de::{Error, ValueDeserializer};

use super::names::{Name, Names};
use super::value::{One, Some1};
use crate::config::keys::Layer;
use crate::config::table::Key;
use crate::config::value::parse;

/// Reads `[matrix]`.
pub(super) fn matrix(value: ValueDeserializer<'_>) -> Result<MatrixSpec, Error> {
    let mut spec = MatrixSpec::default();
    Table {
        names: Names {
            axes: true,
            words: &["suites", "include", "exclude", "override", "suite"],
        },
        expecting: "a table of axes",
        take: &mut spec,
    }
    .deserialize(value)?;
    Ok(spec)
}

/// Something that is filled by the entries of a table.
trait Fill {
    fn fill<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error>;
}

/// A table whose entries fill `take`.
struct Table<'a, F> {
    names: Names,
    expecting: &'static str,
    take: &'a mut F,
}

impl<'de, F: Fill> DeserializeSeed<'de> for Table<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, F: Fill> Visitor<'de> for Table<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(self.names)? {
            self.take.fill(name, &mut map)?;
        }
        Ok(())
    }
}

/// One table, or a list of them, each filling a value of its own.
struct Tables<'a, F> {
    names: Names,
    expecting: &'static str,
    take: &'a mut Vec<F>,
}

impl<'de, F: Fill + Default> DeserializeSeed<'de> for Tables<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, F: Fill + Default> Visitor<'de> for Tables<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let mut one = F::default();
            let table = Table {
                names: self.names,
                expecting: self.expecting,
                take: &mut one,
            };
            if list.next_element_seed(table)?.is_none() {
                return Ok(());
            }
            self.take.push(one);
        }
    }
}

impl Fill for MatrixSpec {
    fn fill<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error> {
        match name {
            Name::Word("suites") => self.suites = map.next_value_seed(suites())?,
            Name::Word("suite") => map.next_value_seed(Suites(&mut self.named))?,
            Name::Word("include") => map.next_value_seed(Tables {
                names: Names {
                    axes: true,
                    words: &[],
                },
                expecting: "a list of tables, each with axes",
                take: &mut self.include,
            })?,
            Name::Word("exclude") => map.next_value_seed(Tables {
                names: Names {
                    axes: true,
                    words: &["reason"],
                },
                expecting: "a list of tables, each with axes and a reason",
                take: &mut self.exclude,
            })?,
            Name::Word(_) => map.next_value_seed(Tables {
                names: Names {
                    axes: false,
                    words: &["when", "suites"],
                },
                expecting: "a list of tables, each with `when` and settings",
                take: &mut self.overrides,
            })?,
            name => self.axes.fill(name, map)?,
        }
        Ok(())
    }
}

impl Fill for Axes {
    fn fill<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error> {
        match name {
            Name::Axis("kubernetes") => self.kubernetes = values(map, &parse)?,
            Name::Axis("cni") => self.cni = values(map, &parse)?,
            Name::Axis("arch") => self.arch = values(map, &parse)?,
            Name::Axis(_) => self.nodes = values(map, &parse)?,
            Name::Setting(key) => {
                let checked = values(map, &|text| setting(key, text))?;
                self.settings.insert(key.name(), checked);
            }
            Name::Word(word) => {
                return Err(de::Error::custom(format!("`{word}` has no place here")));
            }
        }
        Ok(())
    }
}

fn values<'de, T, A: MapAccess<'de>>(
    map: &mut A,
    parse: &dyn Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, A::Error> {
    map.next_value_seed(Some1(One { parse }))
}

/// A value of a key, if it is one.
fn setting(key: &Key, text: &str) -> Result<String, String> {
    (key.take_text)(text, &mut Layer::default())?;
    Ok(text.to_owned())
}

/// Names of suites.
fn suites() -> Some1<'static, String> {
    Some1(One {
        parse: &|text| {
            if suite_name(text) {
                Ok(text.to_owned())
            } else {
                Err(format!(
                    "`{text}` cannot name a suite: use up to 40 lower-case letters, digits and `-`"
                ))
            }
        },
    })
}

impl Fill for Exclude {
    fn fill<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error> {
        match name {
            Name::Word(_) => self.reason = Some(map.next_value()?),
            name => self.which.fill(name, map)?,
        }
        Ok(())
    }
}

impl Fill for Override {
    fn fill<'de, A: MapAccess<'de>>(&mut self, name: Name, map: &mut A) -> Result<(), A::Error> {
        match name {
            Name::Word("when") => map.next_value_seed(Table {
                names: Names {
                    axes: true,
                    words: &[],
                },
                expecting: "a table of axes",
                take: &mut self.when,
            })?,
            Name::Word(_) => self.suites = Some(map.next_value_seed(suites())?),
            Name::Setting(key) => {
                let parse = |text: &str| setting(key, text);
                let value = map.next_value_seed(One { parse: &parse })?;
                self.settings.insert(key.name(), value);
            }
            Name::Axis(axis) => {
                return Err(de::Error::custom(format!("`{axis}` belongs into `when`")));
            }
        }
        Ok(())
    }
}

/// `[matrix.suite.NAME]` by their names.
struct Suites<'a>(&'a mut BTreeMap<String, SuiteSpec>);

impl<'de> DeserializeSeed<'de> for Suites<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Suites<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table for each suite")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let one = || suites().0;
        while let Some(name) = map.next_key_seed(one())? {
            self.0.insert(name, map.next_value()?);
        }
        Ok(())
    }
}
