//! Images made here, each with its own fault.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::recipe::hex;

/// A program for a machine, as short as it can be.
#[derive(Default)]
struct Made<'a> {
    machine: u16,
    big: bool,
    interpreter: Option<&'a str>,
    needed: &'a [&'a str],
    runpath: Option<&'a str>,
}

const AMD64: u16 = 62;
const ARM64: u16 = 183;
const S390X: u16 = 22;

impl Made<'_> {
    fn bytes(&self) -> Vec<u8> {
        let word = |value: u64, size: usize| -> Vec<u8> {
            let little = value.to_le_bytes()[..size].to_vec();
            if self.big {
                little.into_iter().rev().collect()
            } else {
                little
            }
        };
        // Names, with where each begins.
        let mut names = vec![0];
        let mut name = |text: &str| {
            let at = names.len() as u64;
            names.extend(text.as_bytes());
            names.push(0);
            at
        };
        let mut dynamic: Vec<(u64, u64)> = self.needed.iter().map(|text| (1, name(text))).collect();
        dynamic.extend(self.runpath.map(|text| (29, name(text))));
        let interpreter = self
            .interpreter
            .map(|text| (name(text), text.len() as u64 + 1));
        let headers = 2 + u64::from(interpreter.is_some());
        let names_at = 64 + headers * 56;
        let dynamic_at = (names_at + names.len() as u64).next_multiple_of(8);
        dynamic.extend([(5, names_at), (10, names.len() as u64), (0, 0)]);
        let end = dynamic_at + dynamic.len() as u64 * 16;

        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, if self.big { 2 } else { 1 }, 1];
        bytes.resize(16, 0);
        for (value, size) in [
            (2, 2),
            (u64::from(self.machine), 2),
            (1, 4),
            (0, 8),
            (64, 8),
            (0, 8),
            (0, 4),
            (64, 2),
            (56, 2),
            (headers, 2),
            (64, 2),
            (0, 2),
            (0, 2),
        ] {
            bytes.extend(word(value, size));
        }
        let mut segment = |kind: u64, at: u64, len: u64| {
            for (value, size) in [
                (kind, 4),
                (4, 4),
                (at, 8),
                (at, 8),
                (at, 8),
                (len, 8),
                (len, 8),
                (8, 8),
            ] {
                bytes.extend(word(value, size));
            }
        };
        segment(1, 0, end);
        segment(2, dynamic_at, dynamic.len() as u64 * 16);
        if let Some((at, len)) = interpreter {
            segment(3, names_at + at, len);
        }
        bytes.extend(&names);
        bytes.resize(usize::try_from(dynamic_at).unwrap(), 0);
        for (tag, value) in dynamic {
            bytes.extend(word(tag, 8));
            bytes.extend(word(value, 8));
        }
        bytes
    }
}

fn plain(machine: u16, big: bool) -> Vec<u8> {
    Made {
        machine,
        big,
        ..Made::default()
    }
    .bytes()
}

fn layer(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An archive in the making.
#[derive(Default)]
struct Layout {
    blobs: Vec<(String, Vec<u8>)>,
    manifests: Vec<serde_json::Value>,
}

impl Layout {
    fn blob(&mut self, bytes: Vec<u8>) -> serde_json::Value {
        let digest = hex(&Sha256::digest(&bytes));
        let described =
            serde_json::json!({ "digest": format!("sha256:{digest}"), "size": bytes.len() });
        self.blobs.push((format!("blobs/sha256/{digest}"), bytes));
        described
    }

    /// Adds an image that the index says is for `listed` and that itself says it is for `own`.
    fn image(&mut self, listed: &str, own: &str, start: &str, files: &[(&str, Vec<u8>)]) {
        let layer = layer(files);
        let diff_id = format!("sha256:{}", hex(&Sha256::digest(&layer)));
        let layer = self.blob(layer);
        let config = serde_json::json!({
            "os": "linux", "architecture": own, "config": { "Entrypoint": [start] },
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        });
        let config = self.blob(config.to_string().into_bytes());
        let manifest =
            serde_json::json!({ "schemaVersion": 2, "config": config, "layers": [layer] });
        let mut descriptor = self.blob(manifest.to_string().into_bytes());
        descriptor["platform"] = serde_json::json!({ "os": "linux", "architecture": listed });
        self.manifests.push(descriptor);
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let index = serde_json::json!({ "schemaVersion": 2, "manifests": self.manifests });
        let mut files = vec![("index.json".to_owned(), index.to_string().into_bytes())];
        files.extend(self.blobs.iter().cloned());
        let path = folder.join("image.tar");
        let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
        for (name, bytes) in &files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, &bytes[..]).unwrap();
        }
        tar.into_inner().unwrap();
        path
    }

    async fn verdicts(&self) -> Vec<PlatformVerdict> {
        let folder = tempfile::tempdir().unwrap();
        verify(&ImageSource::Archive(self.write(folder.path())))
            .await
            .unwrap()
    }
}

