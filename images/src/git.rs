//! Git repositories: what a revision is, what lies between two, and its tree as files.
//!
//! git itself does the work, so shallow and partial clones are what they are for it: what a partial clone lacks it
//! fetches in one go, what a shallow one lacks is told.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;
use kcluster_matrix::KubeVersion;
use kcluster_matrix::bisect::Point;
use rustix::fs::{FlockOperation, flock};

use crate::builder::Builder;
use crate::cache::{Cache, Entry};
use crate::command::{Run, Tool};
use crate::error::{CommandFailed, Error, Result};
use crate::recipe::Recipe;

const TOOL: Tool = Tool {
    purpose: "read Kubernetes out of a repository",
    package: "git",
};

/// What git must not take from whoever calls us, a hook or `git bisect run` for instance.
const FOREIGN: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// Where Kubernetes' own version stands in its tree.
const VERSION_FILE: &str = "staging/src/k8s.io/component-base/version/base.go";

/// A repository that can be read here.
#[derive(Debug, Clone)]
pub struct Repository {
    /// As the user wrote it.
    location: String,
    git_dir: PathBuf,
    /// Whether it is ours, and can be brought up to date.
    mirror: bool,
}

impl Repository {
    /// The repository in a folder, or a mirror of the one at an address, which is made when it is not there.
    ///
    /// # Errors
    /// When there is none, or it cannot be fetched.
    pub fn open(cache: &Cache, location: &str) -> Result<Self> {
        if location.is_empty() || location.starts_with('-') {
            return Err(missing(
                location,
                "repository",
                "give a folder or an address",
            ));
        }
        if Path::new(location).is_dir() {
            let found = git(Path::new(location), &["rev-parse", "--absolute-git-dir"])?;
            return Ok(Self {
                location: location.to_owned(),
                git_dir: found.trim_end().into(),
                mirror: false,
            });
        }
        if !location.contains(':') {
            let detail = "there is no such folder, and it is no address";
            return Err(missing(location, "repository", detail));
        }
        let key = Recipe::new("git-mirror", 1).with("url", location).key();
        let git_dir = cache.root().join("git").join(key.as_str());
        let _alone = lock(cache, key.as_str())?;
        if !git_dir.join("HEAD").exists() {
            let part = cache.root().join("work").join(format!("git-{key}"));
            if part.exists() {
                fs::remove_dir_all(&part)?;
            }
            fs::create_dir_all(cache.root().join("git"))?;
            let target = part.display().to_string();
            let clone = ["clone", "--quiet", "--bare", "--filter=blob:none", "--"];
            git(cache.root(), &[&clone[..], &[location, &target]].concat())?;
            // Branches are ours to overwrite: it is a mirror.
            let refs = [
                "config",
                "remote.origin.fetch",
                "+refs/heads/*:refs/heads/*",
            ];
            git(&part, &refs)?;
            fs::rename(&part, &git_dir)?;
        }
        Ok(Self {
            location: location.to_owned(),
            git_dir,
            mirror: true,
        })
    }

