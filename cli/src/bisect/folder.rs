//! The folder that holds a search: what a kill leaves is what was recorded.

use std::fs::File;
use std::io::Write as _;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::bisect::{Answer, Conclusion, Goal, Next, Search};
use kcluster_reports::bisect::{Attempt, Bisect, short};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::error::Told;

const FILE: &str = "bisect.json";

/// The settings that all points are tested with.
const SETTINGS: &str = "kcluster.toml";

/// What is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Saved {
    format: u32,
    pub(crate) plan: Plan,
    pub(crate) search: Search,
    pub(crate) attempts: Vec<Attempt>,
}

impl Saved {
    pub(crate) fn new(plan: Plan, search: Search) -> Self {
        Self {
            format: 1,
            plan,
            search,
            attempts: Vec::new(),
        }
    }

    /// One line that shows it again: the search, or, once it has found the point, that one and the one before it.
    pub(crate) fn reproduce(&self) -> String {
        let search = &self.search;
        let found = match search.next() {
            Next::Done(Conclusion::Found { point }) => search.history().point(&point),
            _ => None,
        };
        let ends = match (
            search.goal(),
            found,
            found.and_then(|point| point.parents.first()),
        ) {
            (Goal::FirstBad, Some(bad), Some(good)) => (good.as_str(), bad.id.as_str()),
            (Goal::FirstGood, Some(good), Some(bad)) => (good.id.as_str(), bad.as_str()),
            _ => (search.good(), search.bad()),
        };
        self.plan.reproduce(search.goal(), ends, search.rule())
    }

    /// What reports are made of.
    pub(crate) fn bisect<'a>(&'a self, test: &'a str, reproduce: &'a str) -> Bisect<'a> {
        Bisect {
            search: &self.search,
            cell: &self.plan.cell,
            test,
            source: self.plan.source(),
            reproduce,
            attempts: &self.attempts,
            begun: self.plan.begun,
        }
    }
}

/// A search's folder. While it is open for work, no other process works on it.
#[derive(Debug)]
pub(crate) struct Folder {
    path: Utf8PathBuf,
    _alone: Option<File>,
}

impl Folder {
    /// An empty folder for a new search.
    pub(crate) fn create(path: &Utf8Path, settings: &str) -> anyhow::Result<Self> {
        if path.join(FILE).exists() {
            return Err(Told::input(format!("{path} holds a search already"))
                .help(format!("`cargo kcluster bisect resume --dir {path}` goes on with it; give another --dir for a new one"))
                .into());
        }
        fs_err::create_dir_all(path)?;
        let path = path.canonicalize_utf8()?;
        let alone = Some(alone(&path)?);
        fs_err::write(path.join(SETTINGS), settings)?;
        Ok(Self {
            path,
            _alone: alone,
        })
    }

    /// The folder of a search that was begun, to work on.
    pub(crate) fn resume(path: &Utf8Path) -> anyhow::Result<(Self, Saved)> {
        let saved = read(path)?;
        let path = path.canonicalize_utf8()?;
        let alone = Some(alone(&path)?);
        // What was recorded until the other process let go counts.
        let saved = read(&path).unwrap_or(saved);
        let folder = Self {
            path,
            _alone: alone,
        };
        Ok((folder, saved))
    }

    /// What is known so far, also while it is being worked on.
    pub(crate) fn look(path: &Utf8Path) -> anyhow::Result<Saved> {
        read(path)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// The settings that all points are tested with.
    pub(crate) fn settings(&self) -> Utf8PathBuf {
        self.path.join(SETTINGS)
    }

    /// Where the logs of a point are.
    pub(crate) fn point(&self, id: &str) -> anyhow::Result<Utf8PathBuf> {
        let name: String = short(id)
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-._".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let path = self.path.join("points").join(name);
        fs_err::create_dir_all(&path)?;
        Ok(path)
    }

    /// Writes all of it down, whole or not at all.
    pub(crate) fn save(&self, saved: &Saved) -> anyhow::Result<()> {
        let mut part = tempfile::NamedTempFile::new_in(&self.path)?;
        serde_json::to_writer_pretty(&mut part, saved)?;
        part.flush()?;
        // A machine that goes down with the record in memory would ask again.
        part.as_file().sync_all()?;
        part.persist(self.path.join(FILE))
            .with_context(|| format!("failed to write {FILE} into {}", self.path))?;
        Ok(())
    }

    /// Takes an answer and writes it down.
    pub(crate) fn record(
        &self,
        saved: &mut Saved,
        point: &str,
        (answer, note): (Answer, Option<String>),
    ) -> anyhow::Result<()> {
        saved.search.record(point, answer, note)?;
        self.save(saved)
    }
}

fn read(path: &Utf8Path) -> anyhow::Result<Saved> {
    let file = path.join(FILE);
    let text = fs_err::read_to_string(&file).map_err(|error| {
        Told::input(format!("{path} holds no search: {error}"))
            .help("`cargo kcluster bisect --good A --bad B --dir DIR` begins one")
    })?;
    let damaged = |error| Told::input(format!("{file} cannot be read: {error}"));
    Ok(serde_json::from_str(&text).map_err(damaged)?)
}

/// Holds the folder for this process; it lets go however it ends.
fn alone(path: &Utf8Path) -> anyhow::Result<File> {
    let file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path.join("lock"))?
        .into_parts()
        .0;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Told::input(format!("another process works on the search in {path}")).help(format!(
            "`cargo kcluster bisect status --dir {path}` shows how far it is"
        ))
    })?;
    Ok(file)
}
