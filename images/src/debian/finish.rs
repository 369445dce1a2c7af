//! What maintainer scripts would have done that matters here, and the room they would not have made.

use std::path::Path;

use crate::catalogue::Packages;
use crate::error::Result;
use crate::tree::{Kind, Tree};

/// To be raised when this file makes something else of the same packages.
pub(super) const REVISION: u32 = 2;

/// Nothing that runs reads these.
const NOT_NEEDED: [&str; 41] = [
    "boot",
    "dev",
    "home",
    "media",
    "mnt",
    "opt",
    "srv",
    "proc",
    "run",
    "sys",
    "etc/apt",
    "etc/fstab",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/init.d",
    "etc/network",
    "etc/pam.d",
    "etc/rc0.d",
    "etc/rc1.d",
    "etc/rc2.d",
    "etc/rc3.d",
    "etc/rc4.d",
    "etc/rc5.d",
    "etc/rc6.d",
    "etc/rcS.d",
    "etc/systemd",
    "etc/update-motd.d",
    "usr/include",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc-base",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl5",
    "usr/share/zsh",
    "usr/share/fish",
    "var/cache",
    "var/lib/apt",
];

/// Below one folder per architecture.
const NOT_NEEDED_LIBS: [&str; 3] = ["gconv", "perl-base", "e2fsprogs"];

/// Folders that everything expects.
const FOLDERS: [(&str, u32); 13] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
];

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";

/// Makes a tree of extracted packages one that programs can run in.
pub(super) fn finish(mut tree: Tree, packages: &Packages) -> Result<Tree> {
    for path in NOT_NEEDED {
        tree.remove(path);
    }
    tree.retain(|path| !is_needless_library(path));
    for path in &packages.drop {
        tree.remove(path);
    }
    for (path, mode) in FOLDERS {
        tree.dir(path, mode);
    }
    tree.symlink("var/run", "/run");
    tree.dir("var/tmp", 0o1777);
    keep_only(&mut tree, "var/lib/dpkg", "var/lib/dpkg/status");
    accounts(&mut tree)?;
    certificates(&mut tree)?;
    for (path, target) in &packages.links {
        link(&mut tree, path, target);
    }
    link(&mut tree, "usr/bin/sh", "dash");
    link(&mut tree, "usr/bin/sh", "bash");
    if packages.busybox_links {
        busybox_links(&mut tree);
    }
    Ok(tree)
}

fn is_needless_library(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("usr")
        && parts.next() == Some("lib")
        && parts
            .nth(1)
            .is_some_and(|part| NOT_NEEDED_LIBS.contains(&part))
}

fn keep_only(tree: &mut Tree, folder: &str, file: &str) {
    let kept = tree.get(file).cloned();
    tree.remove(folder);
    if let Some(node) = kept {
        tree.insert(file, node);
    }
}

/// A link, unless something is there already or it would lead nowhere.
fn link(tree: &mut Tree, path: &str, target: &str) {
    let leads_to = if target.starts_with('/') {
        target.trim_start_matches('/').to_owned()
    } else {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        format!("{parent}/{target}")
    };
    if !tree.contains(path) && tree.contains(&leads_to) {
        tree.symlink(path, target);
    }
}

/// The files that base-passwd and libc-bin keep as patterns, or the least that will do.
fn accounts(tree: &mut Tree) -> Result<()> {
    for (path, pattern, otherwise) in [
        ("etc/passwd", "usr/share/base-passwd/passwd.master", PASSWD),
        ("etc/group", "usr/share/base-passwd/group.master", GROUP),
        (
            "etc/nsswitch.conf",
            "usr/share/libc-bin/nsswitch.conf",
            NSSWITCH,
        ),
    ] {
        let text = match tree.get(pattern).map(|node| &node.kind) {
            // The pattern has "*" in place of a password that is looked up elsewhere.
            Some(Kind::File(content)) => {
                String::from_utf8_lossy(&content.read()?).replace(":*:", ":x:")
            }
            _ => otherwise.to_owned(),
        };
        tree.text(path, 0o644, text);
    }
    Ok(())
}

