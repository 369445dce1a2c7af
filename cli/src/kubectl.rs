//! kubectl of the cluster's very version for this machine: copied out of its control plane.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use kcluster_cluster::engine::ExecSpec;
use tokio_util::io::SyncIoBridge;

use crate::config::Settings;
use crate::error::Told;
use crate::target::Target;

/// The program, copied unless it was before. None where the node's programs are for another
/// architecture than this machine's.
pub(crate) async fn host_program(
    settings: &Settings,
    target: &Target,
) -> anyhow::Result<Option<Utf8PathBuf>> {
    let folder = settings.cluster_dir().join("bin");
    let program = folder.join("kubectl");
    if program.exists() {
        return Ok(Some(program));
    }
    let here = kcluster_images::host_arch()?;
    let same = target
        .spec
        .as_ref()
        .is_some_and(|spec| spec.cell.arch == here);
    if !same || !settings.kubeconfig().exists() {
        return Ok(None);
    }
    let node = &target.control_plane()?.name;
    // In the node it is a link into the image that its pods share.
    let script = ExecSpec::new(["sh", "-c", "readlink -f \"$(command -v kubectl)\""]);
    let asked = target.engine.exec(node, script, None).await?;
    let path = asked.stdout.trim();
    if asked.code != 0 || path.is_empty() {
        return Err(Told::cluster(format!("node {node} has no kubectl")).into());
    }
    let archive = SyncIoBridge::new(target.engine.copy_out(node, path).await?);
    let to = program.clone();
    tokio::task::spawn_blocking(move || unpack(archive, &folder, &to)).await??;
    Ok(Some(program))
}

/// The only file of `archive` as an executable; whole, or not at all.
fn unpack(archive: impl Read, folder: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries()?.filter(|entry| {
        entry
            .as_ref()
            .is_ok_and(|entry| entry.header().entry_type().is_file())
    });
    let mut entry = entries
        .next()
        .context("the node's archive of kubectl is empty")??;
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    std::io::copy(&mut entry, &mut part)?;
    part.flush()?;
    fs_err::set_permissions(part.path(), std::fs::Permissions::from_mode(0o755))?;
    part.persist(to)
        .with_context(|| format!("failed to write {to}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_unpacked_and_may_be_run() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o600);
        builder
            .append_data(&mut header, "kubernetes", &b"abc"[..])
            .unwrap();
        let archive = builder.into_inner().unwrap();
        let to = folder.join("bin/kubectl");
        unpack(archive.as_slice(), &folder.join("bin"), &to).unwrap();
        assert_eq!(fs_err::read(&to).unwrap(), b"abc");
        assert_eq!(
            fs_err::metadata(&to).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert!(unpack(&[0; 1024][..], &folder.join("bin"), &to).is_err());
    }
}
