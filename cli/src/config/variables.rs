//! A layer from `KCLUSTER_*` variables.

use kcluster_matrix::suggest::nearest;

use super::error::ConfigError;
use super::host::Host;
use super::keys::{KEYS, Layer};
use super::table::{Key, Origin, Source};

/// Names the file; not a key.
pub(super) const CONFIG: &str = "KCLUSTER_CONFIG";

/// Names the profile; not a key either.
pub(super) const PROFILE: &str = "KCLUSTER_PROFILE";

/// What every variable of kcluster's begins with.
const PREFIX: &str = "KCLUSTER_";

/// What the environment says.
#[derive(Default)]
pub(super) struct VariableLayer {
    layer: Layer,
    names: Vec<(String, String)>,
}

impl Source for VariableLayer {
    fn layer(&mut self) -> &mut Layer {
        &mut self.layer
    }

    fn origin(&self, key: &Key) -> Origin {
        let name = key.name();
        let found = self.names.iter().find(|(known, _)| *known == name);
        Origin::Variable(found.map_or_else(|| key.variable(), |(_, variable)| variable.clone()))
    }
}

/// Reads every key's variable.
pub(super) fn read(host: &Host) -> Result<VariableLayer, ConfigError> {
    let mut found = VariableLayer::default();
    for key in KEYS {
        let names = std::iter::once(key.variable()).chain(key.also.map(str::to_owned));
        for variable in names {
            let Some(text) = host.variable(&variable) else {
                continue;
            };
            if let Err(message) = (key.take_text)(text, &mut found.layer) {
                return Err(ConfigError::Variable { variable, message });
            }
            found.names.push((key.name(), variable));
            break;
        }
    }
    Ok(found)
}

/// Variables that look like a misspelt key's: the name, and what was meant.
pub(super) fn misspelt(host: &Host) -> Vec<(String, String)> {
    let mut known: Vec<String> = KEYS.iter().map(Key::variable).collect();
    known.extend(KEYS.iter().filter_map(|key| key.also).map(str::to_owned));
    known.extend([CONFIG, PROFILE].map(str::to_owned));
    let bare: Vec<&str> = known
        .iter()
        .filter_map(|name| name.strip_prefix(PREFIX))
        .collect();
    host.variables
        .keys()
        .filter(|name| !known.contains(name))
        .filter_map(|name| {
            let near = nearest(name.strip_prefix(PREFIX)?, bare.iter().copied())?;
            Some((name.clone(), format!("{PREFIX}{near}")))
        })
        .collect()
}
