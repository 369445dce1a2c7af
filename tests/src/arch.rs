//! Architectures as their own pods tell them.

use anyhow::{Context as _, Result, ensure};

use crate::Kcluster;

/// An architecture, as those who do not ask kcluster know it.
#[derive(Debug, Clone, Copy)]
pub struct Arch {
    /// What Kubernetes calls it.
    pub name: &'static str,
    /// What the kernel calls it.
    uname: &'static str,
    /// The machine in an ELF header, as its bytes stand there (System V gABI).
    elf: [&'static str; 2],
}

/// 64-bit ARM.
pub const ARM64: Arch = Arch {
    name: "arm64",
    uname: "aarch64",
    elf: ["b7", "00"],
};

/// POWER, little-endian.
pub const PPC64LE: Arch = Arch {
    name: "ppc64le",
    uname: "ppc64le",
    elf: ["15", "00"],
};

/// IBM Z, big-endian.
pub const S390X: Arch = Arch {
    name: "s390x",
    uname: "s390x",
    elf: ["00", "16"],
};

impl Arch {
    /// Runs a pod in cluster `name` that tells its kernel's name and the header of the program that it runs.
    ///
    /// # Errors
    /// When they are not this architecture's, or the pod does not run.
    pub fn pod_agrees(self, kcluster: &Kcluster, name: &str) -> Result<()> {
        let ok =
            |args: &[&str]| -> Result<String> { Ok(kcluster.run(args)?.expect_code(0)?.stdout) };
        let node = format!("{name}-control-plane");
        let images = [
            "exec", "--name", name, &node, "--", "ctr", "images", "list", "-q",
        ];
        let images = ok(&images)?;
        let mut images = images.lines();
        let image = images.find(|image| image.contains("/busybox:"));
        let image = format!("--image={}", image.context("no busybox in the node")?);
        // Two bytes at 18 tell whose machine code it is.
        let script = "uname -m; od -An -tx1 -j18 -N2 /bin/sh";
        let kubectl = |args: &[&str]| ok(&[&["kubectl", "--name", name, "--"], args].concat());
        let run = ["run", "probe", "--restart=Never", &image];
        kubectl(&[&run[..], &["--", "sh", "-c", script]].concat())?;
        let done = "--for=jsonpath={.status.phase}=Succeeded";
        kubectl(&["wait", "pod/probe", "--timeout=60s", done])?;
        let said = kubectl(&["logs", "probe"])?;
        let words: Vec<&str> = said.split_whitespace().collect();
        ensure!(
            words == [self.uname, self.elf[0], self.elf[1]],
            "a pod of {} says {said}",
            self.name
        );
        eprintln!("a pod of {} says {said}", self.name);
        Ok(())
    }
}
