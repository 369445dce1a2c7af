//! The user's kubeconfig as a file: kubectl's own lock, and a replacement that is there whole or not at all.

use std::io::{self, ErrorKind, Write};
use std::mem::MaybeUninit;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

/// How long another program's lock is waited for; kubectl holds it for as long as it writes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a change of the folder is waited for before it is looked at again: some file systems tell nothing.
const ROUND: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};

/// Why the file cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{lock} was there for {} s; if no kubectl is at work, remove it and repeat the command", patience.as_secs())]
    Locked {
        lock: Utf8PathBuf,
        patience: Duration,
    },
    #[error("{0} is no regular file")]
    Odd(Utf8PathBuf),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The file, locked as kubectl locks it: by a file `FILE.lock` that nobody else could make meanwhile.
#[derive(Debug)]
pub(super) struct Locked {
    path: Utf8PathBuf,
    lock: Utf8PathBuf,
}

impl Locked {
    /// Waits until nobody else has it.
    pub(super) fn wait(path: &Utf8Path, patience: Duration) -> Result<Self, FileError> {
        let folder = path.parent().unwrap_or(Utf8Path::new("/"));
        if !folder.exists() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        let lock = Utf8PathBuf::from(format!("{path}.lock"));
        let mut watch = None;
        let start = Instant::now();
        loop {
            let made = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o0)
                .open(&lock);
            match made {
                Ok(_) => {
                    let path = path.to_owned();
                    return Ok(Self { path, lock });
                }
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    let told = format!("failed to lock {path}: {error}");
                    return Err(io::Error::new(error.kind(), told).into());
                }
                Err(_) if start.elapsed() >= patience => {
                    return Err(FileError::Locked { lock, patience });
                }
                Err(_) => {}
            }
            match &watch {
                // What happened before there was a watch is seen by trying once more.
                None => watch = Some(Watch::of(folder)?),
                Some(watch) => watch.wait()?,
            }
        }
    }

    /// Its text; none where there is no file.
    pub(super) fn read(&self) -> Result<Option<String>, FileError> {
        match fs_err::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
            Ok(about) if !about.is_file() => Err(FileError::Odd(self.path.clone())),
            Ok(_) => Ok(Some(fs_err::read_to_string(&self.path)?)),
        }
    }

    /// Puts `text` in its place. Mode and owner stay; a new file is its owner's alone.
    pub(super) fn replace(&self, text: &str) -> Result<(), FileError> {
        // Behind a link the file itself is replaced, not the link.
        let path = match fs_err::canonicalize(&self.path) {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound => self.path.clone().into(),
            Err(error) => return Err(error.into()),
        };
        let folder = path.parent().unwrap_or(std::path::Path::new("/"));
        // The mode of such a file is 0600.
        let mut part = tempfile::NamedTempFile::new_in(folder)?;
        part.write_all(text.as_bytes())?;
        if let Ok(about) = fs_err::metadata(&path) {
            let own = part.as_file().metadata()?;
            if (about.uid(), about.gid()) != (own.uid(), own.gid()) {
                std::os::unix::fs::fchown(part.as_file(), Some(about.uid()), Some(about.gid()))?;
            }
            let mode = std::fs::Permissions::from_mode(about.mode() & 0o7777);
            part.as_file().set_permissions(mode)?;
        }
        part.as_file().sync_all()?;
        part.persist(&path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> Result<(), FileError> {
        Ok(fs_err::remove_file(&self.path)?)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Whoever removed it meanwhile took the lock away by force; there is nothing to be done.
        let _ = std::fs::remove_file(&self.lock);
    }
}

/// Tells when something in a folder is removed.
struct Watch(std::os::fd::OwnedFd);

impl Watch {
    fn of(folder: &Utf8Path) -> io::Result<Self> {
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let gone = inotify::WatchFlags::DELETE | inotify::WatchFlags::MOVED_FROM;
        inotify::add_watch(&watch, folder.as_std_path(), gone)?;
        Ok(Self(watch))
    }

    fn wait(&self) -> io::Result<()> {
        poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&ROUND))?;
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut told = inotify::Reader::new(&self.0, &mut space);
        while told.next().is_ok() {}
        Ok(())
    }
}
