//! The embedded Go programs under `images/components`.

use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::Arch;

use super::toolchain::{Build, Test};
use crate::builder::Builder;
use crate::cache::Entry;
use crate::error::{Error, Result};
use crate::recipe::{Key, Recipe};

/// Path below `components/` and content of each file, sorted; made by build.rs.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/components.rs"));

/// The files of one component, by their path inside it.
pub(super) fn files(
    component: &str,
) -> impl Iterator<Item = (&'static str, &'static [u8])> + use<'_> {
    FILES.iter().filter_map(move |(path, content)| {
        let (name, inside) = path.split_once('/')?;
        (name == component).then_some((inside, *content))
    })
}

pub(super) fn write_sources(component: &str, without: &[&str], dir: &Path) -> Result<()> {
    for (path, content) in files(component).filter(|(path, _)| !without.contains(path)) {
        let target = dir.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(target, content)?;
    }
    Ok(())
}

/// Components that no node image has a part of, or only some: the others do not depend on them.
const ELSEWHERE: [&str; 5] = [
    "emulator",
    "flannel",
    "helm",
    "local-path-provisioner",
    "metrics-server",
];

/// A hash of all embedded sources that every node image is made of.
pub(crate) fn embedded_digest() -> Key {
    FILES
        .iter()
        .filter(|(path, _)| {
            path.split_once('/')
                .is_none_or(|(component, _)| !ELSEWHERE.contains(&component))
        })
        .fold(Recipe::new("embedded", 1), |recipe, (path, content)| {
            recipe.with(path, content)
        })
        .key()
}

/// A hash of the sources of these components.
pub(crate) fn components_digest(names: &[&str]) -> Key {
    names
        .iter()
        .flat_map(|name| {
            files(name).map(move |(path, content)| (format!("{name}/{path}"), content))
        })
        .fold(Recipe::new("components", 1), |recipe, (path, content)| {
            recipe.with(&path, content)
        })
        .key()
}

/// The version of a module that a component's own `go.mod` asks for.
pub(crate) fn module_version(component: &str, module: &str) -> Result<String> {
    let text = files(component)
        .find_map(|(path, content)| (path == "go.mod").then_some(content))
        .unwrap_or_default();
    String::from_utf8_lossy(text)
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("require ").split_once(' '))
        .find_map(|(name, version)| (name == module).then(|| version.to_owned()))
        .ok_or_else(|| {
            Error::malformed(
                format!("go.mod of the component {component}"),
                format!("it does not require {module}"),
            )
        })
}

/// What to build of a component.
pub(crate) struct Component<'a> {
    /// Its folder under `components/`.
    pub(crate) name: &'a str,
    /// In words, with a version: "etcd 3.6.8".
    pub(crate) title: String,
    /// A module to require where the component has no `go.mod` of its own.
    pub(crate) requires: Option<(&'a str, String)>,
    /// Packages and the names of their binaries.
    pub(crate) programs: &'a [(&'a str, &'a str)],
    /// Files of it that are for other versions of what it requires.
    pub(crate) without: &'a [&'a str],
    pub(crate) tags: &'a [&'a str],
    /// After `-s -w`.
    pub(crate) ldflags: String,
}

impl Builder {
    /// The programs of a component for an architecture, each under its name in the entry.
    pub(crate) async fn component(&self, component: &Component<'_>, arch: Arch) -> Result<Entry> {
        let go = self.go().await?;
        let ldflags = format!("-s -w {}", component.ldflags);
        let recipe = files(component.name)
            .filter(|(path, _)| !component.without.contains(path))
            .fold(Recipe::new("component", 1), |recipe, (path, content)| {
                recipe.with(path, content)
            })
            .with("go", &go.version)
            .with("arch", arch.as_str())
            .with("ldflags", &ldflags)
            .with("requires", format!("{:?}", component.requires))
            .with_all("tags", component.tags)
            .with_all(
                "programs",
                component
                    .programs
                    .iter()
                    .map(|(package, output)| format!("{package}={output}")),
            );
        let what = format!("{} ({arch})", component.title);
        self.cache
            .get(("component", &recipe.key()), &what, &*self.sink, async |dir: PathBuf| {
                let _slot = self.slot().await;
                let sources = dir.join("sources");
                fs::create_dir_all(&sources)?;
                write_sources(component.name, component.without, &sources)?;
                if let Some((module, version)) = &component.requires {
                    let text = format!(
                        "module kcluster.dev/components/{}\n\ngo 1.26\n\nrequire {module} {version}\n",
                        component.name
                    );
                    fs::write(sources.join("go.mod"), text)?;
                    go.tidy(&sources).await?;
                }
                for (package, output) in component.programs {
                    let build = Build {
                        package: &[(*package).to_owned()],
                        kind: Test::Program,
                        arch,
                        tags: component.tags,
                        ldflags: &ldflags,
                    };
                    go.build(&build, &sources, &dir.join(output)).await?;
                }
                fs::remove_dir_all(&sources)?;
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_embedded_without_their_tests() {
        for component in [
            "kubernetes",
            "etcd",
            "coredns",
            "pause",
            "busybox",
            "sample-apiserver",
            "plumbing",
            "node",
            "bake",
            "emulator",
            "flannel",
            "helm",
            "local-path-provisioner",
            "metrics-server",
        ] {
            assert!(
                files(component).any(|(path, _)| path.ends_with("main.go")),
                "{component}"
            );
        }
        assert!(FILES.iter().all(|(path, _)| !path.ends_with("_test.go")));
    }

    #[test]
    fn versions_come_from_the_component_itself() {
        let version = module_version("plumbing", "github.com/containerd/containerd/v2").unwrap();
        assert!(version.starts_with("v2."), "{version}");
        let error = module_version("plumbing", "example.com/none")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("plumbing") && error.contains("example.com/none"),
            "{error}"
        );
    }
}
