//! Engines of our own, and what tests make on them.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use kcluster_cluster::engine::{
    Endpoint, Engine, Labels, NetworkSpec, NodeSpec, Privilege, connect,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::image;

/// Tools of the system only: a `containerd-shim-runc-v2` elsewhere on the path would be
/// taken for the engine's own.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Says why a test is skipped, past the capture of its output.
pub(crate) fn skip(reason: &str) {
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    let line = format!("skipped {name}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// What is not on this machine.
pub(crate) fn lacks(programs: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("this needs root, to start an engine".into());
    }
    programs
        .iter()
        .find(|program| {
            !SYSTEM_PATH
                .split(':')
                .any(|folder| Path::new(folder).join(program).exists())
        })
        .map(|program| format!("{program} is not installed"))
}

/// Returns from the test, with the reason, unless all programs are there.
macro_rules! needs {
    ($($program:literal),+) => {
        if let Some(reason) = $crate::support::lacks(&[$($program),+]) {
            $crate::support::skip(&reason);
            return;
        }
    };
}
pub(crate) use needs;

/// A corner of the shared engine, and that engine, which ends when nobody holds it; the test is skipped aloud where
/// there can be none.
macro_rules! corner {
    () => {{
        $crate::support::needs!("dockerd");
        let dockerd = $crate::support::shared();
        match $crate::support::Corner::of(dockerd.connect().await).await {
            Some(corner) => (dockerd, corner),
            None => return,
        }
    }};
}
pub(crate) use corner;

/// An engine's process, ended when dropped.
pub(crate) struct Dockerd {
    child: Child,
    pub(crate) folder: tempfile::TempDir,
    log: Arc<Mutex<String>>,
}

impl Dockerd {
    /// In a network namespace of its own, where no packet has anywhere to go.
    pub(crate) fn isolated(data: Option<&Path>) -> Self {
        let mut command = Command::new("unshare");
        command.args([
            "--net",
            "sh",
            "-c",
            "ip link set lo up && exec dockerd \"$@\"",
            "sh",
        ]);
        Self::start(command, data, &[] as &[&str])
    }

    /// In the machine's network, whose packet filter and forwarding it must not touch.
    pub(crate) fn in_host_network(extra: &[impl AsRef<OsStr>]) -> Self {
        let mut command = Command::new("dockerd");
        command.args(["--iptables=false", "--ip-forward=false", "--ip-masq=false"]);
        Self::start(command, None, extra)
    }

    fn start(mut command: Command, data: Option<&Path>, extra: &[impl AsRef<OsStr>]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kce")
            .tempdir_in("/tmp")
            .unwrap();
        let at = |name: &str| folder.path().join(name);
        let socket = format!("unix://{}", at("docker.sock").display());
        let data = data.map_or_else(|| at("data"), Path::to_owned);
        let mut child = command
            .arg("--data-root")
            .arg(data)
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .args(["--bridge=none", "-H", &socket])
            .args(extra)
            .env("PATH", SYSTEM_PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (ready, listens) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        std::thread::spawn(move || follow(errors, &kept, &ready));
        let dockerd = Self { child, folder, log };
        let socket_listens = listens.recv_timeout(Duration::from_secs(60));
        assert!(socket_listens.is_ok(), "no engine:\n{}", dockerd.log());
        dockerd
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    pub(crate) fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) async fn connect(&self) -> Arc<dyn Engine> {
        connect(&Endpoint::Unix(self.socket())).await.unwrap()
    }

    /// As an administrator would, or the machine's end.
    pub(crate) fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        if let Some(pid) = Pid::from_raw(pid)
            && self.child.try_wait().unwrap().is_none()
        {
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        self.stop();
        // What a container of a failed test left mounted would keep the folder.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let folder = self.folder.path().to_string_lossy().into_owned();
        for line in mounts.lines().rev() {
            if let Some(target) = line.split(' ').nth(4)
                && target.starts_with(&folder)
            {
                let _ = Command::new("umount").arg("-l").arg(target).status();
            }
        }
    }
}

fn follow(errors: impl BufRead, log: &Mutex<String>, ready: &Sender<()>) {
    for line in errors.lines().map_while(Result::ok) {
        if line.contains("API listen on") {
            let _ = ready.send(());
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(&line);
        log.push('\n');
    }
}

/// The engine that tests share while any of them runs.
pub(crate) fn shared() -> Arc<Dockerd> {
    static SHARED: Mutex<Weak<Dockerd>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let dockerd = Arc::new(Dockerd::isolated(None));
        *shared = Arc::downgrade(&dockerd);
        dockerd
    })
}

/// A port of the loopback that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A corner of an engine that one test has for itself: names, a subnet, a label.
pub(crate) struct Corner {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) name: String,
    pub(crate) number: u8,
    pub(crate) labels: Labels,
    pub(crate) privilege: Privilege,
}

