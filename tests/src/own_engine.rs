//! An engine of a test's own, in a network namespace of its own, to be killed and filled
//! without harm to the machine's engine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::run;

/// Tools of the system only: a `containerd-shim-runc-v2` elsewhere on the path would be
/// taken for the engine's own.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine's own programs, in a network of their own.
const ON_MACHINE: &str = "ip link set lo up && exec dockerd \"$@\"";

/// Programs of another root, which stays as it is: its mounts are seen by the engine alone. A `chroot` would not do: what
/// the engine runs in a container begins at the root of the mount namespace.
const IN_ROOT: &str = r#"set -e
root=$1 folder=$2
shift 2
ip link set lo up
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
for machines in dev proc sys; do mount --rbind "/$machines" "$root/$machines"; done
for own in run tmp; do mount -t tmpfs tmpfs "$root/$own"; done
mkdir -p "$root$folder"
mount --rbind "$folder" "$root$folder"
mkdir "$root/run/host"
cd "$root"
pivot_root . run/host
exec dockerd "$@""#;

/// A `dockerd` with its own folder and socket; ended, and its folder emptied, when dropped.
#[derive(Debug)]
pub struct OwnEngine {
    folder: TempDir,
    /// Where its programs are, if not where the machine's are.
    root: Option<PathBuf>,
    child: Option<Child>,
}

