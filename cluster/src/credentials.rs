//! Everything in a cluster that proves who somebody is, made anew: what `kubeadm init` and
//! joins would make. A snapshot that came from elsewhere brings none of its own.

use kcluster_matrix::{ClusterSpec, NodePlan, Role};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::archive::File;
use crate::kubeadm;
use crate::pki::{self, Authority, FOLDER, issue};
use crate::serving;

/// Who may do everything, by kubeadm's own binding.
const ADMINS: &str = "kubeadm:cluster-admins";

/// The new credentials of a cluster.
pub(crate) struct Credentials {
    cluster: Authority,
    front_proxy: Authority,
    etcd: Authority,
}

impl Credentials {
    /// New authorities, which nobody knew before.
    pub(crate) fn new() -> Result<Self, rcgen::Error> {
        Ok(Self {
            cluster: pki::authority("kubernetes")?,
            front_proxy: pki::authority("front-proxy-ca")?,
            etcd: pki::authority("etcd-ca")?,
        })
    }

    /// The files of `node`, each where kubeadm has it. `names` are those that users of the
    /// API server know it by.
    pub(crate) fn files(
        &self,
        spec: &ClusterSpec,
        nodes: &[NodePlan],
        node: &NodePlan,
        names: &[String],
    ) -> Result<Vec<File>, rcgen::Error> {
        let mut files = vec![File::public(
            kubeadm::CA_CERTIFICATE,
            self.cluster.certificate.as_str(),
        )];
        let kubelet = self.identity(&format!("system:node:{}", node.name), Some("system:nodes"))?;
        let Some(control_plane) = nodes.first() else {
            return Ok(files);
        };
        let config = |user: &str, pair: &Authority| {
            let server = format!("https://{}:{}", control_plane.address, kubeadm::API_PORT);
            kubeconfig(
                spec.name.as_str(),
                &server,
                &self.cluster.certificate,
                user,
                pair,
            )
        };
        files.push(File::secret(
            "/etc/kubernetes/kubelet.conf",
            config(&format!("system:node:{}", node.name), &kubelet),
        ));
        if node.role == Role::Worker {
            return Ok(files);
        }
        for (path, authority) in [
            ("ca", &self.cluster),
            ("front-proxy-ca", &self.front_proxy),
            ("etcd/ca", &self.etcd),
        ] {
            files.extend(authority.files(&format!("{FOLDER}/{path}")));
        }
        for (path, issued) in self.servers(spec, node, names)? {
            files.extend(issued.files(&format!("{FOLDER}/{path}")));
        }
        files.extend(serving::control_plane(&self.cluster)?);
        for (file, user, group) in [
            ("admin", "kubernetes-admin", Some(ADMINS)),
            (
                "super-admin",
                "kubernetes-super-admin",
                Some("system:masters"),
            ),
            ("controller-manager", "system:kube-controller-manager", None),
            ("scheduler", "system:kube-scheduler", None),
        ] {
            files.push(File::secret(
                format!("/etc/kubernetes/{file}.conf"),
                config(user, &self.identity(user, group)?),
            ));
        }
        let tokens = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        files.push(File::secret(
            format!("{FOLDER}/sa.key"),
            tokens.serialize_pem(),
        ));
        files.push(File::public(
            format!("{FOLDER}/sa.pub"),
            tokens.public_key_pem(),
        ));
        Ok(files)
    }

    /// Certificates of the control plane's own parts, by their paths.
    fn servers(
        &self,
        spec: &ClusterSpec,
        node: &NodePlan,
        names: &[String],
    ) -> Result<Vec<(&'static str, Authority)>, rcgen::Error> {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let service = spec.service_subnet.hosts().next();
        let mut api: Vec<String> = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ]
        .map(str::to_owned)
        .to_vec();
        api.extend([node.name.clone(), node.address.to_string()]);
        api.extend(service.map(|address| address.to_string()));
        api.extend(names.iter().cloned());
        let etcd: Vec<String> = vec![
            node.name.clone(),
            "localhost".to_owned(),
            node.address.to_string(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
        ];
        let both = [ServerAuth, ClientAuth];
        let client = [ClientAuth];
        Ok(vec![
            (
                "apiserver",
                issue(&self.cluster, "kube-apiserver", None, &api, &[ServerAuth])?,
            ),
            (
                "apiserver-kubelet-client",
                self.identity("kube-apiserver-kubelet-client", Some(ADMINS))?,
            ),
            (
                "front-proxy-client",
                issue(&self.front_proxy, "front-proxy-client", None, &[], &client)?,
            ),
            (
                "etcd/server",
                issue(&self.etcd, &node.name, None, &etcd, &both)?,
            ),
            (
                "etcd/peer",
                issue(&self.etcd, &node.name, None, &etcd, &both)?,
            ),
            (
                "etcd/healthcheck-client",
                issue(
                    &self.etcd,
                    "kube-etcd-healthcheck-client",
                    None,
                    &[],
                    &client,
                )?,
            ),
            (
                "apiserver-etcd-client",
                issue(&self.etcd, "kube-apiserver-etcd-client", None, &[], &client)?,
            ),
        ])
    }

    fn identity(&self, user: &str, group: Option<&str>) -> Result<Authority, rcgen::Error> {
        let client = [ExtendedKeyUsagePurpose::ClientAuth];
        issue(&self.cluster, user, group, &[], &client)
    }
}

/// A kubeconfig as kubeadm writes it.
fn kubeconfig(
    cluster: &str,
    server: &str,
    authority: &str,
    user: &str,
    credentials: &Authority,
) -> String {
    let (authority, certificate, key) = (
        base64(authority),
        base64(&credentials.certificate),
        base64(&credentials.key),
    );
    format!(
        "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: {server}
  name: {cluster}
contexts:
- context:
    cluster: {cluster}
    user: {user}
  name: {user}@{cluster}
current-context: {user}@{cluster}
kind: Config
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    )
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::spec;

    #[test]
    fn a_control_plane_gets_all_and_a_worker_only_what_it_needs() {
        let spec = spec("a", 1);
        let nodes = spec.nodes("10.89.0.0/24".parse().unwrap()).unwrap();
        let credentials = Credentials::new().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let files = |node| credentials.files(&spec, &nodes, node, &names).unwrap();
        let paths = |node| -> Vec<String> { files(node).into_iter().map(|it| it.path).collect() };
        assert_eq!(
            paths(&nodes[1]),
            ["/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/kubelet.conf"]
        );
        let all = paths(&nodes[0]);
        for wanted in [
            "pki/sa.pub",
            "pki/etcd/peer.key",
            "pki/kube-scheduler.key",
            "super-admin.conf",
        ] {
            assert!(
                all.contains(&format!("/etc/kubernetes/{wanted}")),
                "{all:?}"
            );
        }
        for file in files(&nodes[0]) {
            let secret = file.path.ends_with(".key") || file.path.ends_with(".conf");
            assert_eq!(file.mode == 0o600, secret, "{}", file.path);
        }
        // A kubeconfig is read as kubeadm's are.
        let admin = files(&nodes[0])
            .into_iter()
            .find(|file| file.path.ends_with("/admin.conf"))
            .unwrap();
        let text = String::from_utf8(admin.content).unwrap();
        assert!(crate::kubeconfig::render(&spec.name, "https://x", &text).is_ok());
    }

    #[test]
    fn nothing_is_the_same_twice() {
        let [one, other] = [(); 2].map(|()| Credentials::new().unwrap());
        assert_ne!(one.cluster.certificate, other.cluster.certificate);
        assert_ne!(one.etcd.key, one.cluster.key);
    }
}
