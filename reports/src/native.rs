//! Which parts of a cell ran on the processor itself, in words.

use kcluster_matrix::outcome::Suite;

use crate::property;

/// What ran native and what was emulated on the cell of these suites; none where they do not say.
#[must_use]
pub fn words(suites: &[&Suite]) -> Option<String> {
    let property = |name| suites.iter().find_map(|suite| suite.property(name));
    let emulation = property(property::EMULATION)?;
    let arch = property(property::ARCH).unwrap_or("a foreign architecture");
    Some(match emulation {
        "native" => format!("all of it ran native, on {arch}"),
        "hybrid" => format!(
            "emulated ({arch}): kubelet, kubeadm, etcd, the control plane, CoreDNS and all pods; \
             native: containerd, runc, CNI plugins and kube-proxy"
        ),
        "workload" => format!("emulated ({arch}): pods of workloads; native: the cluster"),
        "system" => format!("emulated ({arch}): all of it, as a virtual machine"),
        other => other.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::across::tests::suite;

    #[test]
    fn what_is_emulated_is_told_where_it_is_known() {
        let mut suite = suite("v1.36.3", "bridge", "s390x", Vec::new());
        assert_eq!(words(&[&suite]), None);
        suite
            .properties
            .push((property::EMULATION.into(), "hybrid".into()));
        let text = words(&[&suite]).unwrap();
        assert!(
            text.starts_with("emulated (s390x): kubelet") && text.contains("native: containerd")
        );
    }
}
