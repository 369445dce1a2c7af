//! Values of an axis: one, or a list of them.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// One value, read from its text by `parse`; numbers, booleans and tables are turned into text first.
#[derive(Clone, Copy)]
pub(super) struct One<'a, T> {
    pub(super) parse: &'a dyn Fn(&str) -> Result<T, String>,
}

impl<'de, T> DeserializeSeed<'de> for One<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for One<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(format!(
            "{number} is a number with a point; put versions in quotes"
        )))
    }

    fn visit_bool<E: de::Error>(self, is: bool) -> Result<T, E> {
        self.visit_str(if is { "true" } else { "false" })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let table = toml::Table::deserialize(MapAccessDeserializer::new(map))?;
        self.visit_str(&toml::Value::Table(table).to_string())
    }
}

/// One value or a list of them, at least one.
#[derive(Clone, Copy)]
pub(super) struct Some1<'a, T>(pub(super) One<'a, T>);

impl<'de, T> DeserializeSeed<'de> for Some1<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<T>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for Some1<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        let one = One {
            parse: self.0.parse,
        };
        while let Some(value) = list.next_element_seed(one_again(&one))? {
            values.push(value);
        }
        if values.is_empty() {
            return Err(de::Error::custom(
                "the list is empty; give at least one value",
            ));
        }
        Ok(values)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        self.0.visit_str(text).map(|value| vec![value])
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Vec<T>, E> {
        self.0.visit_i64(number).map(|value| vec![value])
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Vec<T>, E> {
        self.0.visit_f64(number).map(|value| vec![value])
    }

    fn visit_bool<E: de::Error>(self, is: bool) -> Result<Vec<T>, E> {
        self.0.visit_bool(is).map(|value| vec![value])
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        self.0.visit_map(map).map(|value| vec![value])
    }
}

/// A seed is used up by each element.
fn one_again<'a, T>(one: &One<'a, T>) -> One<'a, T> {
    One { parse: one.parse }
}
