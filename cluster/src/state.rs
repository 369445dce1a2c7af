//! What is remembered of a cluster on this machine: one private folder each.
//!
//! The engine is the truth about what exists; the folder tells what was asked for and
//! whether making it ended well.

use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use ipnet::Ipv4Net;
use kcluster_matrix::{ClusterName, ClusterSpec, NodePlan};
use rustix::fs::{FlockOperation, flock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::engine::tunnel::Tunnel;
use crate::impact::Before;

/// The state root, with a folder for each cluster.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// State below `root`; nothing is made yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of a cluster, whether or not it exists.
    #[must_use]
    pub fn cluster(&self, name: &ClusterName) -> ClusterDir {
        ClusterDir {
            path: self.root.join("clusters").join(name.as_str()),
            name: name.clone(),
        }
    }

    /// Where a cluster's snapshots are described.
    pub(crate) fn snapshots(&self, cluster: &ClusterName) -> PathBuf {
        self.root.join("snapshots").join(cluster.as_str())
    }

    /// Forgets all snapshots.
    pub(crate) fn remove_snapshots(&self) -> Result<(), StateError> {
        match fs::remove_dir_all(self.root.join("snapshots")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Clusters that have a folder.
    ///
    /// # Errors
    /// When the folder of folders cannot be read.
    pub fn clusters(&self) -> Result<Vec<ClusterName>, StateError> {
        let entries = match fs::read_dir(self.root.join("clusters")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(|name| name.parse().ok()));
        }
        names.sort();
        Ok(names)
    }
}

/// One cluster's folder.
#[derive(Debug, Clone)]
pub struct ClusterDir {
    path: PathBuf,
    name: ClusterName,
}

/// How far making a cluster got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Begun and not ended: if nobody works on it, what is there is a leftover.
    Starting,
    /// All was Ready once.
    Ready,
    /// It was Ready, and its nodes are frozen.
    Suspended,
}

/// What is known about a cluster that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How far it got.
    pub phase: Phase,
    /// The run of the process that made it.
    pub session: String,
    /// The engine it is in.
    pub engine: String,
    /// Its network's addresses.
    pub subnet: Option<Ipv4Net>,
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
    /// The API server's URL, as in the kubeconfig.
    pub server: Option<String>,
}

impl ClusterDir {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the kubeconfig is.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    /// Takes the cluster for this process until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`StateError::Busy`] when another process has it.
    pub fn lock(&self) -> Result<Lock, StateError> {
        let path = self.path.join("lock");
        loop {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.path)
                .map_err(|source| named(&source, "make folder", &self.path))?;
            let mut file = fs::OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)?;
            match flock(file.file(), FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut pid = String::new();
                    file.read_to_string(&mut pid)?;
                    return Err(StateError::Busy {
                        name: self.name.clone(),
                        pid: pid.trim().to_owned(),
                    });
                }
                Err(error) => return Err(named(&error.into(), "lock", &path).into()),
            }
            // Whoever had it may have removed the folder; then this lock is worth nothing.
            let ours = file.metadata()?.ino();
            if fs::metadata(&path).is_ok_and(|there| there.ino() == ours) {
                file.set_len(0)?;
                file.rewind()?;
                write!(file, "{}", std::process::id())?;
                return Ok(Lock { _file: file });
            }
        }
    }

    /// What the cluster was made from.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn spec(&self) -> Result<Option<ClusterSpec>, StateError> {
        self.read("spec.json")
    }

    /// How far it got.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn status(&self) -> Result<Option<Status>, StateError> {
        self.read("status.json")
    }

    /// The tunnel to its API server, if it needs one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn tunnel(&self) -> Result<Option<Tunnel>, StateError> {
        self.read("tunnel.json")
    }

    pub(crate) fn before(&self) -> Result<Option<Before>, StateError> {
        self.read("suspended.json")
    }

    pub(crate) fn write_before(&self, before: &Before) -> Result<(), StateError> {
        self.write("suspended.json", &json(before)?)
    }

    pub(crate) fn write_tunnel(&self, tunnel: &Tunnel) -> Result<(), StateError> {
        self.write("tunnel.json", &json(tunnel)?)
    }

    pub(crate) fn write_spec(&self, spec: &ClusterSpec) -> Result<(), StateError> {
        self.write("spec.json", &json(spec)?)
    }

    pub(crate) fn write_status(&self, status: &Status) -> Result<(), StateError> {
        self.write("status.json", &json(status)?)
    }

    pub(crate) fn write_kubeconfig(&self, text: &str) -> Result<(), StateError> {
        self.write("kubeconfig", text.as_bytes())
    }

    /// Removes the folder and all in it.
    pub(crate) fn remove(&self) -> Result<(), StateError> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes the folder if there is nothing in it but the lock.
    pub(crate) fn remove_if_unused(&self) -> Result<(), StateError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            if entry?.file_name() != "lock" {
                return Ok(());
            }
        }
        self.remove()
    }

    fn read<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>, StateError> {
        let path = self.path.join(file);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| StateError::Malformed { path, source })
    }

    /// All of it or nothing, and for its owner only.
    fn write(&self, file: &str, content: &[u8]) -> Result<(), StateError> {
        let path = self.path.join(file);
        let write = || {
            let mut temporary = tempfile::NamedTempFile::new_in(&self.path)?;
            temporary.write_all(content)?;
            temporary.persist(&path).map_err(|error| error.error)
        };
        write()
            .map(drop)
            .map_err(|error| named(&error, "write", &path).into())
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec_pretty(value).map_err(|error| StateError::Io(error.into()))
}

fn named(source: &io::Error, operation: &str, path: &Path) -> io::Error {
    let text = format!("failed to {operation} `{}`: {source}", path.display());
    io::Error::new(source.kind(), text)
}

/// A cluster that is taken; free again when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: fs::File,
}

/// The state folder could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another process works on the cluster.
    #[error("cluster `{name}` is being worked on by process {pid}; wait for it to end, or stop it")]
    Busy {
        /// The cluster.
        name: ClusterName,
        /// The process.
        pid: String,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file there is not what we wrote.
    #[error("`{}` cannot be read: {source}; `cargo kcluster down` removes it", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests;
