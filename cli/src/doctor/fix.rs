//! What `--fix` does, as commands that can be shown before they run.

use std::collections::BTreeSet;
use std::fmt;

use camino::Utf8Path;

use super::facts::Facts;

/// What kind's own documentation advises, and more than a dozen nodes use.
pub(super) const INOTIFY_INSTANCES: u64 = 512;
pub(super) const INOTIFY_WATCHES: u64 = 524_288;

/// A remedy that a program can apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Install the engine, and start it.
    InstallEngine,
    /// Start the engine that is installed.
    StartEngine,
    /// Install a Debian package.
    Package(&'static str),
    /// Raise the inotify limits, now and after a restart.
    Inotify,
    /// Register emulators of other architectures; no command does it, see `cluster::emulation`.
    Emulators,
}

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// Left running, with its output in this file.
    pub(crate) detached: Option<String>,
}

impl Action {
    fn new(argv: &[&str]) -> Self {
        Self {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            detached: None,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .argv
            .iter()
            .map(|word| {
                if word.contains(' ') {
                    format!("'{word}'")
                } else {
                    word.clone()
                }
            })
            .collect();
        f.write_str(&words.join(" "))?;
        match &self.detached {
            Some(log) => write!(f, " >{log} 2>&1 &"),
            None => Ok(()),
        }
    }
}

/// The commands that apply `fixes`, in order; empty where nothing can be done.
pub(crate) fn plan(fixes: &[Fix], facts: &Facts, state: &Utf8Path) -> Vec<Action> {
    let mut actions = Vec::new();
    let packages: BTreeSet<&str> = fixes
        .iter()
        .filter_map(|fix| match fix {
            Fix::InstallEngine => Some("docker.io"),
            Fix::Package(name) => Some(*name),
            _ => None,
        })
        .collect();
    if !packages.is_empty() && facts.apt {
        actions.push(Action::new(&["apt-get", "update", "--quiet"]));
        let mut install = vec![
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "install",
        ];
        install.extend(["--yes", "--quiet", "--no-install-recommends"]);
        install.extend(packages);
        actions.push(Action::new(&install));
    }
    let installs = fixes.contains(&Fix::InstallEngine) && facts.apt;
    if installs || fixes.contains(&Fix::StartEngine) {
        actions.extend(start_engine(facts, state));
    }
    if fixes.contains(&Fix::Inotify) {
        let write = format!(
            "printf 'fs.inotify.max_user_instances = %s\\nfs.inotify.max_user_watches = %s\\n' {INOTIFY_INSTANCES} {INOTIFY_WATCHES} >/etc/sysctl.d/99-kcluster.conf && echo {INOTIFY_INSTANCES} >/proc/sys/fs/inotify/max_user_instances && echo {INOTIFY_WATCHES} >/proc/sys/fs/inotify/max_user_watches"
        );
        actions.push(Action::new(&["sh", "-c", &write]));
    }
    if !facts.root {
        for action in &mut actions {
            action.argv.insert(0, "sudo".to_owned());
        }
    }
    actions
}

/// By systemd where it runs; else by hand, in a session of its own.
fn start_engine(facts: &Facts, state: &Utf8Path) -> Vec<Action> {
    if facts.systemd {
        return vec![Action::new(&["systemctl", "enable", "--now", "docker"])];
    }
    let folder = state.join("engine");
    let pidfile = format!("--pidfile={}", folder.join("dockerd.pid"));
    // A containerd shim elsewhere on the PATH would be picked up by the engine.
    let path = "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";
    let dockerd = Action::new(&["setsid", "env", path, "dockerd", &pidfile]);
    vec![Action {
        detached: Some(folder.join("dockerd.log").to_string()),
        ..dockerd
    }]
}
