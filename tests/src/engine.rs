//! What is on the engine, as Docker's own client tells it: a second witness beside
//! kcluster's.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::Result;

use crate::process::run;

/// Runs Docker's client and returns what it printed.
///
/// # Errors
/// When it cannot be started or fails.
pub fn docker(args: &[&str]) -> Result<String> {
    run(Command::new("docker").args(args))
}

/// All that could leak from a cluster, on the engine and on its host. Node images are no
/// leak: they are kept for the next cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Container ids, running or not.
    pub containers: BTreeSet<String>,
    /// Network ids.
    pub networks: BTreeSet<String>,
    /// Volume names.
    pub volumes: BTreeSet<String>,
    /// Mount points of this machine that its engine or kcluster made.
    pub mounts: BTreeSet<String>,
}

/// Parts of the mount points that the machine's engine and kcluster make.
const OURS: [&str; 3] = ["/lib/docker/", "/run/docker/", "kcluster"];

impl Inventory {
    /// What is there now.
    ///
    /// # Errors
    /// When the engine or /proc cannot be asked.
    pub fn take() -> Result<Self> {
        let list = |args: &[&str]| -> Result<BTreeSet<String>> {
            Ok(docker(args)?.lines().map(str::to_owned).collect())
        };
        let mounts = fs_err::read_to_string("/proc/self/mounts")?;
        Ok(Self {
            containers: list(&["ps", "--all", "--quiet", "--no-trunc"])?,
            networks: list(&["network", "ls", "--quiet", "--no-trunc"])?,
            volumes: list(&["volume", "ls", "--quiet"])?,
            mounts: mounts
                .lines()
                .filter_map(|line| line.split(' ').nth(1))
                .filter(|point| OURS.iter().any(|ours| point.contains(ours)))
                .map(str::to_owned)
                .collect(),
        })
    }

    /// What is here and was not in `before`, in words; empty when nothing leaked.
    #[must_use]
    pub fn leaked_since(&self, before: &Self) -> Vec<String> {
        let kinds = [
            ("container", &self.containers, &before.containers),
            ("network", &self.networks, &before.networks),
            ("volume", &self.volumes, &before.volumes),
            ("mount", &self.mounts, &before.mounts),
        ];
        kinds
            .into_iter()
            .flat_map(|(kind, now, then)| {
                now.difference(then).map(move |it| format!("{kind} {it}"))
            })
            .collect()
    }
}
