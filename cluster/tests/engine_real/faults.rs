//! Engines that are not there, go away, or are full.

use std::io::Cursor;
use std::process::Command;
use std::time::Duration;

use kcluster_cluster::engine::{Endpoint, EngineError, ExecSpec, connect};

use crate::image;
use crate::support::{Corner, Dockerd, needs, skip};

async fn refusal(endpoint: &str) -> String {
    let endpoint: Endpoint = endpoint.parse().unwrap();
    let error = connect(&endpoint).await.err().unwrap();
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn no_engine_is_an_error_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("x.sock");
    let endpoint = format!("unix://{}", socket.display());
    let text = refusal(&endpoint).await;
    assert!(
        text.contains("there is no socket") && text.contains("doctor --fix"),
        "{text}"
    );
    // A socket that nobody listens at any more.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let text = refusal(&endpoint).await;
    assert!(text.contains("onnection refused"), "{text}");
    let text = refusal(&format!("tcp://127.0.0.1:{}", crate::support::free_port())).await;
    assert!(text.contains("onnection refused"), "{text}");
}

#[tokio::test]
async fn an_engine_that_stops_breaks_a_command_off() {
    needs!("dockerd");
    let mut dockerd = Dockerd::isolated(None);
    let Some(corner) = Corner::of(dockerd.connect().await).await else {
        return;
    };
    let node = corner.started(0).await;
    let engine = corner.engine.clone();
    let (to, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let running = tokio::spawn(async move {
        let spec = ExecSpec::new(["sh", "-c", "echo begun; sleep 1000"]);
        engine.exec(&node, spec, Some(to)).await
    });
    lines.recv().await.unwrap();
    tokio::task::spawn_blocking(move || dockerd.stop())
        .await
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), running).await;
    let error = ended.expect("the command hangs").unwrap();
    assert!(
        matches!(error, Err(EngineError::Unreachable { .. })),
        "{error:?}"
    );
    let error = corner.engine.nodes(&corner.labels).await.unwrap_err();
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
}

/// A small file system, unmounted when dropped.
struct Small(tempfile::TempDir);

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_called_a_full_disk() {
    needs!("dockerd");
    let small = Small(tempfile::tempdir().unwrap());
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
        .arg(small.0.path())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return skip("tmpfs cannot be mounted");
    }
    let dockerd = Dockerd::isolated(Some(small.0.path()));
    let engine = dockerd.connect().await;
    let Ok(archive) = image::archive(64 << 20) else {
        return skip("no busybox");
    };
    let error = engine
        .load_image(Box::new(Cursor::new(archive)))
        .await
        .unwrap_err();
    assert!(matches!(error, EngineError::DiskFull { .. }), "{error}");
    assert!(engine.images(&image::labels()).await.unwrap().is_empty());
    drop(dockerd);
}