/// All authorities of ca-certificates in the one file that programs read.
fn certificates(tree: &mut Tree) -> Result<()> {
    let mut bundle = Vec::new();
    for (path, node) in tree.iter() {
        if let Kind::File(content) = &node.kind
            && path.starts_with("usr/share/ca-certificates/")
            && Path::new(path)
                .extension()
                .is_some_and(|extension| extension == "crt")
        {
            bundle.extend(content.read()?);
            if !bundle.ends_with(b"\n") {
                bundle.push(b'\n');
            }
        }
    }
    if !bundle.is_empty() {
        tree.remove("usr/share/ca-certificates");
        tree.text("etc/ssl/certs/ca-certificates.crt", 0o644, bundle);
    }
    Ok(())
}

/// Every command of busybox that nothing better provides, as Alpine and the busybox image have it.
fn busybox_links(tree: &mut Tree) {
    for path in include_str!("../../rootfs/busybox-applets.txt").lines() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let there = ["usr/bin", "usr/sbin"]
            .iter()
            .any(|folder| tree.contains(&format!("{folder}/{name}")));
        if !there {
            let folder = if path.contains("sbin/") {
                "usr/sbin"
            } else {
                "usr/bin"
            };
            tree.symlink(&format!("{folder}/{name}"), "/usr/bin/busybox");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(tree: &Tree, path: &str) -> String {
        match &tree.get(path).unwrap_or_else(|| panic!("no {path}")).kind {
            Kind::File(content) => String::from_utf8(content.read().unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn scripts_are_not_missed() {
        let mut raw = Tree::default();
        raw.text(
            "usr/share/base-passwd/passwd.master",
            0o644,
            "root:*:0:0:root:/root:/bin/bash\n",
        );
        raw.text("usr/share/ca-certificates/mozilla/b.crt", 0o644, "B");
        raw.text("usr/share/ca-certificates/mozilla/a.crt", 0o644, "A\n");
        raw.text("usr/sbin/xtables-nft-multi", 0o755, "");
        raw.text("usr/bin/dash", 0o755, "");
        raw.text("usr/share/doc/dash/copyright", 0o644, "");
        raw.text("usr/lib/x86_64-linux-gnu/gconv/X.so", 0o644, "");
        raw.text("usr/lib/x86_64-linux-gnu/libc.so.6", 0o644, "");
        raw.text("var/lib/dpkg/status", 0o644, "Package: dash\n");
        raw.text("var/lib/dpkg/lock", 0o644, "");
        let packages = Packages {
            links: [
                (
                    "usr/sbin/iptables".to_owned(),
                    "xtables-nft-multi".to_owned(),
                ),
                ("usr/sbin/nowhere".to_owned(), "not-there".to_owned()),
            ]
            .into(),
            ..Packages::default()
        };
        let tree = finish(raw, &packages).unwrap();
        assert_eq!(
            text_of(&tree, "etc/passwd"),
            "root:x:0:0:root:/root:/bin/bash\n"
        );
        assert_eq!(text_of(&tree, "etc/group"), GROUP);
        assert_eq!(
            text_of(&tree, "etc/ssl/certs/ca-certificates.crt"),
            "A\nB\n"
        );
        assert_eq!(
            tree.get("usr/sbin/iptables").unwrap().kind,
            Kind::Symlink("xtables-nft-multi".into())
        );
        assert_eq!(
            tree.get("usr/bin/sh").unwrap().kind,
            Kind::Symlink("dash".into())
        );
        assert!(
            tree.contains("usr/lib/x86_64-linux-gnu/libc.so.6")
                && tree.contains("var/lib/dpkg/status")
        );
        for path in [
            "usr/sbin/nowhere",
            "usr/share/doc",
            "usr/lib/x86_64-linux-gnu/gconv/X.so",
            "var/lib/dpkg/lock",
        ] {
            assert!(!tree.contains(path), "{path}");
        }
        assert_eq!(tree.get("tmp").unwrap().mode, 0o1777);
    }
}
