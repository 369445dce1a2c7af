//! An SSH server of a test's own.

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::process::run;

/// An SSH server on the loopback with keys of its own, ended when dropped.
#[derive(Debug)]
pub struct Sshd {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Sshd {
    /// Starts one, which lets root in by a key that only [`Sshd::client_config`] names.
    ///
    /// # Errors
    /// When keys cannot be made or the server does not start.
    pub fn start() -> Result<Self> {
        let folder = TempDir::with_prefix("kct-ssh-")?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user"] {
            run(Command::new("ssh-keygen").args([
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                &at(key),
            ]))?;
        }
        // Its place for unprivileged children; systemd makes it where that runs.
        fs_err::create_dir_all("/run/sshd")?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             UsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n",
            at("host"),
            at("user.pub"),
        );
        fs_err::write(at("sshd_config"), server)?;
        let host_key = fs_err::read_to_string(at("host.pub"))?;
        fs_err::write(at("known_hosts"), format!("[127.0.0.1]:{port} {host_key}"))?;
        let client = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n",
            at("user"),
            at("known_hosts"),
        );
        fs_err::write(at("ssh_config"), client)?;
        let mut child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &at("sshd_config")])
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut errors) = child.stderr.take() {
            // It says when it listens.
            let (mut said, mut buffer) = (String::new(), [0; 1024]);
            while !said.contains("Server listening") {
                let count = errors.read(&mut buffer)?;
                ensure!(count > 0, "no sshd: {said}");
                said.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        }
        Ok(Self {
            child,
            folder,
            port,
        })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file to hand to `ssh -F`.
    #[must_use]
    pub fn client_config(&self) -> PathBuf {
        self.folder.path().join("ssh_config")
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
