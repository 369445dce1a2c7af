//! The files of an image, as far as they decide whether its programs start: layers laid over one another.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::elf::{self, Machine, Program};
use crate::recipe::hex;

/// An ELF file longer than this is judged by its header alone.
const WHOLE: u64 = 1 << 30;

/// Files kept as text: what tells the loader where libraries are, and the first line of scripts.
const TEXT: u64 = 1 << 16;

/// A file, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Dir,
    Symlink(String),
    Program {
        program: Program,
        executable: bool,
    },
    /// Begins like ELF, but cannot be read as that.
    Broken {
        machine: Option<Machine>,
        why: String,
    },
    /// The line after `#!`.
    Script(String),
    Text(String),
    Other {
        executable: bool,
    },
}

/// Paths have no leading slash.
#[derive(Debug, Clone, Default)]
pub(super) struct Rootfs {
    items: BTreeMap<String, Item>,
}

/// Links that are followed before giving up.
const HOPS: usize = 40;

impl Rootfs {
    /// Lays a layer over what is there; returns the SHA-256 of its uncompressed bytes.
    pub(super) fn apply(&mut self, layer: impl Read) -> io::Result<String> {
        let mut hashing = Hashing {
            from: decompressed(layer)?,
            hasher: Sha256::new(),
        };
        let mut archive = tar::Archive::new(&mut hashing);
        let mut added = BTreeMap::new();
        let mut hidden = Vec::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = clean(&String::from_utf8_lossy(&entry.path_bytes()));
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == ".wh..wh..opq" {
                hidden.push(Hidden::Below(parent.to_owned()));
                continue;
            }
            if let Some(gone) = name.strip_prefix(".wh.") {
                hidden.push(Hidden::All(join(parent, gone)));
                continue;
            }
            if path.is_empty() {
                continue;
            }
            let item = match entry.header().entry_type() {
                tar::EntryType::Directory => Item::Dir,
                tar::EntryType::Symlink => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    Item::Symlink(String::from_utf8_lossy(&target).into_owned())
                }
                tar::EntryType::Link => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    let target = clean(&String::from_utf8_lossy(&target));
                    match added.get(&target).or_else(|| self.items.get(&target)) {
                        Some(item) => item.clone(),
                        None => continue,
                    }
                }
                tar::EntryType::Regular
                | tar::EntryType::Continuous
                | tar::EntryType::GNUSparse => {
                    let executable = entry.header().mode().unwrap_or(0) & 0o111 != 0;
                    let size = entry.size();
                    file(&mut entry, size, executable, &path)?
                }
                _ => Item::Other { executable: false },
            };
            added.insert(path, item);
        }
        // What follows the archive's end belongs to the layer's bytes too.
        io::copy(&mut hashing, &mut io::sink())?;
        for gone in hidden {
            self.hide(&gone);
        }
        for (path, item) in added {
            // A file in place of a folder takes all below it away.
            if item != Item::Dir && self.has_below(&path) {
                self.hide(&Hidden::All(path.clone()));
            }
            self.items.insert(path, item);
        }
        Ok(hex(&hashing.hasher.finalize()))
    }

    fn hide(&mut self, hidden: &Hidden) {
        self.items.retain(|path, _| match hidden {
            Hidden::All(gone) => path
                .strip_prefix(gone.as_str())
                .is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/')),
            Hidden::Below(folder) if folder.is_empty() => false,
            Hidden::Below(folder) => path
                .strip_prefix(folder.as_str())
                .is_none_or(|rest| !rest.starts_with('/')),
        });
    }

    /// The file a path leads to, with its own path; `None` where it leads nowhere.
    pub(super) fn find(&self, path: &str) -> Option<(String, &Item)> {
        let mut rest: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        let mut at = String::new();
        let mut hops = 0;
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "." => continue,
                ".." => {
                    at = at
                        .rsplit_once('/')
                        .map(|(parent, _)| parent.to_owned())
                        .unwrap_or_default();
                    continue;
                }
                _ => {}
            }
            let next = join(&at, &part);
            match self.items.get(&next) {
                Some(Item::Symlink(target)) => {
                    hops += 1;
                    if hops > HOPS {
                        return None;
                    }
                    if target.starts_with('/') {
                        at.clear();
                    }
                    rest.extend(parts(target).rev().map(str::to_owned));
                }
                Some(_) => at = next,
                // A folder may have no entry of its own.
                None if self.has_below(&next) => at = next,
                None => return None,
            }
        }
        match self.items.get(&at) {
            Some(item) => Some((at, item)),
            None => Some((at, &Item::Dir)),
        }
    }

    fn has_below(&self, folder: &str) -> bool {
        let prefix = format!("{folder}/");
        self.items
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    /// Every file, by its own path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.items.iter().map(|(path, item)| (path.as_str(), item))
    }
}

enum Hidden {
    /// The path and all below it.
    All(String),
    /// What is below it.
    Below(String),
}

