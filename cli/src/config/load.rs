//! Finds the layers and lays them over each other.

use camino::Utf8Path;

use super::error::ConfigError;
use super::file::{Found, TomlFile};
use super::host::Host;
use super::keys::{Layer, Settings};
use super::table::{Key, Origin, Source};
use super::{metadata, variables};

/// The file looked for from the working directory upwards.
const FILE: &str = "kcluster.toml";

/// What the command line chooses of files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chosen<'a> {
    /// This one instead of the nearest.
    pub file: Option<&'a Utf8Path>,
    /// This profile of it.
    pub profile: Option<&'a str>,
}

struct FlagLayer(Layer);

impl Source for FlagLayer {
    fn layer(&mut self) -> &mut Layer {
        &mut self.0
    }

    fn origin(&self, key: &Key) -> Origin {
        Origin::Flag(format!("--{}", key.name()))
    }
}

/// Any of the three kinds, so that they stand in one list.
impl Source for Box<dyn Source> {
    fn layer(&mut self) -> &mut Layer {
        (**self).layer()
    }

    fn origin(&self, key: &Key) -> Origin {
        (**self).origin(key)
    }
}

/// Every setting, with its origin, and warnings about what looks mistaken.
///
/// # Errors
/// When a file or variable cannot be taken; nothing is changed before that is known.
pub fn load(
    flags: Layer,
    chosen: Chosen<'_>,
    host: &Host,
) -> Result<(Settings, Vec<String>), ConfigError> {
    let found = read_file(chosen, host)?;
    let from_variables = variables::read(host)?;
    let layers: Vec<Box<dyn Source>> = vec![
        Box::new(FlagLayer(flags)),
        Box::new(from_variables),
        Box::new(found.profile),
        Box::new(found.file),
    ];
    let mut settings = Settings::resolve(layers, host);
    settings.cache_dir = host.folder.join(&settings.cache_dir);
    settings.state_dir = host.folder.join(&settings.state_dir);
    let warnings = variables::misspelt(host)
        .into_iter()
        .map(|(name, near)| format!("variable {name} is not known; did you mean {near}?"))
        .collect();
    Ok((settings, warnings))
}

fn read_file(chosen: Chosen<'_>, host: &Host) -> Result<Found, ConfigError> {
    let from_variable = || host.variable(variables::CONFIG).map(Utf8Path::new);
    let profile = chosen
        .profile
        .or_else(|| host.variable(variables::PROFILE))
        .filter(|name| !name.is_empty());
    if let Some(path) = chosen.file.or_else(from_variable) {
        return read_toml(&host.folder.join(path), &[], profile, host);
    }
    let near = host
        .folder
        .ancestors()
        .map(|folder| folder.join(FILE))
        .find(|path| path.is_file());
    if let Some(path) = near {
        return read_toml(&path, &[], profile, host);
    }
    match (metadata::manifest(host)?, profile) {
        (Some(path), profile) => read_toml(&path, &metadata::SECTION, profile, host),
        (None, None) => Ok(Found::default()),
        (None, Some(profile)) => Err(ConfigError::Profile {
            message: format!("there is no profile `{profile}`: no {FILE} was found"),
            help: format!(
                "it is looked for in {} and above; --config names another",
                host.folder
            ),
        }),
    }
}

fn read_toml(
    path: &Utf8Path,
    section: &[&str],
    profile: Option<&str>,
    host: &Host,
) -> Result<Found, ConfigError> {
    let text = fs_err::read_to_string(path).map_err(ConfigError::Unreadable)?;
    let file = TomlFile {
        path,
        shown: host.shown(path),
        text: &text,
    };
    file.read(section, profile)
}
