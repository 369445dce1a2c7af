//! Calling `go`: always without cgo, always checked by the checksum database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kcluster_matrix::Arch;
use serde::Deserialize;

use crate::command::{Run, Tool};
use crate::error::{Error, Result};

const TOOL: Tool = Tool {
    purpose: "build Kubernetes and the parts of a node",
    package: "golang-go",
};

/// A Go toolchain.
#[derive(Debug)]
pub(crate) struct Go {
    command: PathBuf,
    /// Such as `go1.26.8`.
    pub(crate) version: String,
}

/// Whether a package is built as a program or as its tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Program,
    Tests,
}

/// One call of the compiler.
#[derive(Debug, Clone)]
pub(crate) struct Build<'a> {
    /// A package, or the files of one.
    pub(crate) package: &'a [String],
    pub(crate) kind: Test,
    pub(crate) arch: Arch,
    pub(crate) tags: &'a [&'a str],
    pub(crate) ldflags: &'a str,
}

/// What `go mod download -json` tells of a module.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Module {
    #[serde(default)]
    pub(crate) dir: PathBuf,
    #[serde(default)]
    pub(crate) go_mod: PathBuf,
}

impl Go {
    pub(crate) async fn find(command: &Path, dir: &Path) -> Result<Self> {
        let mut go = Self {
            command: command.to_owned(),
            version: String::new(),
        };
        let environment = go
            .run(dir, Path::new("env"))
            .args(["-json", "GOVERSION"])
            .output()
            .await?;
        let mut environment: BTreeMap<String, String> = serde_json::from_str(&environment)
            .map_err(|error| Error::malformed("the answer of `go env`", error))?;
        go.version = environment.remove("GOVERSION").unwrap_or_default();
        Ok(go)
    }

    fn run(&self, dir: &Path, subcommand: &Path) -> Run {
        let mut run = Run::new(&self.command, dir);
        if std::env::var_os("GOSUMDB").is_some_and(|value| value == "off") {
            run = run.without_env("GOSUMDB");
        }
        run.brought_by(TOOL)
            .arg(subcommand)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            // A work folder may lie in a repository that has nothing to do with what is built.
            .env("GOFLAGS", "-buildvcs=false")
            // Modules are always checked against the checksum database. A pattern that is nobody's, since nothing at
            // all would mean what GOPRIVATE says.
            .env("GONOSUMDB", "none.invalid")
            .without_env("GONOSUMCHECK")
            .without_env("GOINSECURE")
            .without_env("GOOS")
            .without_env("GOARCH")
    }

    /// Fetches a module into Go's cache, checked.
    pub(crate) async fn download(&self, module: &str, version: &str, dir: &Path) -> Result<Module> {
        let wanted = format!("{module}@{version}");
        let text = self
            .run(dir, Path::new("mod"))
            .args(["download", "-json", &wanted])
            .output()
            .await?;
        serde_json::from_str(&text).map_err(|error| {
            Error::malformed(format!("the answer of `go mod download {wanted}`"), error)
        })
    }

    /// Versions of a module that the proxy lists, pre-releases included, the oldest first.
    pub(crate) async fn versions(&self, module: &str, dir: &Path) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            #[serde(default)]
            versions: Vec<String>,
        }
        // A proxy may list what it does not have, and then cannot say whether it was retracted.
        let text = self
            .run(dir, Path::new("list"))
            .args(["-m", "-retracted", "-versions", "-json", module])
            .output()
            .await?;
        let listed: Listed = serde_json::from_str(&text).map_err(|error| {
            Error::malformed(
                format!("the answer of `go list -m -versions {module}`"),
                error,
            )
        })?;
        Ok(listed.versions)
    }

    pub(crate) async fn tidy(&self, dir: &Path) -> Result<()> {
        self.run(dir, Path::new("mod"))
            .arg("tidy")
            .output()
            .await
            .map(drop)
    }

    pub(crate) async fn build(&self, build: &Build<'_>, dir: &Path, output: &Path) -> Result<()> {
        let mut run = match build.kind {
            Test::Program => self.run(dir, Path::new("build")),
            Test::Tests => self.run(dir, Path::new("test")).arg("-c"),
        };
        run = run.args(["-trimpath", "-ldflags", build.ldflags]);
        if !build.tags.is_empty() {
            run = run.args(["-tags", &build.tags.join(",")]);
        }
        run.arg("-o")
            .arg(output)
            .args(build.package)
            .env("GOOS", "linux")
            .env("GOARCH", build.arch.as_str())
            // A build that is ended leaves gigabytes of its own behind: here they go with what it was to make.
            .env("GOTMPDIR", output.parent().unwrap_or(dir))
            .output()
            .await
            .map(drop)
    }
}
