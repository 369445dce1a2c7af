//! The key `matrix`: a table of axes, read with a place for each mistake.

mod names;
mod read;
mod schema;
#[cfg(test)]
pub(super) mod tests;
mod value;
mod write;

use std::collections::BTreeMap;

use kcluster_matrix::plan::MatrixSpec;
use toml::de::{Error, ValueDeserializer};

use super::keys::{KEYS, Layer};
use super::value::Value;
use super::values::inline;

/// The matrix, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix(pub Option<Box<MatrixSpec>>);

impl Value for Matrix {
    const NAME: &'static str = "TABLE";

    fn parse(text: &str) -> Result<Self, String> {
        inline(text)
    }

    fn from_toml(value: ValueDeserializer<'_>) -> Result<Self, Error> {
        let spec = read::matrix(value)?;
        let said = spec != MatrixSpec::default();
        Ok(Self(said.then(|| Box::new(spec))))
    }

    fn to_toml(&self) -> toml::Value {
        let spec = self.0.as_deref();
        toml::Value::Table(spec.map(write::matrix).unwrap_or_default())
    }

    fn schema() -> serde_json::Value {
        schema::matrix()
    }
}

/// The layer that these values of keys are.
///
/// # Errors
/// When a key is not known or a value is none of its.
pub fn layer_of(pairs: &BTreeMap<String, String>) -> Result<Layer, String> {
    let mut layer = Layer::default();
    for (name, text) in pairs {
        let key = KEYS.iter().find(|key| key.name() == *name);
        let key = key.ok_or_else(|| format!("there is no setting `{name}`"))?;
        (key.take_text)(text, &mut layer).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(layer)
}
