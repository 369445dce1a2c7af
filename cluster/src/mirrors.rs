//! Where nodes ask for images: mirrors for containerd, and credentials for it and the kubelet.

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kcluster_matrix::{ClusterSpec, Mirror};
use serde_json::json;

use crate::archive::File;
use crate::subnet;

/// Where containerd looks for a registry's mirrors, each in a folder of the registry's name.
pub(crate) const MIRRORS: &str = "/etc/containerd/certs.d";

/// Where the kubelet looks for credentials.
const LOGINS: &str = "/var/lib/kubelet/config.json";

/// The same, as an archive of volumes names it.
pub(crate) const PACKED_LOGINS: &str = "./*/lib/kubelet/config.json";

/// The registry inside each node, for what is baked into it: images/components/node/registry.go.
const INSIDE: &str = "http://127.0.0.1:10290";

/// The files of a node on a network of `subnet`.
pub(crate) fn files(spec: &ClusterSpec, subnet: ipnet::Ipv4Net) -> Vec<File> {
    let gateway = subnet::gateway(subnet);
    let mut files: Vec<File> = spec
        .options
        .mirrors
        .iter()
        .map(|(registry, mirrors)| {
            let folder = if registry == "*" {
                "_default"
            } else {
                registry
            };
            // It may hold credentials.
            File::secret(
                format!("{MIRRORS}/{folder}/hosts.toml"),
                hosts(spec, mirrors, gateway),
            )
        })
        .collect();
    let logins = &spec.options.logins.0;
    if !logins.is_empty() {
        let entries: serde_json::Map<String, serde_json::Value> = logins
            .iter()
            .map(|(registry, login)| {
                let entry = json!({ "username": login.user, "password": login.password });
                (registry.clone(), entry)
            })
            .collect();
        files.push(File::secret(
            LOGINS,
            json!({ "auths": entries }).to_string(),
        ));
    }
    files
}

/// One registry's mirrors, in their order; after them containerd asks the registry itself.
fn hosts(spec: &ClusterSpec, mirrors: &[Mirror], gateway: Ipv4Addr) -> String {
    let mut text = format!(
        "# Made by kcluster.\n[host.\"{INSIDE}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
    );
    for mirror in mirrors {
        let url = from_node(mirror, gateway);
        text.push_str(&format!(
            "\n[host.\"{url}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
        ));
        if let Some(login) = spec.options.logins.0.get(&mirror.authority()) {
            let basic = STANDARD.encode(format!("{}:{}", login.user, login.password));
            text.push_str(&format!(
                "[host.\"{url}\".header]\nAuthorization = [\"Basic {basic}\"]\n"
            ));
        }
    }
    text
}

/// The mirror's address as a node reaches it: the engine's own host is the network's gateway,
/// which closed egress leaves open.
fn from_node(mirror: &Mirror, gateway: Ipv4Addr) -> String {
    let host = if mirror.is_on_host() {
        gateway.to_string()
    } else {
        match mirror.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => mirror.host.clone(),
        }
    };
    format!("{}://{host}:{}{}", mirror.scheme, mirror.port, mirror.path)
}

#[cfg(test)]
mod tests {
    use kcluster_matrix::Login;

    use super::*;
    use crate::tests::spec;

    fn content(files: &[File], path: &str) -> String {
        let file = files.iter().find(|file| file.path == path).unwrap();
        assert_eq!(file.mode, 0o600, "{path}");
        String::from_utf8(file.content.clone()).unwrap()
    }

    #[test]
    fn a_mirror_on_the_host_is_asked_at_the_gateway_and_with_its_own_credentials_only() {
        let mut spec = spec("a", 0);
        let subnet = "10.89.4.0/24".parse().unwrap();
        assert!(files(&spec, subnet).is_empty());
        let mirrors = ["http://localhost:5000", "https://mirror.invalid/cache"];
        let mirrors = mirrors.map(|url| url.parse::<Mirror>().unwrap());
        spec.options
            .mirrors
            .insert("registry.invalid".into(), mirrors.to_vec());
        spec.options
            .mirrors
            .insert("*".into(), vec![mirrors[1].clone()]);
        let login = |user: &str| Login {
            user: user.into(),
            password: "secret".into(),
        };
        spec.options
            .logins
            .0
            .insert("localhost:5000".into(), login("me"));
        let files = files(&spec, subnet);
        let text = content(
            &files,
            "/etc/containerd/certs.d/registry.invalid/hosts.toml",
        );
        let first = text.find("http://127.0.0.1:10290").unwrap();
        let near = text.find("[host.\"http://10.89.4.1:5000\"]").unwrap();
        let far = text
            .find("[host.\"https://mirror.invalid:443/cache\"]")
            .unwrap();
        assert!(first < near && near < far, "{text}");
        assert!(
            text.contains("Authorization = [\"Basic bWU6c2VjcmV0\"]"),
            "{text}"
        );
        assert_eq!(text.matches("Authorization").count(), 1);
        let other = content(&files, "/etc/containerd/certs.d/_default/hosts.toml");
        assert!(!other.contains("Authorization"), "{other}");
        let logins = content(&files, LOGINS);
        assert!(logins.contains("\"username\":\"me\""), "{logins}");
        // Neither what is shown nor what is kept of a specification tells them.
        assert!(!format!("{spec:?}").contains("secret"));
        assert!(!serde_json::to_string(&spec).unwrap().contains("secret"));
    }
}
