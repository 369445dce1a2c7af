//! An image of one static busybox, made by hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use kcluster_cluster::engine::Labels;
use serde_json::json;
use sha2::{Digest, Sha256};

pub(crate) const NAME: &str = "kcluster-test/busybox:1";

pub(crate) fn labels() -> Labels {
    Labels::from([("dev.kcluster.image".into(), "test".into())])
}

const APPLETS: [&str; 16] = [
    "sh", "sleep", "cat", "true", "echo", "ls", "env", "head", "tty", "stty", "touch", "hostname",
    "test", "grep", "wc", "nc",
];

/// Ends when told to, as a node does.
const ENTRYPOINT: &str =
    "trap 'exit 0' TERM; echo up; echo also up >&2; while :; do sleep 1000 & wait; done";

/// An archive as `docker load` reads it, with `padding` bytes that do not compress.
pub(crate) fn archive(padding: usize) -> Result<Vec<u8>, String> {
    let busybox = busybox()?;
    let binary = std::fs::read(&busybox).map_err(|error| error.to_string())?;
    let mut layer = tar::Builder::new(Vec::new());
    for folder in ["bin", "dev", "etc", "proc", "run", "sys", "tmp", "var"] {
        entry(&mut layer, tar::EntryType::Directory, folder, 0o755, &[]);
    }
    entry(
        &mut layer,
        tar::EntryType::Regular,
        "bin/busybox",
        0o755,
        &binary,
    );
    entry(
        &mut layer,
        tar::EntryType::Regular,
        "var/of-the-image",
        0o644,
        b"x",
    );
    for applet in APPLETS {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        layer
            .append_link(&mut header, format!("bin/{applet}"), "busybox")
            .unwrap();
    }
    if padding > 0 {
        let noise: Vec<u8> = (0..padding)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        entry(
            &mut layer,
            tar::EntryType::Regular,
            "padding",
            0o644,
            &noise,
        );
    }
    let layer = layer.into_inner().unwrap();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": ["/bin/sh", "-c", ENTRYPOINT],
            "Env": ["PATH=/bin"],
            "Labels": labels(),
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
    })
    .to_string();
    let manifest = json!([{
        "Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"],
    }])
    .to_string();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [
        ("config.json", config.as_bytes()),
        ("layer.tar", &layer),
        ("manifest.json", manifest.as_bytes()),
    ] {
        entry(&mut archive, tar::EntryType::Regular, name, 0o644, bytes);
    }
    Ok(archive.into_inner().unwrap())
}

fn entry(
    to: &mut tar::Builder<Vec<u8>>,
    kind: tar::EntryType,
    path: &str,
    mode: u32,
    bytes: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    to.append_data(&mut header, path, bytes).unwrap();
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The machine's own static busybox, or the one of its distribution's package, kept.
fn busybox() -> Result<PathBuf, String> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox-static");
    if kept.exists() {
        return Ok(kept);
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = "apt-get download busybox-static && dpkg-deb -x busybox-static_*.deb .";
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder.path())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("no static busybox is to be had: {said}"));
    }
    std::fs::copy(folder.path().join("bin/busybox"), &kept).map_err(|error| error.to_string())?;
    Ok(kept)
}
