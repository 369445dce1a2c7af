//! Files for a node, as one tar archive.

use std::collections::BTreeSet;
use std::io;

/// A file to be, with its absolute path.
pub(crate) struct File {
    /// Where it goes.
    pub(crate) path: String,
    /// Its permissions.
    pub(crate) mode: u32,
    /// What is in it.
    pub(crate) content: Vec<u8>,
}

impl File {
    /// A file everyone may read.
    pub(crate) fn public(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            mode: 0o644,
            content: content.into(),
        }
    }

    /// A file that holds a secret.
    pub(crate) fn secret(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            mode: 0o600,
            ..Self::public(path, content)
        }
    }
}

/// An archive of `files` to unpack at `/`. Folders below the first level are in it,
/// because an old engine makes missing ones with mode 0777.
pub(crate) fn tar(files: &[File]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for file in files {
        let path = file.path.trim_start_matches('/');
        let parents: Vec<&str> = path
            .match_indices('/')
            .map(|(end, _)| &path[..=end])
            .filter(|folder| !matches!(*folder, "etc/" | "var/" | "usr/"))
            .collect();
        for folder in parents {
            if folders.insert(folder) {
                let mut header = header(0o755, 0);
                header.set_entry_type(tar::EntryType::Directory);
                builder.append_data(&mut header, folder, io::empty())?;
            }
        }
        let mut header = header(file.mode, file.content.len() as u64);
        builder.append_data(&mut header, path, file.content.as_slice())?;
    }
    builder.into_inner()
}

/// `archive` with `files` behind what is in it.
pub(crate) fn extended(archive: &[u8], files: &[File]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    moved(archive, "", &mut builder)?;
    moved(&tar(files)?, "", &mut builder)?;
    builder.into_inner()
}

/// The entries of `archive` below `folder` instead.
pub(crate) fn moved(
    archive: &[u8],
    folder: &str,
    builder: &mut tar::Builder<Vec<u8>>,
) -> io::Result<()> {
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = std::path::Path::new(folder).join(entry.path()?);
        append(&mut entry, &path, builder)?;
    }
    Ok(())
}

/// The text of one file.
pub(crate) fn file(archive: &[u8], path: &str) -> io::Result<Option<String>> {
    let wanted = std::path::Path::new(path.trim_start_matches('/'));
    let mut found = None;
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.path()? == wanted {
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text)?;
            found = Some(text);
        }
    }
    Ok(found)
}

/// The entries of `archive` that `keep` wants.
pub(crate) fn filtered(
    archive: &[u8],
    keep: impl Fn(&std::path::Path) -> bool,
) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if keep(&path) {
            append(&mut entry, &path, &mut builder)?;
        }
    }
    builder.into_inner()
}

fn append(
    entry: &mut tar::Entry<'_, &[u8]>,
    path: &std::path::Path,
    builder: &mut tar::Builder<Vec<u8>>,
) -> io::Result<()> {
    let mut header = entry.header().clone();
    match entry.link_name()?.map(std::borrow::Cow::into_owned) {
        Some(target) => builder.append_link(&mut header, path, target),
        None => builder.append_data(&mut header, path, entry),
    }
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_comes_last() {
        let first = tar(&[File::public("/etc/kubernetes/a", "a")]).unwrap();
        let all = extended(&first, &[File::secret("/kcluster/b", "b")]).unwrap();
        let paths: Vec<String> = tar::Archive::new(all.as_slice())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(
            paths,
            [
                "etc/kubernetes/",
                "etc/kubernetes/a",
                "kcluster/",
                "kcluster/b"
            ]
        );
    }

    #[test]
    fn folders_come_once_before_their_files() {
        let archive = tar(&[
            File::public("/kcluster/node.json", "{}"),
            File::secret("/etc/kubernetes/pki/ca.key", "k"),
            File::public("/kcluster/patches/p.json", "p"),
        ])
        .unwrap();
        let seen: Vec<(String, u32)> = tar::Archive::new(archive.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, entry.header().mode().unwrap())
            })
            .collect();
        let expected = [
            ("kcluster/", 0o755),
            ("kcluster/node.json", 0o644),
            ("etc/kubernetes/", 0o755),
            ("etc/kubernetes/pki/", 0o755),
            ("etc/kubernetes/pki/ca.key", 0o600),
            ("kcluster/patches/", 0o755),
            ("kcluster/patches/p.json", 0o644),
        ];
        assert_eq!(
            seen,
            expected
                .map(|(path, mode)| (path.to_owned(), mode))
                .to_vec()
        );
    }
}
