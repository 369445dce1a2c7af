//! What is built of Kubernetes, and of which files.

use super::toolchain::Test;

/// Commands of Kubernetes that are one binary where they are built here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bundle {
    /// All that a node needs: one file on disk and in memory.
    All,
    /// Those of every foreign node. An emulated program pays at each start for all that it holds.
    Node,
    /// Those of a foreign control plane, for the same reason.
    ControlPlane,
    /// Those that run natively beside a foreign cluster: netfilter's sockets know only the machine's own processes,
    /// and what asks again and again must start quickly.
    Plumbing,
}

impl Bundle {
    /// The names of its commands, sorted.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::All => &[
                "kube-apiserver",
                "kube-controller-manager",
                "kube-proxy",
                "kube-scheduler",
                "kubeadm",
                "kubectl",
                "kubelet",
            ],
            Self::Node => &["kubeadm", "kubelet"],
            Self::ControlPlane => &[
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
            ],
            Self::Plumbing => &["kube-proxy", "kubectl"],
        }
    }

    fn binary(self) -> &'static str {
        match self {
            Self::All => "kubernetes",
            Self::Node => "node",
            Self::ControlPlane => "control-plane",
            Self::Plumbing => "plumbing",
        }
    }
}

/// What is built of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// Kubernetes' commands.
    Commands(Bundle),
    /// What tells which images the tests name.
    TestImages,
    /// The end-to-end tests.
    E2eTest,
    /// Their runner, of the version they are written for.
    Ginkgo,
    /// The program that most of them run in pods.
    Agnhost,
    /// The program of the nonewprivs image.
    NoNewPrivs,
}

impl Product {
    /// The name of its binary.
    pub(crate) fn binary(self) -> &'static str {
        match self {
            Self::Commands(bundle) => bundle.binary(),
            Self::TestImages => "test-images",
            Self::E2eTest => "e2e.test",
            Self::Ginkgo => "ginkgo",
            Self::Agnhost => "agnhost",
            Self::NoNewPrivs => "nnp",
        }
    }

    /// The files of our own that it is made of.
    pub(super) fn files(self) -> Vec<String> {
        match self {
            Self::Commands(bundle) => ["main", "calm"]
                .iter()
                .chain(bundle.names())
                .map(|name| format!("{name}.go"))
                .collect(),
            Self::TestImages => vec!["testimages/main.go".to_owned()],
            Self::E2eTest | Self::Ginkgo | Self::Agnhost | Self::NoNewPrivs => Vec::new(),
        }
    }

    /// What Go calls it: files, or a package.
    pub(super) fn package(self) -> (Vec<String>, Test) {
        let (package, kind) = match self {
            Self::Commands(_) | Self::TestImages => return (self.files(), Test::Program),
            Self::E2eTest => ("k8s.io/kubernetes/test/e2e", Test::Tests),
            Self::Ginkgo => ("github.com/onsi/ginkgo/v2/ginkgo", Test::Program),
            Self::Agnhost => ("k8s.io/kubernetes/test/images/agnhost", Test::Program),
            Self::NoNewPrivs => ("k8s.io/kubernetes/test/images/nonewprivs", Test::Program),
        };
        (vec![package.to_owned()], kind)
    }
}

#[cfg(test)]
mod tests {
    use super::super::components::files;
    use super::*;

    #[test]
    fn a_foreign_cluster_has_each_command_once() {
        let parts = [Bundle::Node, Bundle::ControlPlane, Bundle::Plumbing];
        let mut names: Vec<&str> = parts
            .iter()
            .flat_map(|part| part.names())
            .copied()
            .collect();
        names.sort_unstable();
        assert_eq!(names, Bundle::All.names());
    }

    #[test]
    fn each_command_has_a_file_that_calls_it() {
        for name in Bundle::All.names() {
            let (_, content) = files("kubernetes")
                .find(|(path, _)| *path == format!("{name}.go"))
                .unwrap_or_else(|| panic!("no {name}.go"));
            let text = String::from_utf8_lossy(content);
            assert!(text.contains(&format!("commands[{name:?}] =")), "{name}.go");
        }
        let all: Vec<&str> = files("kubernetes").map(|(path, _)| path).collect();
        for path in [Product::Commands(Bundle::All), Product::TestImages]
            .into_iter()
            .flat_map(Product::files)
        {
            assert!(all.contains(&path.as_str()), "{path}");
        }
    }
}
