//! Which mirrors to take packages from: the ones that the machine's own apt uses.

use std::path::Path;

use fs_err as fs;

use crate::error::{Error, Result};

/// Names of Debian's releases, by which its archive is told from others in apt's sources.
const SUITES: [&str; 11] = [
    "stable",
    "testing",
    "unstable",
    "oldstable",
    "sid",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];

/// Where Debian's packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mirrors {
    /// The archive.
    pub(crate) archive: String,
    /// Security updates, where they are known to be had.
    pub(crate) security: Option<String>,
}

impl Mirrors {
    /// What was set, or else what apt on this machine uses.
    pub(crate) fn find(set: Option<&str>, apt: &Path, suite: &str) -> Result<Self> {
        if let Some(archive) = set {
            return Ok(Self {
                archive: archive.trim_end_matches('/').to_owned(),
                security: None,
            });
        }
        let sources = read_sources(apt)?;
        let with_suite = |wanted: &dyn Fn(&str) -> bool| {
            sources
                .iter()
                .find(|source| source.suites.iter().any(|suite| wanted(suite)))
                .map(|source| source.uri.trim_end_matches('/').to_owned())
        };
        let archive =
            with_suite(&|suite| SUITES.contains(&suite)).ok_or_else(|| Error::NoMirror {
                suite: suite.to_owned(),
                looked: format!("apt's sources in {}", apt.display()),
            })?;
        let is_security = |suite: &str| {
            suite
                .strip_suffix("-security")
                .is_some_and(|suite| SUITES.contains(&suite))
        };
        Ok(Self {
            archive,
            security: with_suite(&is_security),
        })
    }

    /// Lines of a sources list for that release.
    pub(crate) fn lines(&self, suite: &str, keyring: &Path) -> Vec<String> {
        let line = |uri: &str, suite: &str| {
            format!("deb [signed-by={}] {uri} {suite} main", keyring.display())
        };
        let mut lines = vec![
            line(&self.archive, suite),
            line(&self.archive, &format!("{suite}-updates")),
        ];
        lines.extend(
            self.security
                .iter()
                .map(|uri| line(uri, &format!("{suite}-security"))),
        );
        lines
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suites: Vec<String>,
}

fn read_sources(apt: &Path) -> Result<Vec<Source>> {
    let mut files = vec![apt.join("sources.list")];
    if let Ok(folder) = fs::read_dir(apt.join("sources.list.d")) {
        for entry in folder {
            files.push(entry?.path());
        }
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(text.lines().filter_map(one_line)),
            Some("sources") => sources.extend(deb822(&text)),
            _ => {}
        }
    }
    Ok(sources)
}

/// `deb [options] uri suite component…`
fn one_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb ")?.trim_start();
    if rest.starts_with('[') {
        rest = rest.split_once(']')?.1;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    is_remote(uri).then(|| Source {
        uri: uri.to_owned(),
        suites: vec![suite.to_owned()],
    })
}

/// Paragraphs of `Field: values`, continued on indented lines.
fn deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut paragraph: Vec<(String, String)> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .chain([""])
    {
        if line.trim().is_empty() {
            sources.extend(source_of(&paragraph));
            paragraph.clear();
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = paragraph.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            paragraph.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn source_of(paragraph: &[(String, String)]) -> Option<Source> {
    let words = |wanted: &str| {
        paragraph
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| {
                value
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default()
    };
    if !words("types").contains(&"deb".to_owned()) || words("enabled") == ["no"] {
        return None;
    }
    let uri = words("uris").into_iter().find(|uri| is_remote(uri))?;
    Some(Source {
        uri,
        suites: words("suites"),
    })
}

fn is_remote(uri: &str) -> bool {
    ["http://", "https://", "file:"]
        .iter()
        .any(|scheme| uri.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apt(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn both_formats_of_apt_are_read() {
        let list = "# deb http://no.invalid/debian trixie main
deb [arch=amd64] https://other.invalid/apt cloud-sdk-bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.invalid/debian/ bookworm main # why
deb http://mirror.invalid/debian-security bookworm-security main
";
        let sources = "Types: deb deb-src
# a comment inside
URIs: http://mirror.invalid/debian
Suites: bookworm
 bookworm-updates
Components: main

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: bookworm-security
Components: main
";
        let wanted = Mirrors {
            archive: "http://mirror.invalid/debian".into(),
            security: Some("http://mirror.invalid/debian-security".into()),
        };
        for files in [
            ("sources.list", list),
            ("sources.list.d/debian.sources", sources),
        ] {
            let folder = apt(&[files]);
            assert_eq!(
                Mirrors::find(None, folder.path(), "trixie").unwrap(),
                wanted
            );
        }
        let lines = wanted.lines("trixie", Path::new("/k.gpg"));
        assert_eq!(
            lines[0],
            "deb [signed-by=/k.gpg] http://mirror.invalid/debian trixie main"
        );
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn other_archives_and_disabled_ones_are_passed_over() {
        let folder = apt(&[
            (
                "sources.list",
                "deb http://mirror.invalid/ubuntu noble main\n",
            ),
            (
                "sources.list.d/a.sources",
                "Enabled: no\nTypes: deb\nURIs: http://x.invalid/debian\nSuites: trixie\n",
            ),
            (
                "sources.list.d/b.sources",
                "Types: deb-src\nURIs: http://x.invalid/debian\nSuites: trixie\n",
            ),
        ]);
        let error = Mirrors::find(None, folder.path(), "trixie")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`trixie`") && error.contains("KCLUSTER_DEBIAN_MIRROR"),
            "{error}"
        );
        let set =
            Mirrors::find(Some("http://own.invalid/debian/"), folder.path(), "trixie").unwrap();
        assert_eq!(set.archive, "http://own.invalid/debian");
    }
}
