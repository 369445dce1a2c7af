//! Registries: the one in each node, from which baked images can be pulled again, and the one
//! that agnhost plays for tests of pulling.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use fs_err as fs;
use kcluster_matrix::EventKind;
use serde_json::Value;

use super::{NodeImageRequest, programs};
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::oci::{Layer, image};
use crate::recipe::sha256;
use crate::tree::Tree;

/// As in components/node/registry.go.
const ADDRESS: &str = "127.0.0.1:10290";
const INDEX: &str = "kcluster/registry.json";

/// Lets containerd ask the node itself before the world, for every registry that baked images
/// are named after.
pub(super) fn of_node(tree: &mut Tree, manifests: &BTreeMap<String, String>) -> Result<()> {
    let index = serde_json::to_string_pretty(manifests).map_err(io::Error::from)?;
    tree.text(INDEX, 0o644, index + "\n");
    let hosts: BTreeSet<&str> = manifests
        .keys()
        .filter_map(|reference| reference.split_once('/'))
        .map(|(host, _)| host)
        .collect();
    for host in hosts {
        tree.text(
            &format!("etc/containerd/certs.d/{host}/hosts.toml"),
            0o644,
            format!(
                "# Made by kcluster: what is baked into this node can be pulled again from the node itself.\n\
                 [host.\"http://{ADDRESS}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
            ),
        );
    }
    Ok(())
}

/// The folder that `agnhost fake-registry-server` serves, laid out as upstream's script of that
/// version lays it out. Empty for versions without that server.
pub(super) async fn of_agnhost(
    builder: &Builder,
    request: &NodeImageRequest,
    sources: &Path,
) -> Result<Tree> {
    let folder = sources.join("test/images/agnhost/fakeregistryserver");
    let mut tree = Tree::default();
    if !folder.exists() {
        return Ok(tree);
    }
    let nested = fs::read_to_string(folder.join("registryserver.go"))?.contains("digestToPath");
    for line in fs::read_to_string(folder.join("images.txt"))?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] | ["#", ..] => {}
            ["pause", tag, name] => {
                let (config, pause) =
                    programs::pause(builder, request.platform.arch(), tag).await?;
                let layers = vec![Layer::of(pause).await?];
                let archive = image(
                    &format!("pause:{name}"),
                    // What the nodes' containerd takes.
                    request.platform.machine().as_str(),
                    &config,
                    layers,
                )?;
                lay_out(&mut tree, "pause", name, archive.files()?, nested)?;
            }
            _ => {
                let text = format!(
                    "agnhost's registry should hold \"{line}\", and nothing here makes it: specs that pull it will fail"
                );
                builder.sink.emit(EventKind::Note { text });
            }
        }
    }
    Ok(tree)
}

/// Lays the files of an image archive out as a registry's storage.
fn lay_out(
    tree: &mut Tree,
    name: &str,
    tag: &str,
    mut files: BTreeMap<String, Vec<u8>>,
    nested: bool,
) -> Result<()> {
    let root = format!("var/registry/{name}");
    let mut lay = |kind: &str, digest: &str, bytes: Vec<u8>| {
        let path = match digest.split_once(':') {
            Some((algorithm, hash)) if nested => {
                format!("{algorithm}/{}/{hash}/data", &hash[..2.min(hash.len())])
            }
            _ => digest.to_owned(),
        };
        tree.text(&format!("{root}/{kind}/{path}"), 0o644, bytes);
    };
    let index = files.remove("index.json").unwrap_or_default();
    let manifest = serde_json::from_slice::<Value>(&index)
        .ok()
        .and_then(|index| Some(index["manifests"][0]["digest"].as_str()?.to_owned()))
        .ok_or_else(|| Error::malformed("the index of an image", "it names no manifest"))?;
    let digest = format!("sha256:{}", sha256(&index[..])?.0);
    lay("manifests", &digest, index);
    for (path, bytes) in files {
        let Some(hash) = path.strip_prefix("blobs/sha256/") else {
            continue;
        };
        let digest = format!("sha256:{hash}");
        let kind = if digest == manifest {
            "manifests"
        } else {
            "blobs"
        };
        lay(kind, &digest, bytes);
    }
    tree.text(
        &format!("{root}/manifests/{tag}"),
        0o644,
        format!("{digest}\n"),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::ImageConfig;
    use crate::tree::Kind;

    fn text_of(tree: &Tree, path: &str) -> String {
        match &tree.get(path).unwrap_or_else(|| panic!("no {path}")).kind {
            Kind::File(content) => String::from_utf8(content.read().unwrap()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn containerd_asks_the_node_for_each_registry_of_baked_images() {
        let manifests = ["r.invalid/a/b:1", "r.invalid/c:2", "other.invalid/d:3"]
            .map(|reference| (reference.to_owned(), "sha256:00".to_owned()))
            .into();
        let mut tree = Tree::default();
        of_node(&mut tree, &manifests).unwrap();
        for host in ["r.invalid", "other.invalid"] {
            let text = text_of(&tree, &format!("etc/containerd/certs.d/{host}/hosts.toml"));
            let hosts: toml::Table = toml::from_str(&text).unwrap();
            assert!(
                hosts["host"].get(format!("http://{ADDRESS}")).is_some(),
                "{text}"
            );
            assert!(!hosts.contains_key("server"), "the real one must stay");
        }
        let index: BTreeMap<String, String> = serde_json::from_str(&text_of(&tree, INDEX)).unwrap();
        assert_eq!(index, manifests);
    }

    #[test]
    fn the_go_program_listens_where_containerd_is_sent() {
        let go = include_str!("../../components/node/registry.go");
        assert!(go.contains(&format!("registryAddress = \"{ADDRESS}\"")));
        assert!(go.contains(&format!("\"/{INDEX}\"")));
    }

    #[tokio::test]
    async fn a_tag_leads_to_all_blobs_of_an_image() {
        for nested in [true, false] {
            let mut own = Tree::default();
            own.text("pause", 0o755, "program");
            let layers = vec![Layer::of(own).await.unwrap()];
            let archive = image("pause:testing", "amd64", &ImageConfig::default(), layers).unwrap();
            let mut tree = Tree::default();
            lay_out(
                &mut tree,
                "pause",
                "testing",
                archive.files().unwrap(),
                nested,
            )
            .unwrap();
            let root = "var/registry/pause";
            let read = |kind: &str, digest: &str| {
                let hash = digest.trim_start_matches("sha256:");
                let path = if nested {
                    format!("{root}/{kind}/sha256/{}/{hash}/data", &hash[..2])
                } else {
                    format!("{root}/{kind}/{digest}")
                };
                let text = text_of(&tree, &path);
                assert_eq!(sha256(text.as_bytes()).unwrap().0, hash);
                text
            };
            let tag = text_of(&tree, &format!("{root}/manifests/testing"));
            let index: Value = serde_json::from_str(&read("manifests", tag.trim_end())).unwrap();
            assert!(index["mediaType"].as_str().unwrap().contains("index"));
            let manifest = index["manifests"][0]["digest"].as_str().unwrap();
            let manifest: Value = serde_json::from_str(&read("manifests", manifest)).unwrap();
            read("blobs", manifest["config"]["digest"].as_str().unwrap());
            let layer = read("blobs", manifest["layers"][0]["digest"].as_str().unwrap());
            assert!(layer.contains("program"));
        }
    }
}
