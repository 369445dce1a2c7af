//! What the process was given by its surroundings, read once.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

/// Variables and working directory. Tests make their own.
#[derive(Clone, Default)]
pub struct Host {
    /// The environment; what is not UTF-8 is left out.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub folder: Utf8PathBuf,
}

/// Names only: a token among the values is nobody's business.
impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("variables", &self.variables.keys())
            .field("folder", &self.folder)
            .finish()
    }
}

impl Host {
    /// This process's own.
    #[must_use]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let folder = std::env::current_dir()
            .ok()
            .and_then(|folder| Utf8PathBuf::from_path_buf(folder).ok())
            .unwrap_or_else(|| Utf8PathBuf::from("."));
        Self { variables, folder }
    }

    /// Someone's, the same on every machine: for what is told of defaults.
    #[must_use]
    pub fn of_nobody() -> Self {
        let mut nobody = Self::default();
        nobody.variables.insert("HOME".to_owned(), "~".to_owned());
        nobody
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// `path` as the user would write it here.
    #[must_use]
    pub fn shown(&self, path: &Utf8Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).to_string()
    }

    /// The default of `cache-dir`.
    #[must_use]
    pub fn cache_dir(&self) -> Utf8PathBuf {
        self.folder_of("XDG_CACHE_HOME", ".cache")
    }

    /// The default of `state-dir`.
    #[must_use]
    pub fn state_dir(&self) -> Utf8PathBuf {
        self.folder_of("XDG_STATE_HOME", ".local/state")
    }

    /// The default of `auto-snapshot`: the machine of a CI job seldom comes back, and then
    /// what was kept for the next time is of no use.
    #[must_use]
    pub fn keeps_state(&self) -> bool {
        self.variable("CI").is_none()
    }

    fn folder_of(&self, variable: &str, below_home: &str) -> Utf8PathBuf {
        let base = match (self.variable(variable), self.variable("HOME")) {
            (Some(folder), _) => Utf8PathBuf::from(folder),
            (None, Some(home)) => Utf8Path::new(home).join(below_home),
            (None, None) => Utf8PathBuf::from("/tmp").join(below_home),
        };
        base.join("kcluster")
    }
}