impl Corner {
    /// With the test image loaded, a network made, and privilege probed.
    pub(crate) async fn of(engine: Arc<dyn Engine>) -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let archive = match image::archive(0) {
            Ok(archive) => archive,
            Err(reason) => {
                skip(&reason);
                return None;
            }
        };
        engine
            .load_image(Box::new(std::io::Cursor::new(archive)))
            .await
            .unwrap();
        let name = format!("corner{number}");
        let labels = Labels::from([("dev.kcluster.cluster".into(), name.clone())]);
        let privilege = engine.privilege(image::NAME, &labels).await.unwrap();
        let corner = Self {
            engine,
            name,
            number,
            labels,
            privilege,
        };
        corner
            .engine
            .create_network(&corner.network())
            .await
            .unwrap();
        Some(corner)
    }

    pub(crate) fn network(&self) -> NetworkSpec {
        NetworkSpec {
            name: format!("kcluster-{}", self.name),
            subnet: format!("10.88.{}.0/24", self.number).parse().unwrap(),
            subnet6: None,
            masquerade: false,
            labels: self.labels.clone(),
        }
    }

    pub(crate) fn node(&self, index: u8) -> NodeSpec {
        let name = format!("{}-node-{index}", self.name);
        NodeSpec {
            name: name.clone(),
            image: image::NAME.into(),
            network: self.network().name,
            address: Ipv4Addr::new(10, 88, self.number, 10 + index),
            var_volume: name,
            address6: None,
            mounts: Vec::new(),
            ports: Vec::new(),
            cpus: None,
            memory: None,
            publish_api: None,
            privilege: self.privilege.clone(),
            labels: self.labels.clone(),
        }
    }

    /// Makes a node and its volume.
    pub(crate) async fn make(&self, spec: &NodeSpec) -> String {
        self.engine
            .create_volume(&spec.var_volume, &self.labels)
            .await
            .unwrap();
        self.engine.create_node(spec).await.unwrap();
        spec.name.clone()
    }

    /// Makes and starts a plain node.
    pub(crate) async fn started(&self, index: u8) -> String {
        let name = self.make(&self.node(index)).await;
        self.engine.start_node(&name).await.unwrap();
        name
    }

    /// Removes all it has, by label alone, and checks that nothing is left.
    pub(crate) async fn clear(&self) {
        let engine = &self.engine;
        for node in engine.nodes(&self.labels).await.unwrap() {
            engine.remove_node(&node.name).await.unwrap();
        }
        for volume in engine.volumes(&self.labels).await.unwrap() {
            engine.remove_volume(&volume.name).await.unwrap();
        }
        for network in engine.networks(&self.labels).await.unwrap() {
            engine.remove_network(&network.name).await.unwrap();
        }
        assert!(engine.nodes(&self.labels).await.unwrap().is_empty());
        assert!(engine.volumes(&self.labels).await.unwrap().is_empty());
        assert!(engine.networks(&self.labels).await.unwrap().is_empty());
    }
}
