//! Kubernetes as Go modules: one module of our own that requires `k8s.io/kubernetes`.
//!
//! Upstream's main module replaces its staging modules (`k8s.io/api` and so on) by folders.
//! The module proxy has each of them under the version 0.x of the same release, so the same
//! replacements by version give the same sources, all checked by the checksum database.

use std::path::{Path, PathBuf};

use fs_err as fs;
use kcluster_matrix::{Arch, KubeVersion};

use super::components::{files, write_sources};
use super::product::Product;
use super::toolchain::{Build, Module};
use crate::builder::Builder;
use crate::cache::Entry;
use crate::error::{Error, Result};
use crate::recipe::Recipe;

const MODULE: &str = "k8s.io/kubernetes";

/// Never built; keeps in `go.mod` what is built by its import path.
const DEPS: &str = "//go:build never

package main

import (
	_ \"github.com/onsi/ginkgo/v2/ginkgo\"
	_ \"k8s.io/kubernetes/test/e2e\"
	_ \"k8s.io/kubernetes/test/images/agnhost\"
)
";

/// Sources of Kubernetes, and our module around them.
pub(crate) struct KubernetesModule {
    version: KubeVersion,
    /// Upstream's sources, read-only.
    pub(crate) sources: PathBuf,
    /// Our module around them.
    module: Entry,
    /// Keeps the sources where they are a revision's.
    _tree: Option<Entry>,
}

impl KubernetesModule {
    /// Fetches the sources and writes the module around them.
    pub(crate) async fn prepare(builder: &Builder, version: &KubeVersion) -> Result<Self> {
        let go = builder.go().await?;
        let Module {
            dir: sources,
            go_mod,
        } = go
            .download(MODULE, &version.to_string(), builder.cache.root())
            .await?;
        let upstream = fs::read_to_string(&go_mod)?;
        let around = go_mod_around(&upstream, version, None)?;
        // What is in it follows from the version.
        let module = module(builder, version, "", &around).await?;
        Ok(Self {
            version: version.clone(),
            sources,
            module,
            _tree: None,
        })
    }

    /// The same around a revision's tree; `version` is what it is stamped with.
    pub(crate) async fn of_tree(
        builder: &Builder,
        version: &KubeVersion,
        tree: Entry,
    ) -> Result<Self> {
        let sources = tree.path("tree");
        let go_mod = sources.join("go.mod");
        let upstream = fs::read_to_string(&go_mod)?;
        let module_line = format!("module {MODULE}");
        if !upstream.lines().any(|line| line.trim() == module_line) {
            return Err(Error::malformed(
                go_mod.display().to_string(),
                format!("it is not the go.mod of {MODULE}, so this is no tree of Kubernetes"),
            ));
        }
        let around = go_mod_around(&upstream, version, Some(&sources))?;
        // Where the tree lies is in it, and says what is in the tree.
        let module = module(builder, version, &around, &around).await?;
        Ok(Self {
            version: version.clone(),
            sources,
            module,
            _tree: Some(tree),
        })
    }

    /// Builds something of it; the binary lies in the entry under its name.
    pub(crate) async fn build(
        &self,
        builder: &Builder,
        product: Product,
        arch: Arch,
    ) -> Result<PathBuf> {
        self.entry(builder, product, arch)
            .await
            .map(|entry| entry.path(product.binary()))
    }

