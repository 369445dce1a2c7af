//! A layer: a tree, and the digest of the tar file that it is written as.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use sha2::{Digest, Sha256};

use crate::cache::blocking;
use crate::error::Result;
use crate::recipe::hex;
use crate::tree::Tree;

/// A layer whose bytes are made again each time they are wanted: the tree's files are there
/// anyway, and a second copy of them in a tar file would only take room.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) tree: Arc<Tree>,
    /// SHA-256 of the uncompressed tar file, in hex.
    pub(crate) digest: String,
    /// Its length.
    pub(crate) size: u64,
    /// What is in it, for people; none in most images.
    pub(crate) what: Option<&'static str>,
}

impl Layer {
    /// The same, with its content told in the image's history.
    pub(crate) fn called(self, what: &'static str) -> Self {
        Self {
            what: Some(what),
            ..self
        }
    }

    pub(crate) async fn of(tree: Tree) -> Result<Self> {
        blocking(move || {
            let mut meter = Meter::new(io::sink());
            tree.write(&mut meter)?;
            let (digest, size) = meter.finish();
            Ok(Self {
                tree: Arc::new(tree),
                digest,
                size,
                what: None,
            })
        })
        .await
    }

    /// Writes it into a file, for programs that want one.
    pub(crate) async fn save(tree: Tree, to: &Path) -> Result<()> {
        let file = fs::File::create(to)?;
        blocking(move || Ok(tree.write(io::BufWriter::with_capacity(1 << 18, file))?)).await
    }
}

/// Digests and measures what is written through it.
pub(crate) struct Meter<W> {
    to: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Meter<W> {
    pub(crate) fn new(to: W) -> Self {
        Self {
            to,
            hasher: Sha256::new(),
            size: 0,
        }
    }

    pub(crate) fn finish(self) -> (String, u64) {
        (hex(&self.hasher.finalize()), self.size)
    }
}

impl<W: Write> Write for Meter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
