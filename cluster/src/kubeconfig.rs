//! The administrator's kubeconfig, made fit for use from outside of the cluster.

use kcluster_matrix::ClusterName;
use thiserror::Error;

/// kubeadm's file lacks what every such file has.
#[derive(Debug, Error)]
#[error("kubeadm's admin.conf has no `{0}`")]
pub(crate) struct MissingField(&'static str);

/// kubeadm's file with our names and `server`.
pub(crate) fn render(
    cluster: &ClusterName,
    server: &str,
    admin: &str,
) -> Result<String, MissingField> {
    let field = |name: &'static str| {
        admin
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(": "))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .ok_or(MissingField(name))
    };
    let authority = field("certificate-authority-data")?;
    let certificate = field("client-certificate-data")?;
    let key = field("client-key-data")?;
    Ok(format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kcluster-{cluster}
  cluster:
    certificate-authority-data: {authority}
    server: {server}
contexts:
- name: kcluster-{cluster}
  context:
    cluster: kcluster-{cluster}
    user: kcluster-{cluster}
current-context: kcluster-{cluster}
preferences: {{}}
users:
- name: kcluster-{cluster}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    ))
}

#[cfg(test)]
pub(crate) const ADMIN_CONF: &str = "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://10.89.7.10:6443
  name: a
contexts:
- context:
    cluster: a
    user: kubernetes-admin
  name: kubernetes-admin@a
current-context: kubernetes-admin@a
kind: Config
users:
- name: kubernetes-admin
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_and_names_and_server_are_ours() {
        let name = "a".parse().unwrap();
        let text = render(&name, "https://127.0.0.1:40001", ADMIN_CONF).unwrap();
        for part in [
            "certificate-authority-data: Q0E=\n",
            "client-certificate-data: Q0VSVA==\n",
            "client-key-data: S0VZ\n",
            "current-context: kcluster-a\n",
            "    server: https://127.0.0.1:40001\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("10.89.7.10"));
        assert!(render(&name, "s", "kind: Config").is_err());
    }
}
