//! The file that a snapshot leaves the machine as: a tar archive, compressed by zstd in two
//! frames. The first holds what the snapshot is and the nodes' files, the second the packed
//! volumes as they came. None of the cluster's own keys is in it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tar::{Archive, Builder, EntryType, Header};

use super::Snapshot;
use crate::engine::PACKED;

const DESCRIPTION: &str = "snapshot.json";
/// To be raised when a reader of today could not read it any more.
const FORMAT: u32 = 1;
/// Worth its time: a level more saves a hundredth and takes twice as long.
const LEVEL: i32 = 3;
/// Marks the end of an archive.
const END: usize = 1024;

/// What a snapshot is, on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Bundle {
    format: u32,
    pub(super) snapshot: Snapshot,
}

/// The first frame: what a snapshot is, and an archive of files for each node.
pub(super) struct Head {
    pub(super) snapshot: Snapshot,
    pub(super) archives: Vec<(String, Vec<u8>)>,
}

/// Writes a file from the first frame and from what the engine packed.
pub(super) fn write(file: File, head: Head, mut packed: File) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let bundle = Bundle {
        format: FORMAT,
        snapshot: head.snapshot,
    };
    let mut builder = Builder::new(Vec::new());
    put(
        &mut builder,
        DESCRIPTION,
        &serde_json::to_vec_pretty(&bundle)?,
    )?;
    for (node, archive) in &head.archives {
        put(&mut builder, &format!("nodes/{node}.tar"), archive)?;
    }
    let mut first = builder.into_inner()?;
    // Without its end, both frames are one archive that anyone's tar can list.
    first.truncate(first.len().saturating_sub(END));
    frame(&mut out, &mut first.as_slice())?;

    packed.seek(SeekFrom::Start(0))?;
    let mut outer = Archive::new(BufReader::new(packed));
    let mut inner = outer
        .entries()?
        .next()
        .ok_or_else(|| invalid("the engine packed nothing"))??;
    frame(&mut out, &mut inner)?;
    out.into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// Reads a file: what it holds, and, in `packed`, what the engine can unpack.
pub(super) fn read(path: &Path, packed: &mut File) -> io::Result<Head> {
    let mut file = BufReader::new(File::open(path)?);
    let mut first = zstd::Decoder::with_buffer(&mut file)?.single_frame();
    let mut head = Vec::new();
    first.read_to_end(&mut head)?;
    let mut description = None;
    let mut archives = Vec::new();
    for entry in Archive::new(head.as_slice()).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if name == DESCRIPTION {
            let bundle: Bundle = serde_json::from_slice(&content)
                .map_err(|error| invalid(&format!("{DESCRIPTION}: {error}")))?;
            description = Some(bundle);
        } else if let Some(node) = name
            .strip_prefix("nodes/")
            .and_then(|name| name.strip_suffix(".tar"))
        {
            archives.push((node.to_owned(), content));
        }
    }
    let bundle = description.ok_or_else(|| invalid("there is no snapshot in it"))?;
    if bundle.format != FORMAT {
        return Err(invalid(&format!(
            "it is of format {}, and this kcluster reads format {FORMAT}",
            bundle.format
        )));
    }
    // Its size is known only at the end.
    packed.write_all(&[0; 512])?;
    let mut second = zstd::Decoder::with_buffer(&mut file)?.single_frame();
    let size = io::copy(&mut second, packed)?;
    let fill = (512 - size % 512) % 512;
    io::copy(&mut io::repeat(0).take(fill + END as u64), packed)?;
    packed.seek(SeekFrom::Start(0))?;
    packed.write_all(header(PACKED, size)?.as_bytes())?;
    packed.seek(SeekFrom::Start(0))?;
    Ok(Head {
        snapshot: bundle.snapshot,
        archives,
    })
}

fn frame(out: &mut impl Write, from: &mut impl Read) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    io::copy(from, &mut encoder)?;
    encoder.finish().map(drop)
}

fn put(builder: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) -> io::Result<()> {
    let header = header(name, content.len() as u64)?;
    builder.append(&header, content)
}

fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tests::snapshot;

    fn packed(content: &[u8]) -> File {
        let mut builder = Builder::new(tempfile::tempfile().unwrap());
        let header = header(PACKED, content.len() as u64).unwrap();
        builder.append(&header, content).unwrap();
        builder.into_inner().unwrap()
    }

    fn bundle(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("s.tar.zst");
        let head = Head {
            snapshot: snapshot("a", 0),
            archives: vec![("a-control-plane".into(), b"files".to_vec())],
        };
        write(File::create(&path).unwrap(), head, packed(b"volumes")).unwrap();
        path
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = bundle(folder.path());
        let mut back = tempfile::tempfile().unwrap();
        let head = read(&path, &mut back).unwrap();
        assert_eq!(head.snapshot, snapshot("a", 0));
        assert_eq!(
            head.archives,
            [("a-control-plane".into(), b"files".to_vec())]
        );
        let mut outer = Archive::new(back);
        let mut inner = outer.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(inner.path().unwrap(), Path::new(PACKED));
        let mut text = String::new();
        inner.read_to_string(&mut text).unwrap();
        assert_eq!(text, "volumes");
    }

    #[test]
    fn half_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = bundle(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 10, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut back = tempfile::tempfile().unwrap();
            assert!(read(&path, &mut back).is_err(), "{length} bytes");
        }
        let mut flipped = whole.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let mut back = tempfile::tempfile().unwrap();
        assert!(read(&path, &mut back).is_err());
    }
}
