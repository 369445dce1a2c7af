//! Layers from TOML text. Each error names the line and column.

use std::ops::Range;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::suggest::nearest;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{ConfigError, Place, line_of};
use super::keys::{KEYS, Layer};
use super::table::{Key, Origin, Source};

/// The table of profiles: each is a layer of its own over the file's.
pub(super) const PROFILES: &str = "profile";

/// What a file says, and where.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    layer: Layer,
    origins: Vec<(String, Origin)>,
}

impl Source for FileLayer {
    fn layer(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn origin(&self, key: &Key) -> Origin {
        let name = key.name();
        let found = self.origins.iter().find(|(known, _)| *known == name);
        found.map_or(Origin::Default, |(_, origin)| origin.clone())
    }
}

/// A file's own layer, and the one of the profile that was asked for.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) profile: FileLayer,
    pub(super) file: FileLayer,
}

/// A file's text and names.
pub(super) struct TomlFile<'a> {
    pub(super) path: &'a Utf8Path,
    pub(super) shown: String,
    pub(super) text: &'a str,
}

impl TomlFile<'_> {
    /// Reads the table at `section`, the root for none, and `profile` of it. A missing section says nothing.
    pub(super) fn read(
        &self,
        section: &[&str],
        profile: Option<&str>,
    ) -> Result<Found, ConfigError> {
        let document = DeTable::parse(self.text).map_err(|error| self.toml_error(&error))?;
        let mut table = document.into_inner();
        for name in section {
            table = match table.remove(*name).map(toml::Spanned::into_inner) {
                Some(DeValue::Table(inner)) => inner,
                _ => DeTable::new(),
            };
        }
        let profiles = table.remove(PROFILES);
        let origin = |line| Origin::File(self.shown.clone(), line);
        Ok(Found {
            file: self.layer(table, &origin)?,
            profile: self.profile(profiles, profile)?,
        })
    }

    /// All profiles are read, so that a mistake shows before a profile is wanted.
    fn profile(
        &self,
        profiles: Option<toml::Spanned<DeValue<'_>>>,
        asked: Option<&str>,
    ) -> Result<FileLayer, ConfigError> {
        let (mut found, mut known) = (None, Vec::new());
        if let Some(profiles) = profiles {
            for (name, table) in self.table(profiles, "a table of profiles")? {
                let span = name.span();
                let name = name.into_inner().into_owned();
                let table = self.table(table, "a table of settings")?;
                let origin = |line| Origin::Profile(self.shown.clone(), line, name.clone());
                let layer = self.layer(table, &origin)?;
                if asked == Some(name.as_str()) {
                    found = Some(layer);
                }
                known.push((name, span));
            }
        }
        match (found, asked) {
            (Some(layer), _) => Ok(layer),
            (None, None) => Ok(FileLayer::default()),
            (None, Some(asked)) => Err(self.unknown_profile(asked, &known)),
        }
    }

    fn table<'d>(
        &self,
        value: toml::Spanned<DeValue<'d>>,
        expected: &str,
    ) -> Result<DeTable<'d>, ConfigError> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Ok(table),
            other => Err(ConfigError::File {
                message: format!("expected {expected}, found {}", other.type_str()),
                place: Place::new(self.shown.clone(), self.text, &span),
                help: Some(format!("write [{PROFILES}.NAME] and the keys below it")),
            }),
        }
    }

    fn layer(
        &self,
        table: DeTable<'_>,
        origin: &dyn Fn(usize) -> Origin,
    ) -> Result<FileLayer, ConfigError> {
        let mut found = FileLayer::default();
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
            let line = line_of(self.text, span.start);
            found.origins.push((key.name(), origin(line)));
            (key.take_toml)(
                ValueDeserializer::from(value),
                folder.as_str(),
                &mut found.layer,
            )
            .map_err(|error| self.value_error(key, &error))?;
        }
        Ok(found)
    }

    fn unknown_profile(&self, asked: &str, known: &[(String, Range<usize>)]) -> ConfigError {
        let message = format!("there is no profile `{asked}`");
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let near = nearest(asked, names.iter().copied());
        let pointed = known
            .iter()
            .find(|(name, _)| near.is_none_or(|near| near == name));
        let Some((_, span)) = pointed else {
            return ConfigError::Profile {
                message: format!("{message}: {} has none", self.shown),
                help: format!("write [{PROFILES}.{asked}] and the keys that differ below it"),
            };
        };
        ConfigError::File {
            message,
            place: Place::new(self.shown.clone(), self.text, span),
            help: Some(near.map_or_else(
                || format!("known are {}", names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            )),
        }
    }

    fn unknown_key(&self, name: &str, span: &Range<usize>) -> ConfigError {
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
