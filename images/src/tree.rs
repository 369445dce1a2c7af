//! A file tree that is not on disk as such: what a layer is written from.
//!
//! Files point to where their content lies, so a tree of hundreds of megabytes takes little
//! memory, and owners and modes need no privileges. What is written from equal trees is equal
//! to the byte: entries are sorted, times are fixed, owners are numbers.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use fs_err::os::unix::fs::FileExt as _;

use crate::error::{Error, Result};

mod read;

/// Paths inside a tree have no leading slash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) mode: u32,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Dir,
    File(Content),
    Symlink(String),
}

/// Where a file's content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Bytes(Arc<[u8]>),
    /// A part of a file; all of it when it begins at 0 and is as long.
    Slice {
        file: Arc<Path>,
        offset: u64,
        len: u64,
    },
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Slice { len, .. } => *len,
        }
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.to_vec()),
            Self::Slice { file, offset, len } => {
                let mut bytes = vec![0; usize::try_from(*len).map_err(io::Error::other)?];
                fs::File::open(&**file)?.read_exact_at(&mut bytes, *offset)?;
                Ok(bytes)
            }
        }
    }

    fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(&bytes[..])),
            Self::Slice { file, offset, len } => {
                let mut file = fs::File::open(&**file)?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(Exactly {
                    from: file,
                    left: *len,
                }))
            }
        }
    }
}

/// Reads so many bytes, and fails when there are fewer.
struct Exactly {
    from: fs::File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.from.read(&mut buffer[..room])?;
        if read == 0 && room > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "{} became shorter while it was read",
                    self.from.path().display()
                ),
            ));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

impl Tree {
    /// Adds an entry and the folders above it; what is in its place goes.
    pub(crate) fn insert(&mut self, path: &str, node: Node) {
        let path = path.trim_matches('/');
        if let Some((parent, _)) = path.rsplit_once('/')
            && !self.nodes.contains_key(parent)
        {
            self.dir(parent, 0o755);
        }
        self.nodes.insert(path.to_owned(), node);
    }

    pub(crate) fn dir(&mut self, path: &str, mode: u32) {
        self.insert(
            path,
            Node {
                mode,
                kind: Kind::Dir,
            },
        );
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) {
        self.insert(
            path,
            Node {
                mode: 0o777,
                kind: Kind::Symlink(target.to_owned()),
            },
        );
    }

    pub(crate) fn text(&mut self, path: &str, mode: u32, content: impl AsRef<[u8]>) {
        let content = Content::Bytes(content.as_ref().into());
        self.insert(
            path,
            Node {
                mode,
                kind: Kind::File(content),
            },
        );
    }

    /// A file of the machine, as it is now.
    pub(crate) fn file(&mut self, path: &str, mode: u32, from: &Path) -> Result<()> {
        let len = fs::metadata(from)?.len();
        let content = Content::Slice {
            file: from.into(),
            offset: 0,
            len,
        };
        self.insert(
            path,
            Node {
                mode,
                kind: Kind::File(content),
            },
        );
        Ok(())
    }

    /// Lays another tree over this one.
    pub(crate) fn overlay(&mut self, other: Self) {
        self.nodes.extend(other.nodes);
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Removes an entry and everything below it.
    pub(crate) fn remove(&mut self, path: &str) {
        self.retain(|other| {
            other
                .strip_prefix(path)
                .is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.nodes.retain(|path, _| keep(path));
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.nodes
            .values()
            .map(|node| match &node.kind {
                Kind::File(content) => content.len(),
                _ => 0,
            })
            .sum()
    }

    /// Writes it as a tar file.
    pub(crate) fn write(&self, to: impl Write) -> io::Result<()> {
        let mut tar = tar::Builder::new(to);
        for (path, node) in &self.nodes {
            let mut header = tar::Header::new_gnu();
            header.set_mode(node.mode);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(0);
            match &node.kind {
                Kind::Dir => {
                    header.set_entry_type(tar::EntryType::Directory);
                    tar.append_data(&mut header, format!("{path}/"), io::empty())?;
                }
                Kind::Symlink(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    tar.append_link(&mut header, path, target)?;
                }
                Kind::File(content) => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_size(content.len());
                    tar.append_data(&mut header, path, content.reader()?)?;
                }
            }
        }
        tar.into_inner()?.flush()
    }
}

#[cfg(test)]
mod tests;
