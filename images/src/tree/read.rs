//! Trees from what is there already: a tar file, or a folder.

use std::os::unix::fs::PermissionsExt as _;

use super::{Arc, Content, Error, Kind, Node, Path, Result, Tree, fs};

/// Folders that are links into `/usr` everywhere today; some packages still use the old names.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

impl Tree {
    /// The files, folders and links of a tar file, which must stay where it is.
    pub(crate) fn from_tar(path: &Path) -> Result<Self> {
        let mut tree = Self::default();
        let file: Arc<Path> = path.into();
        let mut archive = tar::Archive::new(fs::File::open(path)?);
        let mut hard_links = Vec::new();
        for entry in archive.entries_with_seek()? {
            let entry = entry?;
            let name = clean(&entry.path()?)?;
            // The links are made below, for packages that bring none as well.
            if MERGED.contains(&name.as_str()) {
                continue;
            }
            let name = merged(name);
            let header = entry.header();
            let mode = header.mode()? & 0o7777;
            let kind = match header.entry_type() {
                _ if name.is_empty() => continue,
                tar::EntryType::Directory => Kind::Dir,
                tar::EntryType::GNUSparse => {
                    return Err(Error::malformed(
                        path.display().to_string(),
                        format!("{name} is sparse"),
                    ));
                }
                tar::EntryType::Regular => Kind::File(Content::Slice {
                    file: Arc::clone(&file),
                    offset: entry.raw_file_position(),
                    len: entry.size(),
                }),
                kind @ (tar::EntryType::Symlink | tar::EntryType::Link) => {
                    let target = entry.link_name()?.unwrap_or_default();
                    if kind == tar::EntryType::Link {
                        hard_links.push((name, merged(clean(&target)?)));
                        continue;
                    }
                    Kind::Symlink(target.to_string_lossy().into_owned())
                }
                // Devices and the like are the node's own business.
                _ => continue,
            };
            tree.insert(&name, Node { mode, kind });
        }
        for (name, target) in hard_links {
            let node = tree.get(&target).cloned().ok_or_else(|| {
                Error::malformed(
                    path.display().to_string(),
                    format!("{name} links to {target}, which is not there"),
                )
            })?;
            tree.insert(&name, node);
        }
        for name in MERGED {
            let below = format!("usr/{name}");
            if tree.contains(&below) {
                tree.symlink(name, &below);
            }
        }
        Ok(tree)
    }

    /// A folder of the machine, put at `at`.
    pub(crate) fn from_folder(folder: &Path, at: &str) -> Result<Self> {
        let mut tree = Self::default();
        tree.dir(at, 0o755);
        tree.add_folder(folder, at)?;
        Ok(tree)
    }

    fn add_folder(&mut self, folder: &Path, at: &str) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| {
                Error::malformed(path.display().to_string(), "its name is not UTF-8")
            })?;
            let inside = format!("{at}/{name}");
            let mode = metadata.permissions().mode() & 0o7777;
            if metadata.is_dir() {
                self.dir(&inside, mode);
                self.add_folder(&path, &inside)?;
            } else if metadata.is_symlink() {
                self.symlink(&inside, &fs::read_link(&path)?.to_string_lossy());
            } else if metadata.is_file() {
                self.file(&inside, mode, &path)?;
            }
        }
        Ok(())
    }
}

/// A path without `./` and slashes at its ends, and never out of the tree.
fn clean(path: &Path) -> Result<String> {
    use std::path::Component;
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir | Component::RootDir => {}
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Error::malformed(
                    path.display().to_string(),
                    "a path in a tar file leads out of it",
                ));
            }
        }
    }
    Ok(parts.join("/"))
}

fn merged(path: String) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) {
        format!("usr/{path}")
    } else {
        path
    }
}