fn told(verdict: &PlatformVerdict) -> Vec<String> {
    let weight = |finding: &Finding| if finding.wrong { "wrong" } else { "odd" };
    verdict
        .findings
        .iter()
        .map(|finding| format!("{}: {}", weight(finding), finding.problem))
        .collect()
}

#[tokio::test]
async fn each_platform_of_an_index_gets_its_own_answer() {
    let mut index = Layout::default();
    let dynamic = |loader| Made {
        machine: S390X,
        big: true,
        interpreter: Some(loader),
        needed: &["libc.so.6"],
        ..Made::default()
    };
    index.image("amd64", "amd64", "/app", &[("app", plain(AMD64, false))]);
    // Another's binary, said to be this one's by index and configuration alike.
    index.image("arm64", "arm64", "/app", &[("app", plain(AMD64, false))]);
    // The index alone is wrong.
    index.image("ppc64le", "amd64", "/app", &[("app", plain(AMD64, false))]);
    index.image(
        "s390x",
        "s390x",
        "/app",
        &[("app", dynamic("/lib/ld64.so.1").bytes())],
    );
    let verdicts = index.verdicts().await;
    let platforms: Vec<String> = verdicts
        .iter()
        .map(|verdict| verdict.platform.to_string())
        .collect();
    assert_eq!(
        platforms,
        ["linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x"]
    );
    assert!(
        verdicts[0].passed() && verdicts[0].findings.is_empty(),
        "{:?}",
        verdicts[0]
    );
    assert_eq!(told(&verdicts[1]), ["wrong: /app is for amd64, not arm64"]);
    assert_eq!(
        told(&verdicts[2]),
        [
            "wrong: the index says linux/ppc64le, the image's own configuration says linux/amd64",
            "wrong: /app is for amd64, not ppc64le"
        ]
    );
    assert_eq!(
        told(&verdicts[3]),
        [
            "wrong: /app wants the loader /lib/ld64.so.1, which is not in the image",
            "wrong: /app wants the library libc.so.6, which is not in the image"
        ]
    );
}

#[tokio::test]
async fn libraries_are_found_where_loaders_find_them() {
    let mut index = Layout::default();
    let app = Made {
        machine: ARM64,
        interpreter: Some("/lib/ld-linux-aarch64.so.1"),
        needed: &["libown.so", "libc.so.6", "libextra.so"],
        runpath: Some("$ORIGIN/../own"),
        ..Made::default()
    };
    let own = Made {
        machine: ARM64,
        needed: &["libdeep.so"],
        ..Made::default()
    };
    index.image(
        "arm64",
        "arm64",
        "app",
        &[
            ("usr/bin/app", app.bytes()),
            ("lib/ld-linux-aarch64.so.1", plain(ARM64, false)),
            ("usr/own/libown.so", own.bytes()),
            ("usr/lib/aarch64-linux-gnu/libc.so.6", plain(ARM64, false)),
            // The loader would pass over this one.
            ("usr/lib/libc.so.6", plain(AMD64, false)),
            ("opt/x/libextra.so", plain(ARM64, false)),
            ("etc/ld.so.conf.d/x.conf", b"# extra\n/opt/x\n".to_vec()),
            ("data/foreign", plain(S390X, true)),
        ],
    );
    let verdicts = index.verdicts().await;
    assert_eq!(
        told(&verdicts[0]),
        [
            "wrong: /usr/own/libown.so wants the library libdeep.so, which is not in the image",
            "odd: /data/foreign is for s390x, not arm64",
            "wrong: /usr/lib/libc.so.6 is for amd64, not arm64"
        ]
    );
}

