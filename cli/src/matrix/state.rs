//! What a run leaves on disk while it goes on, so that one which is killed can be finished.
//!
//! Below the report's folder: `matrix.json` is the plan, `cells/ID/` has a cell's logs and reports and, once there is a
//! verdict, `cell.json`. Files are written whole or not at all.

use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::CellId;
use kcluster_matrix::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::error::Told;

/// What is run, as `matrix.json` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Raised when what is written changes its meaning.
    pub(super) schema: u32,
    /// The cells, after shards and selections.
    pub(super) plan: Plan,
    /// The part of the suites' specs, if not all.
    pub(super) spec_shard: Option<String>,
}

pub(super) const SCHEMA: u32 = 1;

/// How a try of a cell ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// The engine it ran on.
    pub(crate) engine: String,
    /// The exit code that says how it ended.
    pub(crate) code: u8,
    /// From its boot to its removal.
    pub(crate) seconds: f64,
    /// In words.
    pub(crate) told: String,
}

/// A cell that has a verdict, as `cell.json` keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Every try, the last one being the verdict.
    pub(crate) attempts: Vec<Attempt>,
}

impl Ended {
    /// The last try.
    pub(crate) fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}

/// The folder of a run, locked while this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: Utf8PathBuf,
    _lock: fs_err::File,
}

impl Folder {
    /// Takes the folder for this process.
    pub(super) fn open(path: &Utf8Path) -> anyhow::Result<Self> {
        fs_err::create_dir_all(path)?;
        let path = path.canonicalize_utf8()?;
        let lock = fs_err::File::create(path.join("matrix.lock"))?;
        if lock.file().try_lock().is_err() {
            return Err(Told::input(format!("another matrix runs in {path}"))
                .help("wait for it, or give another folder with --report-dir")
                .into());
        }
        Ok(Self { path, _lock: lock })
    }

    /// What was begun here before.
    pub(super) fn begun(&self) -> Option<Begun> {
        let text = fs_err::read_to_string(self.path.join("matrix.json")).ok()?;
        let begun: Begun = serde_json::from_str(&text).ok()?;
        (begun.schema == SCHEMA).then_some(begun)
    }

    /// Starts anew: what was here before is gone. Only a folder that holds a matrix of ours loses anything.
    pub(super) fn begin(&self, begun: &Begun) -> anyhow::Result<()> {
        let cells = self.path.join("cells");
        if self.path.join("matrix.json").exists() && cells.is_dir() {
            fs_err::remove_dir_all(&cells)?;
        }
        crate::report::clear(&self.path)?;
        write_json(&self.path.join("matrix.json"), begun)?;
        Ok(())
    }

    /// A cell's own folder.
    pub(super) fn cell(&self, id: &CellId) -> Utf8PathBuf {
        self.path.join("cells").join(id.as_str())
    }

    /// How a cell ended, if it did.
    pub(super) fn ended(&self, id: &CellId) -> Option<Ended> {
        let text = fs_err::read_to_string(self.cell(id).join("cell.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Keeps how a cell ended.
    pub(super) fn end(&self, id: &CellId, ended: &Ended) -> std::io::Result<()> {
        write_json(&self.cell(id).join("cell.json"), ended)
    }
}

/// Writes a value whole or not at all.
pub(super) fn write_json(file: &Utf8Path, value: &impl Serialize) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Utf8Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut part, value)?;
    part.write_all(b"\n")?;
    part.as_file().sync_all()?;
    part.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Begun {
        Begun {
            schema: SCHEMA,
            plan: Plan::default(),
            spec_shard: None,
        }
    }

    #[test]
    fn a_folder_is_one_runs_own_and_keeps_what_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap();
        fs_err::create_dir_all(path.join("cells/mine")).unwrap();
        let first = Folder::open(path).unwrap();
        assert!(Folder::open(path).is_err());
        assert_eq!(first.begun(), None);
        first.begin(&begun()).unwrap();
        assert!(path.join("cells/mine").exists(), "it was not ours");
        assert_eq!(first.begun(), Some(begun()));
        let id: CellId = serde_json::from_str("\"v1-a\"").unwrap();
        assert_eq!(first.ended(&id), None);
        let ended = Ended {
            attempts: vec![Attempt {
                engine: "unix:///x".into(),
                code: 0,
                seconds: 1.5,
                told: "passed".into(),
            }],
        };
        first.end(&id, &ended).unwrap();
        drop(first);
        let again = Folder::open(path).unwrap();
        assert_eq!(again.ended(&id), Some(ended));
        again.begin(&begun()).unwrap();
        assert_eq!(again.ended(&id), None);
    }
}