    pub(crate) async fn entry(
        &self,
        builder: &Builder,
        product: Product,
        arch: Arch,
    ) -> Result<Entry> {
        let go = builder.go().await?;
        let (package, kind) = product.package();
        let ldflags = ldflags(&self.version);
        let module: &Path = &self.module.path("");
        let recipe = Recipe::new("kubernetes", 2)
            .with("go.mod", fs::read(module.join("go.mod"))?)
            .with("go.sum", fs::read(module.join("go.sum"))?)
            .with_all("package", &package)
            .with("ldflags", &ldflags)
            .with("go", &go.version)
            .with("arch", arch.as_str());
        // What only it is made of; the others need not be built anew for it.
        let recipe = product.files().iter().try_fold(recipe, |recipe, path| {
            fs::read(module.join(path)).map(|content| recipe.with(path, content))
        })?;
        let what = format!("{} {} ({arch})", product.binary(), self.version);
        builder
            .cache
            .get(
                ("kubernetes", &recipe.key()),
                &what,
                &*builder.sink,
                async |dir: PathBuf| {
                    let _slot = builder.slot().await;
                    let build = Build {
                        package: &package,
                        kind,
                        arch,
                        tags: &[],
                        ldflags: &ldflags,
                    };
                    go.build(&build, module, &dir.join(product.binary())).await
                },
            )
            .await
    }
}

impl Builder {
    /// Versions of Kubernetes that Go's module proxy lists, pre-releases included, the oldest first.
    ///
    /// # Errors
    /// When Go is missing, or no proxy lists any.
    pub async fn listed_versions(&self) -> Result<Vec<KubeVersion>> {
        let listed = self.go().await?.versions(MODULE, self.cache.root()).await?;
        // What is no version of Kubernetes 1 is nothing that could be booted.
        Ok(listed.iter().filter_map(|text| text.parse().ok()).collect())
    }
}

/// Our module with that `go.mod`; `told` is what distinguishes it beside its version.
async fn module(
    builder: &Builder,
    version: &KubeVersion,
    told: &str,
    go_mod: &str,
) -> Result<Entry> {
    let go = builder.go().await?;
    let recipe = files("kubernetes")
        .fold(
            Recipe::new("kubernetes-module", 1),
            |recipe, (path, content)| recipe.with(path, content),
        )
        .with("deps", DEPS)
        .with("go", &go.version)
        .with("version", version.to_string());
    let recipe = match told {
        "" => recipe,
        told => recipe.with("go.mod", told),
    };
    let what = format!("modules of Kubernetes {version}");
    let make = async |dir: PathBuf| {
        write_sources("kubernetes", &[], &dir)?;
        fs::write(dir.join("deps.go"), DEPS)?;
        fs::write(dir.join("go.mod"), go_mod)?;
        go.tidy(&dir).await
    };
    let place = ("kubernetes-module", &recipe.key());
    builder.cache.get(place, &what, &*builder.sink, make).await
}

/// Upstream's own release stamps; kubeadm, kubectl and the API server report and compare them.
fn ldflags(version: &KubeVersion) -> String {
    let stamp = "k8s.io/component-base/version";
    format!(
        "-s -w -X {stamp}.gitVersion={version} -X {stamp}.gitMajor={} -X {stamp}.gitMinor={} -X {stamp}.gitTreeState=clean",
        version.major(),
        version.minor(),
    )
}

/// A `go.mod` that requires that version and replaces its staging modules as it does itself: by folders of `tree`
/// where it has them, or else by the modules of the release.
///
/// A tree goes by the version of its release, whatever it is stamped with: Go's build cache knows packages by it,
/// so that all revisions of a release share what they have in common.
fn go_mod_around(upstream: &str, version: &KubeVersion, tree: Option<&Path>) -> Result<String> {
    let staging: Vec<(&str, &str)> = upstream
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("replace ").split_once("=>"))
        .filter(|(_, target)| target.trim().starts_with("./staging/"))
        .filter_map(|(module, target)| Some((module.split_whitespace().next()?, target.trim())))
        .collect();
    let release = match tree {
        None => version.clone(),
        Some(_) => version.release(),
    };
    let language = upstream.lines().find(|line| line.starts_with("go "));
    let (Some(language), false) = (language, staging.is_empty()) else {
        return Err(Error::malformed(
            format!("go.mod of Kubernetes {version}"),
            "it names no Go version or replaces no staging module",
        ));
    };
    let mut text = format!("module kcluster.dev/components/kubernetes\n\n{language}\n\n");
    for line in godebug(upstream) {
        text.push_str(&format!("godebug {line}\n"));
    }
    text.push_str(&format!("\nrequire {MODULE} {release}\n\nreplace (\n"));
    if let Some(tree) = tree {
        text.push_str(&format!("\t{MODULE} => {}\n", quoted(tree)));
    }
    for (module, target) in staging {
        let folder = tree
            .map(|tree| tree.join(target))
            .filter(|folder| folder.join("go.mod").is_file());
        let by = match folder {
            Some(folder) => quoted(&folder),
            None => format!("{module} {}", release.staging()),
        };
        text.push_str(&format!("\t{module} => {by}\n"));
    }
    text.push_str(")\n");
    Ok(text)
}