fn file(entry: &mut impl Read, size: u64, executable: bool, path: &str) -> io::Result<Item> {
    let mut head = Vec::new();
    entry.by_ref().take(64).read_to_end(&mut head)?;
    if elf::is_elf(&head) {
        let machine = elf::machine_of(&head);
        if size > WHOLE {
            let why = format!("{size} bytes are too many to look into");
            return Ok(Item::Broken { machine, why });
        }
        entry.read_to_end(&mut head)?;
        return Ok(match elf::read(&head) {
            Ok(program) => Item::Program {
                program,
                executable,
            },
            Err(why) => Item::Broken { machine, why },
        });
    }
    if head.starts_with(b"#!") {
        entry.by_ref().take(TEXT).read_to_end(&mut head)?;
        let text = String::from_utf8_lossy(&head);
        let line = text.lines().next().unwrap_or_default();
        return Ok(Item::Script(
            line.trim_start_matches("#!").trim().to_owned(),
        ));
    }
    if path.starts_with("etc/ld") && size <= TEXT {
        entry.read_to_end(&mut head)?;
        return Ok(Item::Text(String::from_utf8_lossy(&head).into_owned()));
    }
    Ok(Item::Other { executable })
}

/// Whatever a layer is packed with.
fn decompressed<'a>(layer: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut layer = BufReader::with_capacity(1 << 18, layer);
    let head = io::BufRead::fill_buf(&mut layer)?;
    Ok(if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(layer))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = ruzstd::decoding::StreamingDecoder::new(layer);
        Box::new(decoder.map_err(io::Error::other)?)
    } else {
        Box::new(layer)
    })
}

struct Hashing<R> {
    from: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

fn clean(path: &str) -> String {
    parts(path)
        .filter(|part| *part != ".")
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn layer(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, what) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(0);
            if let Some(target) = what.strip_prefix("-> ") {
                header.set_entry_type(tar::EntryType::Symlink);
                tar.append_link(&mut header, path, target).unwrap();
            } else if let Some(target) = what.strip_prefix("= ") {
                header.set_entry_type(tar::EntryType::Link);
                tar.append_link(&mut header, path, target).unwrap();
            } else if path.ends_with('/') {
                header.set_entry_type(tar::EntryType::Directory);
                tar.append_data(&mut header, path, io::empty()).unwrap();
            } else {
                header.set_size(what.len() as u64);
                tar.append_data(&mut header, path, what.as_bytes()).unwrap();
            }
        }
        tar.into_inner().unwrap()
    }

    fn rootfs(layers: &[&[(&str, &str)]]) -> Rootfs {
        let mut rootfs = Rootfs::default();
        for files in layers {
            rootfs.apply(&layer(files)[..]).unwrap();
        }
        rootfs
    }

    #[test]
    fn later_layers_hide_what_they_say() {
        let rootfs = rootfs(&[
            &[
                ("a/", ""),
                ("a/x", "#!/bin/x"),
                ("a/y", ""),
                ("b/z", ""),
                ("ab", ""),
                ("c/d", ""),
            ],
            &[
                ("a/.wh.x", ""),
                ("b/.wh..wh..opq", ""),
                ("b/new", ""),
                ("c", "file"),
                ("copy", "= a/y"),
            ],
        ]);
        let left: Vec<&str> = rootfs.iter().map(|(path, _)| path).collect();
        // A folder without an entry of its own is known by what is in it.
        assert_eq!(left, ["a", "a/y", "ab", "b/new", "c", "copy"]);
        assert_eq!(rootfs.find("/b").unwrap().1, &Item::Dir);
        assert!(rootfs.find("a/x").is_none());
    }

    #[test]
    fn links_are_followed_inside_the_image_and_not_for_ever() {
        let rootfs = rootfs(&[&[
            ("bin", "-> usr/bin"),
            ("usr/bin/sh", "-> /usr/bin/dash"),
            ("usr/bin/dash", "#!/x"),
            ("usr/bin/up", "-> ../../../usr/./bin/dash"),
            ("loop", "-> loop"),
        ]]);
        for path in ["/bin/sh", "bin/up", "/usr/bin/../bin/dash"] {
            assert_eq!(rootfs.find(path).unwrap().0, "usr/bin/dash", "{path}");
        }
        assert!(rootfs.find("loop").is_none());
        assert!(rootfs.find("/bin/zsh").is_none());
    }

    #[test]
    fn a_layers_digest_is_that_of_its_uncompressed_bytes() {
        let plain = layer(&[
            ("etc/ld.so.conf", "/opt/lib\n"),
            ("run", "#! /bin/sh -e\nx"),
        ]);
        let digest = hex(&Sha256::digest(&plain));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(
            &plain[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        for packed in [plain.clone(), gzip.finish().unwrap(), zstd] {
            let mut rootfs = Rootfs::default();
            assert_eq!(rootfs.apply(&packed[..]).unwrap(), digest);
            assert_eq!(
                rootfs.find("run").unwrap().1,
                &Item::Script("/bin/sh -e".into())
            );
            assert_eq!(
                rootfs.find("etc/ld.so.conf").unwrap().1,
                &Item::Text("/opt/lib\n".into())
            );
        }
        let mut rootfs = Rootfs::default();
        assert!(rootfs.apply(&plain[..700]).is_err());
    }
}
