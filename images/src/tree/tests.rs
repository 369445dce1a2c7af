use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn written(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    tree.write(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_tar_file_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("deep/{}", "x".repeat(150));
    let mut tree = Tree::default();
    tree.text("usr/bin/tool", 0o4755, "program");
    tree.text(&long, 0o600, "long");
    tree.symlink("usr/bin/link", "tool");
    tree.dir("tmp", 0o1777);
    let tar = folder.path().join("a.tar");
    fs::write(&tar, written(&tree)).unwrap();

    let read = Tree::from_tar(&tar).unwrap();
    assert_eq!(read.get("tmp").unwrap().mode, 0o1777);
    assert_eq!(
        read.get("usr/bin/link").unwrap().kind,
        Kind::Symlink("tool".into())
    );
    let Kind::File(content) = &read.get(&long).unwrap().kind else {
        panic!("no file")
    };
    assert_eq!(content.read().unwrap(), b"long");
    assert_eq!(read.get("usr/bin/tool").unwrap().mode, 0o4755);
    // The link from the old name to the new one is all that came to it.
    tree.symlink("bin", "usr/bin");
    assert!(written(&read) == written(&tree));
}

#[test]
fn old_names_lead_into_usr_and_hard_links_become_files() {
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("a.tar");
    let mut builder = tar::Builder::new(fs::File::create(&tar).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o755);
    builder
        .append_data(&mut header, "./bin/sh", Cursor::new(b"abc"))
        .unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Link);
    header.set_size(0);
    header.set_mode(0o755);
    builder
        .append_link(&mut header, "./usr/bin/ash", "./bin/sh")
        .unwrap();
    builder.into_inner().unwrap();

    let tree = Tree::from_tar(&tar).unwrap();
    assert_eq!(
        tree.get("bin").unwrap().kind,
        Kind::Symlink("usr/bin".into())
    );
    assert_eq!(tree.get("usr/bin/ash"), tree.get("usr/bin/sh"));
}

#[test]
fn a_file_that_shrank_is_an_error_and_not_a_short_layer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "long enough").unwrap();
    let mut tree = Tree::default();
    tree.file("file", 0o644, &file).unwrap();
    fs::write(&file, "short").unwrap();
    let error = tree.write(io::sink()).unwrap_err().to_string();
    assert!(error.contains("became shorter"), "{error}");
}

#[test]
fn removing_takes_what_is_below_and_no_namesake() {
    let mut tree = Tree::default();
    for path in ["usr/share/doc/a", "usr/share/doc-base/b", "usr/share/docs"] {
        tree.text(path, 0o644, "");
    }
    tree.remove("usr/share/doc");
    let left: Vec<_> = tree.iter().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(
        left,
        [
            "usr",
            "usr/share",
            "usr/share/doc-base",
            "usr/share/doc-base/b",
            "usr/share/docs"
        ]
    );
}

proptest! {
    #[test]
    fn equal_trees_are_written_equally_and_parents_first(mut paths in proptest::collection::vec("[ab/-]{1,6}(/[a-z]{1,3}){0,2}", 1..12), seed in 0usize..100) {
        paths.retain(|path| path.split('/').all(|part| !part.is_empty()));
        paths.sort();
        // A file may not be above another.
        paths.dedup_by(|longer, shorter| longer.starts_with(&format!("{shorter}/")) || longer == shorter);
        let paths: Vec<String> = paths.iter().map(|path| format!("{path}/file")).collect();
        let mut turned = paths.clone();
        if !turned.is_empty() { let by = seed % turned.len(); turned.rotate_left(by); }
        let grow = |paths: &[String]| {
            let mut tree = Tree::default();
            for path in paths { tree.text(path, 0o644, path); }
            tree
        };
        let bytes = written(&grow(&paths));
        prop_assert!(bytes == written(&grow(&turned)));
        let mut seen = std::collections::BTreeSet::from([String::new()]);
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let path = entry.unwrap().path().unwrap().to_string_lossy().trim_end_matches('/').to_owned();
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
            prop_assert!(seen.contains(&parent), "{} before {}", path, parent);
            seen.insert(path);
        }
    }
}
