//! `[workspace.metadata.kcluster]` of the Cargo workspace around the working directory.

use camino::Utf8PathBuf;
use cargo_metadata::MetadataCommand;

use super::error::ConfigError;
use super::host::Host;

/// Where in the manifest the settings stand.
pub(super) const SECTION: [&str; 3] = ["workspace", "metadata", "kcluster"];

/// The manifest of the workspace, if any manifest from here upwards speaks of kcluster's metadata.
///
/// Cargo knows which manifest is the workspace's, but asking it costs a process, so the
/// texts are looked at first: ordinary projects never pay.
pub(super) fn manifest(host: &Host) -> Result<Option<Utf8PathBuf>, ConfigError> {
    let mentioned = host.folder.ancestors().any(|folder| {
        fs_err::read_to_string(folder.join("Cargo.toml"))
            .is_ok_and(|text| text.contains("metadata") && text.contains("kcluster"))
    });
    if !mentioned {
        return Ok(None);
    }
    let mut command = MetadataCommand::new();
    command.no_deps().current_dir(&host.folder);
    if let Some(cargo) = host.variable("CARGO") {
        command.cargo_path(cargo);
    }
    let metadata = command.exec().map_err(ConfigError::Cargo)?;
    let absent = metadata.workspace_metadata.get("kcluster").is_none();
    Ok((!absent).then(|| metadata.workspace_root.join("Cargo.toml")))
}
