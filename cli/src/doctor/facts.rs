//! What is so on this machine and its engine, gathered once and judged elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_cluster::emulation::Emulators;
use kcluster_cluster::engine::{DEFAULT_SOCKET, Endpoint};
use kcluster_matrix::Arch;
use rustix::process::{Resource, geteuid, getrlimit};

use super::features::FEATURES;
use crate::config::Host;

/// The engine, as far as checks care.
#[derive(Debug, Clone)]
pub(crate) struct EngineFacts {
    pub(crate) endpoint: String,
    pub(crate) version: String,
    pub(crate) storage: String,
    pub(crate) cgroup_version: u8,
    /// Its folder, if it is on this machine.
    pub(crate) data_root: Option<Utf8PathBuf>,
}

/// Room on a disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(super) what: &'static str,
    pub(super) path: Utf8PathBuf,
    pub(super) free: u64,
}

/// What is known of emulators on the engine's host.
#[derive(Debug, Clone)]
pub(crate) enum Emulation {
    /// There is no engine to ask, or none whose machine is known.
    Unknown,
    /// The image that proves them is not there; this is the engine's own architecture.
    Unprepared(Arch),
    /// The engine's host answered.
    Found(Emulators),
    /// It could not be asked.
    Refused(String),
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) engine: Result<EngineFacts, String>,
    pub(super) engine_is_local: bool,
    /// At the socket where a local engine listens by itself, so that starting it helps.
    pub(super) engine_is_usual: bool,
    pub(super) dockerd: bool,
    pub(super) apt: bool,
    pub(super) systemd: bool,
    pub(super) root: bool,
    pub(super) capabilities: u64,
    pub(super) inotify: Option<(u64, u64)>,
    pub(super) open_files: Option<u64>,
    pub(super) disks: Vec<Disk>,
    pub(super) processors: usize,
    pub(super) memory: u64,
    pub(super) swap: u64,
    pub(super) kernel: String,
    pub(super) features: BTreeSet<&'static str>,
    pub(super) go: Option<String>,
    pub(super) mmdebstrap: bool,
    pub(super) debian_keys: bool,
    pub(crate) emulation: Emulation,
}

impl Facts {
    /// Looks around. `engine` is what asking it gave.
    pub(crate) fn gather(
        host: &Host,
        engine: Result<EngineFacts, String>,
        endpoint: &Endpoint,
        folders: [(&'static str, &Utf8Path); 2],
        emulation: Emulation,
    ) -> Self {
        let release = read("/etc/os-release");
        let path = host.variable("PATH").unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
        let engine_root = engine
            .as_ref()
            .ok()
            .and_then(|engine| engine.data_root.clone());
        let disks = folders
            .into_iter()
            .chain(engine_root.as_deref().map(|root| ("engine", root)))
            .filter_map(|(what, path)| {
                Some(Disk {
                    what,
                    path: path.to_owned(),
                    free: free(path)?,
                })
            })
            .collect();
        let limit = getrlimit(Resource::Nofile).maximum;
        Self {
            engine,
            engine_is_local: endpoint.is_local(),
            engine_is_usual: matches!(endpoint, Endpoint::Unix(path) if usual(path)),
            // Daemons may stand where ordinary users do not look.
            dockerd: find(
                "dockerd",
                &format!("{path}:/usr/sbin:/sbin:/usr/local/sbin"),
            )
            .is_some(),
            apt: release.contains("debian") && find("apt-get", path).is_some(),
            systemd: Path::new("/run/systemd/system").exists(),
            root: geteuid().is_root(),
            capabilities: field(&read("/proc/self/status"), "CapBnd:")
                .and_then(|hex| u64::from_str_radix(&hex, 16).ok())
                .unwrap_or(u64::MAX),
            inotify: number("/proc/sys/fs/inotify/max_user_instances")
                .zip(number("/proc/sys/fs/inotify/max_user_watches")),
            open_files: Some(limit.unwrap_or(u64::MAX)),
            disks,
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory: kib("MemTotal:"),
            swap: kib("SwapTotal:"),
            features: features(&kernel),
            kernel,
            go: go_version(path),
            mmdebstrap: find("mmdebstrap", path).is_some(),
            debian_keys: debian_keys(),
            emulation,
        }
    }
}

/// `/var/run` is a link to `/run` nearly everywhere.
fn usual(socket: &Path) -> bool {
    socket == Path::new(DEFAULT_SOCKET) || socket == Path::new("/run/docker.sock")
}

/// A file's text, or nothing.
fn read(path: &str) -> String {
    fs_err::read_to_string(path).unwrap_or_default()
}

fn number(path: &str) -> Option<u64> {
    read(path).trim().parse().ok()
}

/// The word after `name` at the start of a line.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn kib(name: &str) -> u64 {
    let value = field(&read("/proc/meminfo"), name).and_then(|text| text.parse::<u64>().ok());
    value.unwrap_or(0) * 1024
}

/// A program on a PATH.
pub(super) fn find(program: &str, path: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Free bytes where `path` is or will be.
fn free(path: &Utf8Path) -> Option<u64> {
    let there = path.ancestors().find(|ancestor| ancestor.exists())?;
    let stat = rustix::fs::statvfs(there.as_std_path()).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Features that are loaded, built in or at hand as modules.
fn features(kernel: &str) -> BTreeSet<&'static str> {
    let filesystems = read("/proc/filesystems");
    let lists = ["modules.builtin", "modules.dep"]
        .map(|list| read(&format!("/lib/modules/{kernel}/{list}")))
        .concat();
    let configuration = configuration(kernel);
    FEATURES
        .iter()
        .filter(|feature| {
            let name = feature.name;
            filesystems.split_whitespace().any(|known| known == name)
                || Path::new("/sys/module").join(name).exists()
                || lists.contains(&format!("/{name}.ko"))
                || ["y", "m"].iter().any(|how| {
                    configuration
                        .lines()
                        .any(|line| line == format!("{}={how}", feature.symbol))
                })
        })
        .map(|feature| feature.name)
        .collect()
}

/// The kernel's own configuration, where it tells.
fn configuration(kernel: &str) -> String {
    let Ok(packed) = fs_err::File::open("/proc/config.gz") else {
        return read(&format!("/boot/config-{kernel}"));
    };
    std::io::read_to_string(flate2::read::GzDecoder::new(packed)).unwrap_or_default()
}

/// Go says which it is; `GOTOOLCHAIN=local` keeps it from fetching another.
fn go_version(path: &str) -> Option<String> {
    let go = find("go", path)?;
    let output = std::process::Command::new(go)
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    Some(version.trim().to_owned()).filter(|version| !version.is_empty())
}

/// Debian's own keys, those of trixie among them.
fn debian_keys() -> bool {
    let folder = Path::new("/usr/share/keyrings");
    folder.join("debian-archive-keyring.gpg").exists()
        && fs_err::read_dir(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with("debian-archive-trixie")
            })
        })
}
