//! An engine through SSH, and the tunnel to what it publishes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use kcluster_cluster::engine::tunnel::{self, Tunnel};
use kcluster_cluster::engine::{ApiReach, Endpoint, EngineError, ExecSpec, SshTarget, connect};

use kcluster_tests::Sshd;

use crate::interactive;
use crate::support::{Corner, free_port, needs, shared};

/// How to reach `socket` through `sshd`.
fn target(sshd: &Sshd, socket: PathBuf) -> SshTarget {
    SshTarget {
        user: Some("root".into()),
        host: "127.0.0.1".into(),
        port: Some(sshd.port()),
        socket,
        config: Some(sshd.client_config()),
    }
}

/// How many `ssh` clients go to this server.
fn clients(sshd: &Sshd) -> usize {
    let config = sshd.client_config().display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .filter(|line| line.starts_with(b"ssh\0"))
        .filter(|line| String::from_utf8_lossy(line).contains(&config))
        .count()
}

/// A client that was told to end does so in a moment, not at once.
async fn assert_no_clients(sshd: &Sshd) {
    for _ in 0..200 {
        if clients(sshd) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("an ssh stays behind");
}

#[tokio::test]
async fn an_engine_is_used_through_ssh() {
    needs!("dockerd", "sshd", "ssh");
    let (dockerd, sshd) = (shared(), Sshd::start().unwrap());
    let target = target(&sshd, dockerd.socket());
    let endpoint: Endpoint = Endpoint::Ssh(target.clone()).to_string().parse().unwrap();
    let engine = connect(&endpoint).await.unwrap();
    let info = engine.info().await.unwrap();
    assert!(!info.local);
    assert_eq!(info.api_host(), ApiReach::Tunnel(target));
    assert!(!engine.shares_files(std::path::Path::new("/tmp")));
    assert_eq!(clients(&sshd), 1);

    // Privilege and the host's devices are asked of containers here.
    if let Some(corner) = Corner::of(engine).await {
        let seen_here = dockerd
            .connect()
            .await
            .privilege("unused", &corner.labels)
            .await;
        assert_eq!(corner.privilege, seen_here.unwrap());
        let node = corner.started(0).await;
        let spec = ExecSpec {
            stdin: Some(b"through SSH\n".repeat(50_000)),
            ..ExecSpec::new(["sh", "-c", "test -c /dev/kmsg && cat | wc -l"])
        };
        let output = corner.engine.exec(&node, spec, None).await.unwrap();
        assert_eq!(output.stdout.trim(), "50000", "{}", output.stderr);
        let left = corner.engine.nodes(&corner.labels).await.unwrap();
        assert_eq!(left.len(), 1, "probes stay behind: {left:?}");
        let runs = (0..20).map(|_| corner.engine.exec(&node, ExecSpec::new(["true"]), None));
        for run in futures_util::future::join_all(runs).await {
            assert_eq!(run.unwrap().code, 0);
        }
        assert_eq!(clients(&sshd), 1, "one connection carries all");
        corner.clear().await;
    }
    // Whatever held the engine is dropped by now, and the connection with it.
    assert_no_clients(&sshd).await;
}

#[tokio::test]
async fn a_killed_process_leaves_no_ssh_behind() {
    needs!("dockerd", "sshd", "ssh");
    let (dockerd, sshd) = (shared(), Sshd::start().unwrap());
    let Some(corner) = Corner::of(dockerd.connect().await).await else {
        return;
    };
    let endpoint = Endpoint::Ssh(target(&sshd, dockerd.socket()));
    let temporary = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(temporary.path()).unwrap().count();
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec {}", interactive::myself())])
        .env(interactive::ENDPOINT, endpoint.to_string())
        .env(interactive::NODE, corner.started(0).await)
        .env(interactive::SCRIPT, "echo here; sleep 1000")
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut said, mut buffer) = (String::new(), [0; 1024]);
    while !said.contains("here") {
        let count = output.read(&mut buffer).unwrap();
        assert!(count > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert_eq!((clients(&sshd), left()), (1, 1));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_no_clients(&sshd).await;
    for _ in 0..200 {
        if left() == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(left(), 0, "a folder stays behind");
    corner.clear().await;
}

#[tokio::test]
async fn what_ssh_says_is_told() {
    needs!("sshd", "ssh");
    let sshd = Sshd::start().unwrap();
    let refusal = async |target: SshTarget| {
        let error = connect(&Endpoint::Ssh(target)).await.err().unwrap();
        assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
        error.to_string()
    };
    let mut elsewhere = target(&sshd, "/x".into());
    elsewhere.port = Some(free_port());
    let text = refusal(elsewhere).await;
    assert!(text.contains("Connection refused"), "{text}");
    let mut stranger = target(&sshd, "/x".into());
    stranger.user = Some("nobody-of-that-name".into());
    let text = refusal(stranger).await;
    assert!(text.contains("Permission denied"), "{text}");
    let text = refusal(target(&sshd, "/no/such.sock".into())).await;
    assert!(
        text.contains("/no/such.sock") && text.contains("must be allowed"),
        "{text}"
    );
    assert_no_clients(&sshd).await;
}

#[tokio::test]
async fn a_tunnel_stands_until_it_is_closed() {
    needs!("sshd", "ssh");
    let sshd = Sshd::start().unwrap();
    let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let far_port = far.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in far.incoming().flatten() {
            let _ = stream.write_all(b"from afar");
        }
    });
    let log = sshd.client_config().with_file_name("tunnel.log");
    let target = target(&sshd, "/unused".into());
    let tunnel = tunnel::open(&target, far_port, &log).await.unwrap();
    assert!(tunnel::is_open(tunnel));
    let read = |tunnel: Tunnel| {
        let mut text = String::new();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, tunnel.port))?;
        stream.read_to_string(&mut text).map(|_| text)
    };
    assert_eq!(read(tunnel).unwrap(), "from afar");
    tunnel::close(tunnel).await.unwrap();
    assert!(!tunnel::is_open(tunnel));
    assert!(read(tunnel).is_err());
    tunnel::close(tunnel).await.unwrap();

    let mut stranger = target;
    stranger.user = Some("nobody-of-that-name".into());
    let text = tunnel::open(&stranger, far_port, &log)
        .await
        .unwrap_err()
        .to_string();
    assert!(text.contains("Permission denied"), "{text}");
    assert_no_clients(&sshd).await;
}
