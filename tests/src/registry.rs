//! Debian's registry on a port of this machine, ended when dropped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::OwnEngine;

/// A registry that runs.
#[derive(Debug)]
pub struct Registry {
    /// Its port.
    pub port: u16,
    child: Child,
    _folder: TempDir,
}

impl Registry {
    /// Starts one that listens at `address`; with lines of htpasswd, only those users are answered.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen within 20 s.
    pub fn start(address: &str, users: Option<&str>) -> Result<Self> {
        Self::run(address, users, &|program| Command::new(program))
    }

    /// Starts one in the network of `engine`, where it is the host's own.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen within 20 s.
    pub fn beside(engine: &OwnEngine) -> Result<Self> {
        Self::run("127.0.0.1", None, &|program| engine.beside(program))
    }

    fn run(address: &str, users: Option<&str>, command: &dyn Fn(&str) -> Command) -> Result<Self> {
        let folder = TempDir::with_prefix("kcluster-registry-")?;
        let port = TcpListener::bind((address, 0))?.local_addr()?.port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}:{port}\n",
            at("data")
        );
        if let Some(users) = users {
            fs_err::write(at("users"), users)?;
            config += &format!(
                "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                at("users")
            );
        }
        fs_err::write(at("config.yml"), config)?;
        let child = command("docker-registry")
            .args(["serve", &at("config.yml")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start docker-registry")?;
        let registry = Self {
            port,
            child,
            _folder: folder,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        let listens = || {
            let mut bash = command("bash");
            bash.args(["-c", &connect]).stderr(Stdio::null());
            bash.status().map(|status| status.success())
        };
        while !listens()? {
            if Instant::now() > deadline {
                bail!("the registry does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
