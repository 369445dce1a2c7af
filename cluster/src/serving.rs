//! Certificates that components serve with, made before anything runs.
//!
//! A kubelet, a controller manager and a scheduler that have none make their own at their first start: an RSA
//! authority and an RSA key, a tenth of a second of work natively and up to three seconds where they are emulated.

use kcluster_matrix::NodePlan;
use rcgen::ExtendedKeyUsagePurpose;

use crate::archive::File;
use crate::pki::{self, Authority, FOLDER};

/// Where a kubelet looks for its own, without `.crt` and `.key`. One that finds none there still makes them.
const KUBELET: &str = "/var/lib/kubelet/pki/kubelet";

/// What serves on a control plane beside the API server and etcd, whose certificates are kubeadm's.
const CONTROL_PLANE: [&str; 2] = ["kube-controller-manager", "kube-scheduler"];

/// What the kubelet of `node` serves with.
pub(crate) fn kubelet(authority: &Authority, node: &NodePlan) -> Result<[File; 2], rcgen::Error> {
    let mut names = vec![node.name.clone(), node.address.to_string()];
    names.extend(node.address6.map(|address| address.to_string()));
    Ok(server(authority, &node.name, &names)?.files(KUBELET))
}

/// What a control plane's components serve with.
pub(crate) fn control_plane(authority: &Authority) -> Result<Vec<File>, rcgen::Error> {
    // Only the node itself asks them.
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut files = Vec::new();
    for component in CONTROL_PLANE {
        files.extend(server(authority, component, &names)?.files(&path(component)));
    }
    Ok(files)
}

/// Certificate and key of such a component.
pub(crate) fn places(component: &str) -> [String; 2] {
    let path = path(component);
    [format!("{path}.crt"), format!("{path}.key")]
}

fn path(component: &str) -> String {
    format!("{FOLDER}/{component}")
}

fn server(authority: &Authority, name: &str, names: &[String]) -> Result<Authority, rcgen::Error> {
    let uses = [ExtendedKeyUsagePurpose::ServerAuth];
    pki::issue(authority, name, None, names, &uses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::spec;

    #[test]
    fn keys_are_secret_and_lie_where_each_looks() {
        let authority = pki::authority("kubernetes").unwrap();
        let nodes = spec("a", 1).nodes("10.89.0.0/24".parse().unwrap()).unwrap();
        let mut files = control_plane(&authority).unwrap();
        for component in CONTROL_PLANE {
            let here: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
            for place in places(component) {
                assert!(here.contains(&place.as_str()), "{here:?}");
            }
        }
        files.extend(kubelet(&authority, &nodes[1]).unwrap());
        assert_eq!(files.len(), 6);
        for file in files {
            let content = String::from_utf8(file.content).unwrap();
            let secret = content.contains("PRIVATE KEY");
            assert_eq!(file.path.ends_with(".key"), secret, "{}", file.path);
            assert_eq!(file.mode == 0o600, secret, "{}", file.path);
        }
    }
}
