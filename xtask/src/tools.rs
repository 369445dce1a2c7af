//! Programs that only the tests need, from the host's own packages.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::run::check;

/// Each program and the Debian package that brings it.
const TOOLS: &[(&str, &str)] = &[
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/stunnel4", "stunnel4"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/bin/python3", "python3-venv"),
];

/// Installs what is missing, where that is possible; tests without their tool are skipped aloud.
pub(crate) fn install() -> Result<()> {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() || !Path::new("/usr/bin/apt-get").exists() {
        return Ok(());
    }
    // A server that a package would start is not wanted: tests start their own.
    check(
        Command::new("apt-get")
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(missing)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("RUNLEVEL", "1"),
    )?;
    Ok(())
}
