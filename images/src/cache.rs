//! A folder of finished things, each made at most once.
//!
//! A thing is made in a folder of its own under `work/` and renamed to its place when it is
//! complete, so a crash leaves nothing half-made. Whoever makes it holds an exclusive lock on
//! its key; whoever uses it holds a shared one, which keeps [`Cache::prune`] off.

use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use fs_err as fs;
use kcluster_matrix::{EventKind, Sink};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::recipe::Key;

mod upkeep;

pub use upkeep::{Listed, Pruned};

/// The file beside a finished thing that says what it is; its age says when it was last used.
const LABEL: &str = "kcluster-entry.json";

/// The cache.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// A finished thing; it stays while this value lives.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    dir: PathBuf,
    _in_use: Arc<File>,
}

impl Entry {
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.join(name)
    }
}

#[derive(Serialize, Deserialize)]
struct Label {
    what: String,
    size: u64,
}

impl Cache {
    /// The cache in that folder, which is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        for folder in ["", "locks", "work"] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self {
            root: fs::canonicalize(root)?,
        })
    }

    /// The cache where the environment says: `KCLUSTER_CACHE`, or below `XDG_CACHE_HOME` or `HOME`.
    ///
    /// # Errors
    /// When the environment names none, or it cannot be made.
    pub fn from_environment() -> Result<Self> {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let root = named("KCLUSTER_CACHE")
            .map(PathBuf::from)
            .or_else(|| named("XDG_CACHE_HOME").map(|home| PathBuf::from(home).join("kcluster")))
            .or_else(|| named("HOME").map(|home| PathBuf::from(home).join(".cache/kcluster")))
            .ok_or(Error::NoCacheFolder)?;
        Self::open(root)
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The thing of that kind and key: found, or made by `make` in the folder it is given.
    pub(crate) async fn get<F, M>(
        &self,
        (kind, key): (&str, &Key),
        what: &str,
        sink: &dyn Sink,
        make: M,
    ) -> Result<Entry>
    where
        F: Future<Output = Result<()>>,
        M: FnOnce(PathBuf) -> F,
    {
        let started = Instant::now();
        let dir = self.root.join(kind).join(key.as_str());
        let finished = |cached| EventKind::BuildFinished {
            what: what.to_owned(),
            took: started.elapsed(),
            cached,
        };
        let lock = self
            .lock(kind, key, what, sink, FlockOperation::LockShared)
            .await?;
        if let Some(entry) = used(&dir, lock)? {
            sink.emit(finished(true));
            return Ok(entry);
        }
        let lock = self
            .lock(kind, key, what, sink, FlockOperation::LockExclusive)
            .await?;
        if dir.join(LABEL).exists() {
            // Another process made it while this one waited.
            flock(&lock, FlockOperation::LockShared).map_err(std::io::Error::from)?;
        } else {
            sink.emit(EventKind::BuildStarted {
                what: what.to_owned(),
            });
            self.make(kind, key, what, &dir, make).await?;
            flock(&lock, FlockOperation::LockShared).map_err(std::io::Error::from)?;
            sink.emit(finished(false));
        }
        used(&dir, lock)?.ok_or_else(|| {
            Error::malformed(
                dir.display().to_string(),
                "it was removed as soon as it was made",
            )
        })
    }

    async fn make<F, M>(&self, kind: &str, key: &Key, what: &str, dir: &Path, make: M) -> Result<()>
    where
        F: Future<Output = Result<()>>,
        M: FnOnce(PathBuf) -> F,
    {
        // The lock is ours: what lies here was left by a process that died.
        let work = self.root.join("work").join(format!("{kind}-{key}"));
        remove(&work)?;
        fs::create_dir_all(&work)?;
        let guard = Unfinished(Some(work.clone()));
        make(work.clone()).await?;

        let (label_at, dir, what) = (work.join(LABEL), dir.to_owned(), what.to_owned());
        let seal = move || -> Result<()> {
            let size = disk_usage(&work)?;
            fs::write(
                label_at,
                serde_json::to_vec(&Label { what, size }).map_err(std::io::Error::from)?,
            )?;
            remove(&dir)?;
            if let Some(parent) = dir.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(&work, &dir)?;
            Ok(())
        };
        blocking(seal).await?;
        guard.done();
        Ok(())
    }

    async fn lock(
        &self,
        kind: &str,
        key: &Key,
        what: &str,
        sink: &dyn Sink,
        mode: FlockOperation,
    ) -> Result<File> {
        let path = self.root.join("locks").join(format!("{kind}-{key}"));
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?
            .into_parts()
            .0;
        let at_once = match mode {
            FlockOperation::LockShared => FlockOperation::NonBlockingLockShared,
            _ => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, at_once) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK) => {
                sink.note(&format_args!("waiting for another build of {what}"));
            }
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
        blocking(move || {
            flock(&file, mode).map_err(std::io::Error::from)?;
            Ok(file)
        })
        .await
    }
}

/// The entry in that folder, marked as used now, if there is one.
fn used(dir: &Path, lock: File) -> Result<Option<Entry>> {
    let label = dir.join(LABEL);
    if !label.exists() {
        return Ok(None);
    }
    // Only a hint for pruning: a cache that cannot be written can still be read.
    if let Ok(file) = File::options().append(true).open(&label) {
        let _ = file.set_modified(SystemTime::now());
    }
    Ok(Some(Entry {
        dir: dir.to_owned(),
        _in_use: Arc::new(lock),
    }))
}

/// A work folder that is removed unless what is in it was finished.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // The next build of the same key, or `prune`, tries again.
            let _ = remove(folder);
        }
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn disk_usage(path: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() {
            disk_usage(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(size)
}

/// Runs something that blocks without blocking the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(std::io::Error::other(error).into()),
    }
}

#[cfg(test)]
mod tests;
