//! Looking at the cache, and making room.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use fs_err as fs;
use kcluster_matrix::{Arch, KubeVersion};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Cache, LABEL, Label, remove};
use crate::error::Result;

/// What [`Cache::list`] tells of a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it is, in words.
    pub what: String,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes on disk.
    pub size: u64,
    /// When it was last made or used.
    pub used: SystemTime,
}

/// What [`Cache::prune`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What was removed.
    pub removed: Vec<Listed>,
    /// What would have been, were it not in use.
    pub in_use: Vec<Listed>,
}

impl Cache {
    /// Everything in the cache, the longest unused first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for (_, _, path) in self.entries()? {
            let label = path.join(LABEL);
            let Ok(text) = fs::read(&label) else { continue };
            let Label { what, size } = serde_json::from_slice(&text).unwrap_or_else(|_| Label {
                what: path.display().to_string(),
                size: 0,
            });
            let used = fs::metadata(&label)?.modified()?;
            listed.push(Listed {
                what,
                path,
                size,
                used,
            });
        }
        listed.sort_by_key(|entry| entry.used);
        Ok(listed)
    }

    fn entries(&self) -> Result<Vec<(String, String, PathBuf)>> {
        let mut found = Vec::new();
        for kind in fs::read_dir(&self.root)? {
            let kind = kind?;
            let name = kind.file_name().to_string_lossy().into_owned();
            if ["locks", "work"].contains(&name.as_str()) || !kind.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(kind.path())? {
                let entry = entry?;
                let key = entry.file_name().to_string_lossy().into_owned();
                found.push((name.clone(), key, entry.path()));
            }
        }
        Ok(found)
    }

    /// Removes what was not used for that long and is not in use now, and what crashes left.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub fn prune(&self, unused_for: Duration) -> Result<Pruned> {
        let now = SystemTime::now();
        let unused =
            |listed: &Listed| now.duration_since(listed.used).unwrap_or_default() >= unused_for;
        let pruned = self.discard(unused)?;
        for work in fs::read_dir(self.root.join("work"))? {
            let work = work?;
            self.exclusively(&work.file_name().to_string_lossy(), || remove(&work.path()))?;
        }
        Ok(pruned)
    }

    /// Removes what was built of exactly that version for that architecture, as its words say, and is not in use now.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub fn remove(&self, version: &KubeVersion, arch: Arch) -> Result<Pruned> {
        let (version, arch) = (version.to_string(), format!("({arch})"));
        self.discard(|listed| {
            let mut words = listed.what.split(' ');
            words.any(|word| word == version) && words.all(|word| word == arch)
        })
    }

    fn discard(&self, unwanted: impl Fn(&Listed) -> bool) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        for listed in self.list()?.into_iter().filter(unwanted) {
            let key: Vec<_> = listed
                .path
                .iter()
                .rev()
                .take(2)
                .map(|part| part.to_string_lossy())
                .collect();
            let name = format!("{}-{}", key[1], key[0]);
            // Away in one step first: half an entry must never look like a whole one.
            let discard = || {
                let work = self.root.join("work").join(&name);
                remove(&work)?;
                fs::rename(&listed.path, &work)?;
                remove(&work)
            };
            if self.exclusively(&name, discard)? {
                pruned.removed.push(listed);
            } else {
                pruned.in_use.push(listed);
            }
        }
        Ok(pruned)
    }

    /// Does something unless another process holds that lock; tells whether it was done.
    fn exclusively(&self, name: &str, act: impl FnOnce() -> Result<()>) -> Result<bool> {
        let path = self.root.join("locks").join(name);
        let file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)?;
        match flock(file.file(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => act().map(|()| true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }
}
