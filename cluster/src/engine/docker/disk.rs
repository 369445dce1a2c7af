//! What nodes take on the engine's disk.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bollard::query_parameters::InspectContainerOptionsBuilder;

use super::DockerEngine;
use super::errors::Operation;
use crate::engine::{EngineError, ExecSpec, NodeDisk};

/// A block of `st_blocks`, whatever the file system's own.
const BLOCK: u64 = 512;

impl DockerEngine {
    pub(super) async fn disk_of(&self, node: &str) -> Result<NodeDisk, EngineError> {
        let operation = Operation::new("measure", "node", node);
        let options = InspectContainerOptionsBuilder::default().size(true).build();
        let found = self
            .docker
            .inspect_container(node, Some(options))
            .await
            .map_err(self.map(operation))?;
        let upper = found
            .graph_driver
            .and_then(|driver| driver.data.get("UpperDir").cloned());
        let own = found.log_path.as_deref().map(Path::new);
        let own = own.and_then(Path::parent).map(Path::to_path_buf);
        let folders: Vec<PathBuf> = upper.map(PathBuf::from).into_iter().chain(own).collect();
        // Of an engine elsewhere, or another way to store layers, only the sum of the lengths of
        // files is known.
        let told = u64::try_from(found.size_rw.unwrap_or_default()).unwrap_or_default();
        let container = if self.shares_files && folders.len() == 2 {
            match tokio::task::spawn_blocking(move || allocated(&folders)).await {
                Ok(Ok(bytes)) => bytes,
                _ => told,
            }
        } else {
            told
        };
        let mounts = found.mounts.unwrap_or_default().into_iter();
        let volumes: Vec<String> = mounts
            .filter(|mount| mount.typ.as_deref() == Some("volume"))
            .filter_map(|mount| mount.destination)
            .collect();
        let mut disk = NodeDisk {
            container,
            volumes: 0,
        };
        for volume in volumes {
            // Only this file system: what pods mount below it lies elsewhere.
            let command = ["du", "-sxB1", "--", &volume];
            let output = self.run(node, ExecSpec::new(command), None).await?;
            // Files that went meanwhile make du complain, and are not there.
            let bytes = output.stdout.split_whitespace().next();
            disk.volumes += bytes
                .and_then(|text| text.parse::<u64>().ok())
                .ok_or_else(|| {
                    operation.failed(format!("`{}` said: {}", command.join(" "), output.stderr))
                })?;
        }
        Ok(disk)
    }
}

/// Bytes of all blocks allocated below `folders`; a file of several names counts once.
fn allocated(folders: &[PathBuf]) -> io::Result<u64> {
    let mut sum = 0;
    let mut seen = HashSet::new();
    let mut left = folders.to_vec();
    while let Some(path) = left.pop() {
        let about = match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            about => about?,
        };
        if !seen.insert((about.dev(), about.ino())) {
            continue;
        }
        sum += about.blocks() * BLOCK;
        if about.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_count_not_lengths_and_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let empty = allocated(&[folder.path().to_path_buf()]).unwrap();
        let holes = std::fs::File::create(at("holes")).unwrap();
        holes.set_len(1 << 30).unwrap();
        let full = vec![7; 1 << 20];
        std::fs::write(at("full"), &full).unwrap();
        std::fs::File::open(at("full")).unwrap().sync_all().unwrap();
        std::fs::hard_link(at("full"), at("again")).unwrap();
        std::os::unix::fs::symlink("/", at("elsewhere")).unwrap();
        let bytes = allocated(&[folder.path().to_path_buf()]).unwrap() - empty;
        assert!(
            ((1 << 20)..(1 << 20) + (1 << 16)).contains(&bytes),
            "{bytes}"
        );
        let gone = allocated(&[at("nothing")]).unwrap();
        assert_eq!(gone, 0);
    }
}
