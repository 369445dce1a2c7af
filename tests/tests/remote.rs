//! Engines that are not reached through a local socket: SSH, and TCP with TLS. Nothing may
//! assume a shared file system, and the kubeconfig must reach the API server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use kcluster_tests::{Inventory, Kcluster, Sshd, installed, real_clusters};

#[test]
fn a_cluster_on_an_engine_behind_ssh_is_used_from_here() {
    let name = "a_cluster_on_an_engine_behind_ssh_is_used_from_here";
    if !real_clusters(name) || !installed(name, "sshd") {
        return;
    }
    let sshd = Sshd::start().unwrap();
    let endpoint = format!(
        "ssh://root@127.0.0.1:{}/var/run/docker.sock?config={}",
        sshd.port(),
        sshd.client_config().display()
    );
    cluster_lives_on(&endpoint, "remote-ssh");
}

#[test]
fn a_cluster_on_an_engine_behind_tls_is_used_from_here() {
    let name = "a_cluster_on_an_engine_behind_tls_is_used_from_here";
    if !real_clusters(name) || !installed(name, "stunnel4") || !installed(name, "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (port, _stunnel) = tls_in_front_of_the_engine(folder.path());
    let certs = folder.path().display();
    cluster_lives_on(
        &format!("tcp://127.0.0.1:{port}?certs={certs}"),
        "remote-tls",
    );
}

/// Boots one node on the engine, uses it by its kubeconfig, removes it.
fn cluster_lives_on(endpoint: &str, name: &str) {
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let engine = ["--name", name, "--engine", endpoint];
    let run = |command: &str, rest: &[&str]| {
        let args = [&[command], &engine[..], rest].concat();
        kcluster.run(&args).unwrap().expect_code(0).unwrap()
    };
    run("up", &["--nodes", "0"]);
    let nodes = run("kubectl", &["get", "nodes", "-o", "name"]);
    assert_eq!(nodes.stdout.trim(), format!("node/{name}-control-plane"));
    let tested = run(
        "e2e",
        &["ConfigMap should be consumable via the environment"],
    );
    assert!(tested.stderr.contains("1 passed"), "{}", tested.stderr);
    run("down", &[]);
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "{leaked:#?}");
}

/// A TLS listener on the loopback that wants a client's certificate, and `ca.pem`,
/// `cert.pem` and `key.pem` for that client in `folder`.
fn tls_in_front_of_the_engine(folder: &Path) -> (u16, Ended) {
    let script = r#"
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign
issue() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$2" -out "$1.csr"
  printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%s\n' "$4" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "$1.ext" -out "$3"
}
issue server server.key server.pem serverAuth
issue client key.pem cert.pem clientAuth
"#;
    let made = Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let config = format!(
        "foreground = yes\npid =\n[engine]\naccept = 127.0.0.1:{port}\nconnect = /var/run/docker.sock\n\
         cert = server.pem\nkey = server.key\nCAfile = ca.pem\nverifyChain = yes\nrequireCert = yes\n"
    );
    fs_err::write(folder.join("stunnel.conf"), config).unwrap();
    let stunnel = Command::new("stunnel4")
        .arg("stunnel.conf")
        .current_dir(folder)
        .spawn()
        .unwrap();
    let stunnel = Ended(stunnel);
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "stunnel does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    (port, stunnel)
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
