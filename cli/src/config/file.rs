//! A layer from TOML text. Each error names the line and column.

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::suggest::nearest;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{ConfigError, Place, line_of};
use super::keys::{KEYS, Layer};
use super::table::{Key, Origin, Source};

/// What a file says, and on which line.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    layer: Layer,
    shown: String,
    lines: Vec<(String, usize)>,
}

impl Source for FileLayer {
    fn layer(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn origin(&self, key: &Key) -> Origin {
        let name = key.name();
        let line = self.lines.iter().find(|(known, _)| *known == name);
        Origin::File(self.shown.clone(), line.map_or(1, |(_, line)| *line))
    }
}

/// A file's text and names.
pub(super) struct TomlFile<'a> {
    pub(super) path: &'a Utf8Path,
    pub(super) shown: String,
    pub(super) text: &'a str,
}

impl TomlFile<'_> {
    /// Reads the table at `section`, the root for none; a missing section says nothing.
    pub(super) fn read(&self, section: &[&str]) -> Result<FileLayer, ConfigError> {
        let document = DeTable::parse(self.text).map_err(|error| self.toml_error(&error))?;
        let mut table = document.into_inner();
        for name in section {
            table = match table.remove(*name).map(toml::Spanned::into_inner) {
                Some(DeValue::Table(inner)) => inner,
                _ => return Ok(FileLayer::default()),
            };
        }
        let mut found = FileLayer {
            shown: self.shown.clone(),
            ..FileLayer::default()
        };
        let folder = self
            .path
            .parent()
            .map_or_else(Utf8PathBuf::new, Utf8Path::to_owned);
        for (name, value) in table {
            let span = name.span();
            let key = KEYS
                .iter()
                .find(|key| key.name() == *name.get_ref().as_ref())
                .ok_or_else(|| self.unknown_key(name.get_ref(), &span))?;
            found
                .lines
                .push((key.name(), line_of(self.text, span.start)));
            (key.take_toml)(
                ValueDeserializer::from(value),
                folder.as_str(),
                &mut found.layer,
            )
            .map_err(|error| self.value_error(key, &error))?;
        }
        Ok(found)
    }

    fn unknown_key(&self, name: &str, span: &std::ops::Range<usize>) -> ConfigError {
        let names: Vec<String> = KEYS.iter().map(Key::name).collect();
        let dashed = name.replace('_', "-");
        let near = nearest(&dashed, names.iter().map(String::as_str));
        ConfigError::File {
            message: format!("unknown key `{name}`"),
            place: Place::new(self.shown.clone(), self.text, span),
            help: Some(near.map_or_else(
                || "`cargo kcluster config init` prints every key".to_owned(),
                |near| format!("did you mean `{near}`?"),
            )),
        }
    }

    fn value_error(&self, key: &Key, error: &toml::de::Error) -> ConfigError {
        let name = key.name();
        let quoted = error.message().contains("in quotes");
        ConfigError::File {
            message: format!("key `{name}`: {}", error.message().trim_end()),
            place: self.place(error),
            help: quoted.then(|| format!("write {name} = \"…\"")),
        }
    }

    fn toml_error(&self, error: &toml::de::Error) -> ConfigError {
        ConfigError::File {
            message: format!("malformed TOML: {}", error.message().trim_end()),
            place: self.place(error),
            help: None,
        }
    }

    fn place(&self, error: &toml::de::Error) -> Place {
        Place::new(self.shown.clone(), self.text, &error.span().unwrap_or(0..0))
    }
}