impl OwnEngine {
    /// Starts one; its data is held in memory of at most `megabytes` if given.
    ///
    /// # Errors
    /// When it does not answer within a minute.
    pub fn start(megabytes: Option<u32>) -> Result<Self> {
        let mut engine = Self::stopped(None)?;
        let data = engine.data_root();
        if let Some(megabytes) = megabytes {
            let size = format!("size={megabytes}m");
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&data);
            run(&mut mount)?;
        }
        engine.restart()?;
        Ok(engine)
    }

    /// Starts one that keeps images in containerd's store, of several platforms or of a part of those an image names;
    /// `root` holds its programs and all that these need.
    ///
    /// # Errors
    /// When it does not answer within a minute.
    pub fn with_containerd_store(root: &Path) -> Result<Self> {
        let mut engine = Self::stopped(Some(root.to_owned()))?;
        let features = r#"{"features": {"containerd-snapshotter": true}}"#;
        fs_err::write(engine.folder.path().join("daemon.json"), features)?;
        engine.restart()?;
        Ok(engine)
    }

    fn stopped(root: Option<PathBuf>) -> Result<Self> {
        let engine = Self {
            folder: TempDir::with_prefix_in("kct-", "/tmp")?,
            root,
            child: None,
        };
        fs_err::create_dir_all(engine.data_root())?;
        Ok(engine)
    }

    /// The endpoint to hand to `--engine`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("docker.sock").display()
        )
    }

    /// A program of this machine's in the engine's network.
    pub(crate) fn beside(&self, program: &str) -> Command {
        let id = self.child.as_ref().map_or(0, Child::id);
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{id}/ns/net")).arg(program);
        command
    }

    /// The endpoint behind SSH: the server runs for each connection in the engine's own network, as on a machine
    /// of its own, so that what the engine publishes is reached too.
    ///
    /// # Errors
    /// When keys cannot be made.
    pub fn behind_ssh(&self) -> Result<String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        for key in ["ssh_host", "ssh_user"] {
            let path = at(key);
            let args = ["-q", "-t", "ed25519", "-N", "", "-f", &path];
            run(Command::new("ssh-keygen").args(args))?;
        }
        // Its place for unprivileged children; systemd makes it where that runs.
        fs_err::create_dir_all("/run/sshd")?;
        let server = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nMaxSessions 100\n",
            at("ssh_host"),
            at("ssh_user.pub"),
        );
        fs_err::write(at("sshd_config"), server)?;
        let key = fs_err::read_to_string(at("ssh_host.pub"))?;
        fs_err::write(at("known_hosts"), format!("engine {key}"))?;
        let client = format!(
            "Host engine\nIdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n\
             ProxyCommand nsenter --net=/proc/$(cat {})/ns/net /usr/sbin/sshd -i -f {}\n",
            at("ssh_user"),
            at("known_hosts"),
            at("pid"),
            at("sshd_config"),
        );
        fs_err::write(at("ssh_config"), client)?;
        Ok(format!(
            "ssh://root@engine{}?config={}",
            at("docker.sock"),
            at("ssh_config")
        ))
    }

    /// Stops the engine as an administrator would; its containers end with it.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            run(Command::new("kill").arg(child.id().to_string()))?;
            child.wait()?;
        }
        Ok(())
    }

    /// Ends all at once, as a host does that loses its power: the engine, all it had started
    /// and every container. Only what is on its disk stays.
    ///
    /// # Errors
    /// When a process cannot be ended.
    pub fn crash(&mut self) -> Result<()> {
        let folder = self.folder.path().to_path_buf();
        let ids = self.docker(&["ps", "--all", "--quiet", "--no-trunc"])?;
        let ours = processes()?
            .into_iter()
            .filter(|process| process.command.contains(&folder.display().to_string()))
            .collect::<Vec<_>>();
        // A container's first process is a child of its shim, which names our folder.
        let containers = processes()?
            .into_iter()
            .filter(|process| ours.iter().any(|shim| shim.pid == process.parent))
            .collect::<Vec<_>>();
        let mut kill = Command::new("kill");
        kill.arg("-9");
        let (mut engine, mut rest): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for process in ours.iter().chain(&containers) {
            let first = process.command.starts_with("dockerd");
            if first { &mut engine } else { &mut rest }.push(process.pid);
        }
        // The engine first, so that it sees none of the ends and writes nothing down.
        engine.append(&mut rest);
        engine.dedup();
        kill.args(engine.iter().map(u32::to_string));
        run(&mut kill)?;
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while processes()?.iter().any(|it| engine.contains(&it.pid)) {
            if Instant::now() > deadline {
                bail!("processes of the engine do not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let data = self.data_root();
        unmount_below(&folder, &data);
        fs_err::remove_dir_all(folder.join("exec"))?;
        // A host that starts has no cgroups; here the kernel went on, and lets go of them one after the other.
        for id in ids.lines() {
            let find = "find /sys/fs/cgroup -depth -type d -path \"*/docker/$0*\" -exec rmdir {} +";
            while let Err(error) = run(Command::new("sh").args(["-c", find, id])) {
                if Instant::now() > deadline {
                    return Err(error.context("the cgroups of a node that is gone stay in use"));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let _ = std::fs::remove_file(folder.join("pid"));
        Ok(())
    }

    /// Starts the engine (again) on the data it had.
    ///
    /// # Errors
    /// When it does not answer within a minute.
    pub fn restart(&mut self) -> Result<()> {
        let at = |name: &str| self.folder.path().join(name);
        let log = fs_err::File::create(at("dockerd.log"))?.into_parts().0;
        let mut command = Command::new("unshare");
        match &self.root {
            None => command.args(["--net", "sh", "-c", ON_MACHINE, "sh"]),
            Some(root) => command
                .args(["--net", "--mount", "sh", "-c", IN_ROOT, "sh"])
                .args([root.as_path(), self.folder.path()])
                .arg("--config-file")
                .arg(at("daemon.json")),
        };
        let child = command
            .arg("--data-root")
            .arg(self.data_root())
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .args(["--bridge=none", "-H", &self.endpoint()])
            .env("PATH", SYSTEM_PATH)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("failed to start dockerd")?;
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if self.docker(&["version"]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("no engine:\n{}", fs_err::read_to_string(at("dockerd.log"))?)
    }

    /// Runs Docker's client against this engine.
    ///
    /// # Errors
    /// When it fails.
    pub fn docker(&self, args: &[&str]) -> Result<String> {
        run(Command::new("docker")
            .args(["-H", &self.endpoint()])
            .args(args))
    }

    fn data_root(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        let folder = self.folder.path().to_path_buf();
        if let Ok(ids) = self.docker(&["ps", "--all", "--quiet"]) {
            let mut args = vec!["rm", "--force", "--volumes"];
            args.extend(ids.lines());
            if args.len() > 3 {
                let _ = self.docker(&args);
            }
        }
        let _ = self.stop();
        unmount_below(&folder, Path::new(""));
    }
}

/// A process of this machine that has not ended.
struct Process {
    pid: u32,
    parent: u32,
    command: String,
}

fn processes() -> Result<Vec<Process>> {
    let listed = run(Command::new("ps").args(["-eo", "pid=,ppid=,stat=,args=", "-ww"]))?;
    let process = |line: &str| {
        let mut words = line.split_whitespace();
        let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let ended = words.next()?.starts_with('Z');
        let command = words.collect::<Vec<_>>().join(" ");
        (!ended).then_some(Process {
            pid,
            parent,
            command,
        })
    };
    Ok(listed.lines().filter_map(process).collect())
}

/// What a killed engine left mounted would keep the folder; `kept` itself stays.
fn unmount_below(folder: &Path, kept: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below: Vec<&str> = mounts
        .lines()
        .rev()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|target| Path::new(target).starts_with(folder) && Path::new(target) != kept)
        .collect();
    for target in below {
        let _ = Command::new("umount").arg("-l").arg(target).status();
    }
}