/// A path as `go.mod` takes it, whatever is in it.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

/// The settings of all `godebug` lines and blocks.
fn godebug(go_mod: &str) -> Vec<&str> {
    let mut inside = false;
    let mut settings = Vec::new();
    for line in go_mod.lines().map(str::trim) {
        match line {
            "godebug (" => inside = true,
            ")" => inside = false,
            _ if inside && !line.is_empty() && !line.starts_with("//") => settings.push(line),
            _ => settings.extend(line.strip_prefix("godebug ")),
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPSTREAM: &str = "module k8s.io/kubernetes

go 1.26.0

godebug default=go1.26

godebug (
	// why
	winsymlink=0
)

require (
	k8s.io/api v0.0.0
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/kubectl v0.0.0 => ./staging/src/k8s.io/kubectl
	example.com/other => example.com/fork v1.0.0
)
";

    #[test]
    fn the_module_follows_upstreams() {
        let version = "1.36.3".parse().unwrap();
        let text = go_mod_around(UPSTREAM, &version, None).unwrap();
        assert_eq!(
            text,
            "module kcluster.dev/components/kubernetes

go 1.26.0

godebug default=go1.26
godebug winsymlink=0

require k8s.io/kubernetes v1.36.3

replace (
	k8s.io/api => k8s.io/api v0.36.3
	k8s.io/kubectl => k8s.io/kubectl v0.36.3
)
"
        );
    }

    #[test]
    fn a_tree_replaces_what_it_has() {
        let tree = tempfile::tempdir().unwrap();
        let api = tree.path().join("staging/src/k8s.io/api");
        fs::create_dir_all(&api).unwrap();
        fs::write(api.join("go.mod"), "module k8s.io/api\n").unwrap();
        let version = "1.37.0-alpha.1.12+0123456789abcd".parse().unwrap();
        let text = go_mod_around(UPSTREAM, &version, Some(tree.path())).unwrap();
        let folder = tree.path().display();
        assert!(
            text.contains("require k8s.io/kubernetes v1.37.0\n"),
            "{text}"
        );
        assert!(
            text.contains(&format!("\tk8s.io/kubernetes => \"{folder}\"\n")),
            "{text}"
        );
        let api = format!("\tk8s.io/api => \"{folder}/./staging/src/k8s.io/api\"\n");
        assert!(text.contains(&api), "{text}");
        assert!(
            text.contains("\tk8s.io/kubectl => k8s.io/kubectl v0.37.0\n"),
            "{text}"
        );
    }

    #[test]
    fn a_go_mod_without_staging_modules_is_refused() {
        let version = "1.36.3".parse().unwrap();
        let error = go_mod_around("module x\n\ngo 1.26\n", &version, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("go.mod of Kubernetes v1.36.3"), "{error}");
    }

    #[test]
    fn binaries_are_stamped_with_their_release() {
        let flags = ldflags(&"1.36.3".parse().unwrap());
        assert!(
            flags.contains("gitVersion=v1.36.3 ") && flags.contains("gitMinor=36 "),
            "{flags}"
        );
    }
}