    /// As the user wrote it.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        git(&self.git_dir, args)
    }

    /// Fetches what is new, where it is a mirror.
    ///
    /// # Errors
    /// When that fails.
    pub fn refresh(&self, cache: &Cache) -> Result<()> {
        if self.mirror {
            let name = self.git_dir.file_name().unwrap_or_default();
            let _alone = lock(cache, &name.to_string_lossy())?;
            self.git(&["fetch", "--quiet", "--prune", "--tags", "--force", "origin"])?;
        }
        Ok(())
    }

    /// The full hash of the commit that is meant: a hash, a tag, a branch, or anything else that git understands.
    ///
    /// # Errors
    /// When there is no such commit.
    pub fn resolve(&self, revision: &str) -> Result<String> {
        let commit = format!("{revision}^{{commit}}");
        let unsafe_name = revision.is_empty() || revision.starts_with('-');
        let found = match unsafe_name {
            true => None,
            false => self
                .git(&["rev-parse", "--verify", "--quiet", &commit])
                .ok(),
        };
        let found = found.map(|text| text.trim_end().to_owned());
        found.filter(|text| is_hash(text)).ok_or_else(|| {
            missing(
                &self.location,
                &format!("revision `{revision}`"),
                self.hint("is it written as git knows it?"),
            )
        })
    }

    /// The last commit of a branch's first parents that was there at a time, in seconds since 1970.
    ///
    /// # Errors
    /// When there is none.
    pub fn at(&self, branch: &str, time: i64) -> Result<String> {
        let tip = self.resolve(branch)?;
        let before = format!("--before={time}");
        let found = self.git(&["rev-list", "--first-parent", "-1", &before, &tip])?;
        let found = found.trim_end();
        if is_hash(found) {
            return Ok(found.to_owned());
        }
        let what = format!("commit of {branch} as old as that");
        Err(missing(
            &self.location,
            &what,
            self.hint("its history begins later"),
        ))
    }

    /// What to do about something that is not there.
    fn hint<'a>(&self, otherwise: &'a str) -> &'a str {
        match self.git(&["rev-parse", "--is-shallow-repository"]) {
            Ok(answer) if answer.trim_end() == "true" => {
                "the clone is shallow; `git fetch --unshallow` in it brings the rest"
            }
            _ => otherwise,
        }
    }

    /// What lies between two commits, both included, in the order git lists it.
    ///
    /// # Errors
    /// When the old one does not come before the new one, or git fails.
    pub fn between(&self, old: &str, new: &str) -> Result<Vec<Point>> {
        if old == new
            || self
                .git(&["merge-base", "--is-ancestor", old, new])
                .is_err()
        {
            let base = self.git(&["merge-base", old, new]).unwrap_or_default();
            let detail = match base.trim_end() {
                base if is_hash(base) && base != new && base != old => {
                    format!("both come after {base}; begin there if it is as the old end should be")
                }
                base if base == new && base != old => "they are the wrong way round".to_owned(),
                _ => self.hint("they have no history in common").to_owned(),
            };
            let what = format!("history from {old} to {new}");
            return Err(missing(&self.location, &what, detail));
        }
        let not_old = format!("^{old}");
        let format = "--format=%H%x00%P%x00%s";
        let list = self.git(&["log", "--topo-order", "--reverse", format, &not_old, new])?;
        let first = self.git(&["log", "-1", format, old])?;
        let point = |line: &str| {
            let mut parts = line.split('\0');
            let (id, parents, title) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Point {
                id: id.to_owned(),
                title: title.to_owned(),
                parents: parents.split_whitespace().map(str::to_owned).collect(),
            })
        };
        Ok(first
            .lines()
            .chain(list.lines())
            .filter_map(point)
            .collect())
    }

    /// The version that Kubernetes' own build would stamp there.
    ///
    /// # Errors
    /// When neither a tag nor the tree tells.
    pub fn version(&self, commit: &str) -> Result<KubeVersion> {
        let describe = [
            "describe",
            "--tags",
            "--abbrev=14",
            "--match=v[0-9]*",
            commit,
        ];
        let described = self.git(&describe).ok();
        if let Some(version) = described.as_deref().and_then(|text| stamp(text.trim_end())) {
            return Ok(version);
        }
        let file = self.git(&["show", &format!("{commit}:{VERSION_FILE}")]);
        let line = file.ok().and_then(|text| {
            let line = text
                .lines()
                .find(|line| line.contains("DefaultKubeBinaryVersion"))?;
            line.split('"').nth(1).map(str::to_owned)
        });
        let short = commit.get(..14).unwrap_or(commit);
        line.and_then(|line| format!("v{line}.0-alpha.0+{short}").parse().ok())
            .ok_or_else(|| {
                let what = format!("version of Kubernetes at {commit}");
                let detail = format!(
                    "no tag such as v1.36.3 comes before it, and {VERSION_FILE} names none"
                );
                missing(&self.location, &what, detail)
            })
    }

    /// The whole message of a commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn message(&self, commit: &str) -> Result<String> {
        self.git(&["log", "-1", "--format=%B", commit])
    }

    /// The files of a commit, without what its own build brings along.
    pub(crate) async fn checkout(&self, builder: &Builder, commit: &str) -> Result<Entry> {
        let tree = self.git(&["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?;
        let tree = tree.trim_end();
        let key = Recipe::new("git-tree", 1).with("tree", tree).key();
        let what = format!("sources of Kubernetes {}", self.version(commit)?);
        let make = async |dir: PathBuf| {
            let files = dir.join("tree");
            fs::create_dir_all(&files)?;
            // The tree and not the commit: where a file asks for the commit's hash to be filled in, all that is
            // built of it would be another thing at each commit.
            let mut run = Run::new("git", &dir)
                .brought_by(TOOL)
                .arg("--git-dir")
                .arg(&self.git_dir)
                .arg("--work-tree")
                .arg(&files)
                .args(["-c", "safe.directory=*", "read-tree", "-m", "-u", tree])
                .env("GIT_INDEX_FILE", dir.join("index"));
            for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX"] {
                run = run.without_env(name);
            }
            run.output().await?;
            fs::remove_file(dir.join("index"))?;
            let vendor = files.join("vendor");
            if vendor.is_dir() {
                fs::remove_dir_all(vendor)?;
            }
            Ok(())
        };
        let cache = &builder.cache;
        cache
            .get(("git-tree", &key), &what, &*builder.sink, make)
            .await
    }
}

/// `v1.37.0-alpha.1-12-g0123` is `v1.37.0-alpha.1.12+0123`, and `v1.36.3-12-g0123` is `v1.36.3-12+0123`.
fn stamp(described: &str) -> Option<KubeVersion> {
    let parts = described.rsplit_once("-g").and_then(|(front, hash)| {
        let (tag, count) = front.rsplit_once('-')?;
        let counted = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        counted.then_some((tag, count, hash))
    });
    let text = match parts {
        None => described.to_owned(),
        Some((tag, count, hash)) => {
            let joint = if tag.contains('-') { '.' } else { '-' };
            format!("{tag}{joint}{count}+{hash}")
        }
    };
    text.parse().ok()
}

/// Whether a text is a full hash.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn missing(location: &str, what: &str, detail: impl Into<String>) -> Error {
    Error::Missing {
        source_name: format!("`{location}`"),
        what: what.to_owned(),
        detail: detail.into(),
    }
}

fn lock(cache: &Cache, key: &str) -> Result<std::fs::File> {
    let path = cache.root().join("locks").join(format!("git-{key}"));
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    let file = file.into_parts().0;
    flock(&file, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
    Ok(file)
}

/// Runs git to its end. It reads, so it needs neither a terminal nor to be cancelled; a signal at the terminal ends
/// it with us.
fn git(dir: &Path, args: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command
        .args(["-c", "safe.directory=*"])
        .args(args)
        .current_dir(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    for name in FOREIGN {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound if dir.is_dir() => Error::ToolMissing {
            program: "git".to_owned(),
            purpose: TOOL.purpose,
            package: TOOL.package,
        },
        _ => error.into(),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Box::new(CommandFailed {
        command: format!("git {}", args.join(" ")),
        dir: dir.to_owned(),
        status: output.status,
        tail: said.lines().map(str::to_owned).collect(),
    })
    .into())
}
