//! Programs that only the tests need, from the host's own packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run::{cargo, check, root};

/// Programs, any of which will do, and the Debian package that brings the first.
const TOOLS: &[(&[&str], &str)] = &[
    (&["/usr/sbin/sshd"], "openssh-server"),
    (&["/usr/bin/ssh"], "openssh-client"),
    (&["/usr/bin/stunnel4"], "stunnel4"),
    (&["/usr/bin/openssl"], "openssl"),
    (&["/usr/bin/python3"], "python3-venv"),
    (&["/usr/bin/docker-registry"], "docker-registry"),
    (&["/usr/bin/shellcheck"], "shellcheck"),
    (&["/usr/bin/node", "/usr/local/bin/node"], "nodejs"),
    (&["/usr/bin/npm", "/usr/local/bin/npm"], "npm"),
    (&["/usr/bin/chromium", "/usr/bin/google-chrome"], "chromium"),
];

/// Programs built from their Go modules, at these versions.
const GO_TOOLS: &[(&str, &str)] = &[
    (
        "actionlint",
        "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12",
    ),
    ("act", "github.com/nektos/act@v0.2.89"),
];

/// An engine with Docker's containerd store, which Debian's last release does not have, as packages of the nodes' release:
/// packages, and links that their scripts would have made.
const ENGINE: &[&str] = &[
    "docker.io",
    "usr/sbin/ip6tables=xtables-nft-multi",
    "usr/sbin/iptables=xtables-nft-multi",
];

/// Installs what is missing, where that is possible; tests without their tool are skipped aloud.
pub(crate) fn install() -> Result<()> {
    packages()?;
    browser()?;
    prism()?;
    engine()?;
    ginkgo()?;
    GO_TOOLS.iter().try_for_each(|(program, _)| built(program))
}

fn packages() -> Result<()> {
    let there = |paths: &&[&str]| paths.iter().any(|path| Path::new(path).exists());
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(paths, _)| !there(paths))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(());
    }
    // A server that a package would start is not wanted: tests start their own.
    check(
        Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1"),
    )?;
    Ok(())
}

/// The packages of `tests/browser`, exactly those of its lock file; their own install scripts do not run.
fn browser() -> Result<()> {
    let folder = root().join("tests/browser");
    let written = |name: &str| fs_err::metadata(folder.join(name)).and_then(|it| it.modified());
    // npm writes this file last.
    let installed = written("node_modules/.package-lock.json").ok();
    if installed.is_some_and(|at| written("package-lock.json").is_ok_and(|lock| at >= lock)) {
        return Ok(());
    }
    check(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder),
    )?;
    Ok(())
}

/// The packages of `tests/prism`, exactly those of its lock file, in kcluster's cache: of GitHub's descriptions only
/// the one that is used is kept, the others are a third of a gigabyte.
fn prism() -> Result<()> {
    let (from, folder) = (root().join("tests/prism"), folder()?.join("prism"));
    let lock = fs_err::read_to_string(from.join("package-lock.json"))?;
    let stamp = folder.join("installed.json");
    if fs_err::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    fs_err::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json"] {
        fs_err::copy(from.join(file), folder.join(file))?;
    }
    check(
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder),
    )?;
    for entry in fs_err::read_dir(folder.join("node_modules/@octokit/openapi/generated"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") && !path.ends_with("api.github.com.json")
        {
            fs_err::remove_file(path)?;
        }
    }
    fs_err::write(&stamp, lock)?;
    Ok(())
}

/// [`ENGINE`] in kcluster's cache, as the root that a test's own engine gets.
fn engine() -> Result<()> {
    let folder = folder()?.join("engine");
    let stamp = folder.with_extension("packages");
    let wanted = ENGINE.join(" ");
    if fs_err::read_to_string(&stamp).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    check(
        cargo()
            .args(["run", "--locked", "--quiet", "--package", "kcluster-images"])
            .args(["--example", "package_root", "--"])
            .arg(&folder)
            .args(ENGINE),
    )?;
    fs_err::write(&stamp, wanted)?;
    Ok(())
}

/// ginkgo and the small suite that stands in for `e2e.test`, of one module, in kcluster's cache.
fn ginkgo() -> Result<()> {
    let (from, folder) = (root().join("e2e/fixtures/suite"), ginkgo_folder()?);
    let mut wanted = String::new();
    for file in ["go.mod", "go.sum", "suite_test.go"] {
        wanted.push_str(&fs_err::read_to_string(from.join(file))?);
    }
    let stamp = folder.join("built");
    if fs_err::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(());
    }
    fs_err::create_dir_all(&folder)?;
    for (verb, output, package) in [
        (&["build"][..], "ginkgo", "github.com/onsi/ginkgo/v2/ginkgo"),
        (&["test", "-c"], "suite.test", "."),
    ] {
        check(
            Command::new("go")
                .args(verb)
                .arg("-o")
                .arg(folder.join(output))
                .arg(package)
                .env("CGO_ENABLED", "0")
                .current_dir(&from),
        )?;
    }
    fs_err::write(&stamp, wanted)?;
    Ok(())
}

/// Where [`install`] puts ginkgo and its suite.
pub(crate) fn ginkgo_folder() -> Result<PathBuf> {
    Ok(folder()?.join("ginkgo"))
}

/// Where programs of the tests are kept.
fn folder() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(Path::new(&std::env::var_os("HOME")?).join(".cache"));
    let folder = cache
        .or_else(home)
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(folder.join("kcluster/tools"))
}

/// Builds one of [`GO_TOOLS`] into kcluster's cache, unless this version of it is there.
fn built(program: &str) -> Result<()> {
    let (_, module) = GO_TOOLS
        .iter()
        .find(|(name, _)| *name == program)
        .with_context(|| format!("{program} is no tool of the tests"))?;
    let folder = folder()?;
    let stamp = folder.join(format!("{program}.module"));
    if fs_err::read_to_string(&stamp).is_ok_and(|built| built == *module) {
        return Ok(());
    }
    fs_err::create_dir_all(&folder)?;
    check(
        Command::new("go")
            .args(["install", module])
            .env("GOBIN", &folder)
            .env("CGO_ENABLED", "0")
            // Outside of any module.
            .current_dir(&folder),
    )?;
    fs_err::write(&stamp, module)?;
    Ok(())
}