#[tokio::test]
async fn scripts_are_followed_to_programs() {
    let mut index = Layout::default();
    let script = |line: &str| format!("#!{line}\nexec app\n").into_bytes();
    let shell = ("bin/sh", plain(AMD64, false));
    let env = ("usr/bin/env", plain(AMD64, false));
    index.image(
        "amd64",
        "amd64",
        "/run",
        &[("run", script("/bin/sh -e")), shell.clone()],
    );
    index.image(
        "amd64",
        "amd64",
        "/run",
        &[("run", script("/bin/bash")), shell.clone()],
    );
    index.image(
        "amd64",
        "amd64",
        "/run",
        &[("run", script("/usr/bin/env -S python3 -u")), env],
    );
    index.image(
        "amd64",
        "amd64",
        "/run",
        &[("run", b"no program".to_vec()), shell.clone()],
    );
    index.image("amd64", "amd64", "nothing", &[shell]);
    let verdicts = index.verdicts().await;
    let told: Vec<Vec<String>> = verdicts.iter().map(told).collect();
    assert_eq!(told[0], [""; 0]);
    assert_eq!(
        told[1],
        ["wrong: /run is a script for /bin/bash, which is not in the image"]
    );
    assert_eq!(
        told[2],
        ["wrong: `python3`, which containers start with, is not in the image"]
    );
    assert_eq!(told[3], ["wrong: /run is to be started, but is no program"]);
    assert_eq!(
        told[4],
        ["wrong: `nothing`, which containers start with, is not in the image"]
    );
}

#[tokio::test]
async fn what_is_damaged_is_told_and_the_rest_is_judged() {
    let mut index = Layout::default();
    index.image("amd64", "amd64", "/app", &[("app", plain(AMD64, false))]);
    index.image("arm64", "arm64", "/app", &[("app", plain(ARM64, false))]);
    index.image(
        "s390x",
        "s390x",
        "/app",
        &[("app", plain(S390X, true)), ("more", Vec::new())],
    );
    // The layer of the second image becomes another one; the third loses its configuration.
    let other = layer(&[("app", plain(AMD64, false))]);
    index.blobs[3].1 = other;
    index.blobs.remove(7);
    let verdicts = index.verdicts().await;
    assert!(verdicts[0].passed());
    assert!(
        told(&verdicts[1])[0].contains("layer 1 unpacks to sha256:"),
        "{:?}",
        told(&verdicts[1])
    );
    assert!(
        told(&verdicts[2])[0].contains("it is not there"),
        "{:?}",
        told(&verdicts[2])
    );
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (content, why) in [
        (layer(&[("a", Vec::new())]), "no archive of images"),
        (vec![0x1f, 0x8b, 8, 0], "packed by gzip"),
    ] {
        fs::write(&path, content).unwrap();
        let error = verify(&ImageSource::Archive(path.clone()))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{error}");
    }
    let absent = verify(&ImageSource::Archive(folder.path().join("none"))).await;
    assert!(absent.unwrap_err().to_string().contains("none"));
}

#[tokio::test]
async fn what_older_engines_save_is_read_too() {
    let layer = layer(&[("app", plain(AMD64, false))]);
    let config = serde_json::json!({
        "os": "linux", "architecture": "arm64", "config": { "Cmd": ["/app"] },
        "rootfs": { "diff_ids": [format!("sha256:{}", hex(&Sha256::digest(&layer)))] },
    });
    let list =
        serde_json::json!([{ "Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l/layer.tar"] }]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.tar");
    let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
    for (name, bytes) in [
        ("manifest.json", list.to_string().into_bytes()),
        ("c.json", config.to_string().into_bytes()),
        ("l/layer.tar", layer),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, io::Cursor::new(bytes))
            .unwrap();
    }
    tar.into_inner().unwrap();
    let verdicts = verify(&ImageSource::Archive(path)).await.unwrap();
    assert_eq!(verdicts[0].platform.to_string(), "linux/arm64");
    assert_eq!(told(&verdicts[0]), ["wrong: /app is for amd64, not arm64"]);
}
