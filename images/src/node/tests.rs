use super::*;

fn request(version: &str, e2e: bool) -> NodeImageRequest {
    NodeImageRequest {
        source: Source::Module,
        version: version.parse().unwrap(),
        platform: Platform::native(Arch::Amd64),
        e2e,
        flannel: false,
    }
}

#[test]
fn a_reference_is_known_without_building_and_says_what_it_is() {
    let reference = request("1.36.3", true).reference().unwrap();
    let tag = reference
        .strip_prefix("kcluster/node:v1.36.3-amd64-e2e-")
        .unwrap();
    assert_eq!(tag.len(), 12);
    assert_eq!(reference, request("1.36.3", true).reference().unwrap());
    let reference = request("1.37.0-rc.1+abc", false).reference().unwrap();
    assert!(
        reference.starts_with("kcluster/node:v1.37.0-rc.1_abc-amd64-"),
        "{reference}"
    );
}

/// Every one that an amd64 machine carries, and what other machines carry natively.
fn platforms() -> Vec<Platform> {
    let foreign = |arch, emulation| Platform::new(arch, Arch::Amd64, Some(emulation)).ok();
    let emulated = Arch::ALL
        .into_iter()
        .flat_map(|arch| Emulation::ALL.map(|emulation| foreign(arch, emulation)))
        .flatten()
        .filter(|platform| platform.is_foreign());
    Arch::ALL
        .map(Platform::native)
        .into_iter()
        .chain(emulated)
        .collect()
}

#[test]
fn a_foreign_image_says_what_is_emulated_and_where() {
    let hybrid = NodeImageRequest {
        platform: Platform::new(Arch::S390x, Arch::Amd64, None).unwrap(),
        ..request("1.36.3", true)
    };
    let reference = hybrid.reference().unwrap();
    assert!(
        reference.starts_with("kcluster/node:v1.36.3-s390x-hybrid-amd64-e2e-"),
        "{reference}"
    );
    let labels = hybrid.labels();
    assert_eq!(labels["dev.kcluster.arch"], "s390x");
    assert_eq!(labels["dev.kcluster.emulation"], "hybrid");
    assert_eq!(labels["dev.kcluster.machine"], "amd64");
}

#[test]
fn whatever_changes_the_image_changes_its_reference() {
    let mut seen = std::collections::BTreeSet::new();
    for version in ["1.36.3", "1.36.4"] {
        for e2e in [false, true] {
            for platform in platforms() {
                for source in [
                    Source::Module,
                    Source::Release {
                        base_url: "http://a.invalid".into(),
                    },
                    Source::Release {
                        base_url: "http://b.invalid".into(),
                    },
                ] {
                    let request = NodeImageRequest {
                        platform,
                        source,
                        ..request(version, e2e)
                    };
                    let hash = request
                        .reference()
                        .unwrap()
                        .rsplit_once('-')
                        .unwrap()
                        .1
                        .to_owned();
                    assert!(seen.insert(hash), "{request:?}");
                }
            }
        }
    }
}

#[test]
fn a_changed_folder_of_binaries_is_another_source() {
    let folder = tempfile::tempdir().unwrap();
    let reference = || {
        let source = Source::Dir {
            path: folder.path().to_owned(),
        };
        NodeImageRequest {
            source,
            ..request("1.36.3", false)
        }
        .reference()
        .unwrap()
    };
    let empty = reference();
    fs_err::write(folder.path().join("kubelet"), "one").unwrap();
    let one = reference();
    assert_ne!(empty, one);
    assert_eq!(one, reference());
    fs_err::write(folder.path().join("kubelet"), "another").unwrap();
    assert_ne!(one, reference());
}

#[test]
fn labels_tell_what_removal_and_lists_need() {
    let labels = request("1.36.3", false).labels();
    assert_eq!(labels["dev.kcluster.image"], "node");
    assert_eq!(labels["dev.kcluster.kubernetes"], "v1.36.3");
    assert_eq!(labels["dev.kcluster.arch"], "amd64");
}

#[test]
fn containerd_is_configured_for_the_version() {
    let text = kube::CONTAINERD_CONFIG.replace("@PAUSE@", "registry.invalid/pause:1");
    let config: toml::Table = toml::from_str(&text).unwrap();
    assert_eq!(config["version"].as_integer(), Some(3));
    let plugins = &config["plugins"];
    assert_eq!(
        plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"].as_str(),
        Some("registry.invalid/pause:1")
    );
    let runtimes = &plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"];
    assert_eq!(runtimes["runc"], runtimes["test-handler"]);
}
