//! The programs that run specs, and the environment they get.

use camino::Utf8PathBuf;
use tokio::process::Command;

/// Where the programs are; all of one Kubernetes version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// ginkgo's command line.
    pub ginkgo: Utf8PathBuf,
    /// The compiled suite.
    pub e2e_test: Utf8PathBuf,
    /// kubectl of the very version, because specs call it and the first one on PATH may be any.
    pub kubectl: Utf8PathBuf,
}

/// Variables that reach the programs; all others (another cluster's KUBECONFIG, proxies that
/// would catch traffic to the cluster, ginkgo's and Go's own settings) would change what runs.
const KEPT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "USER", "LANG", "TZ"];

/// A command with a clean environment and no input.
pub(crate) fn command(program: &Utf8PathBuf) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(
            KEPT.iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        // Before it has read its flags, ginkgo complains in colour.
        .env("GINKGO_NO_COLOR", "TRUE")
        // What kind's own conformance jobs export; some specs look at these.
        .env("KUBERNETES_CONFORMANCE_TEST", "y")
        .env("KUBE_CONTAINER_RUNTIME", "remote")
        .env(
            "KUBE_CONTAINER_RUNTIME_ENDPOINT",
            "unix:///run/containerd/containerd.sock",
        )
        .env("KUBE_CONTAINER_RUNTIME_NAME", "containerd")
        .stdin(std::process::Stdio::null());
    command
}

/// The command as a person would type it, shortened where it is very long.
pub(crate) fn pretty(command: &Command) -> String {
    let command = command.as_std();
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| {
        let arg = arg.to_string_lossy();
        let short = match arg.char_indices().nth(160) {
            Some((cut, _)) => format!("{}…", &arg[..cut]),
            None => arg.into_owned(),
        };
        if short.contains(|c: char| c.is_whitespace() || "&|()'\"$*[]".contains(c)) {
            format!("'{}'", short.replace('\'', r"'\''"))
        } else {
            short
        }
    }));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_ours_alone() {
        let command = command(&"ginkgo".into());
        let names: Vec<_> = command
            .as_std()
            .get_envs()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        for name in &names {
            assert!(
                KEPT.contains(&name.as_str())
                    || name.starts_with("KUBE")
                    || name == "GINKGO_NO_COLOR",
                "{name}"
            );
        }
        assert!(names.contains(&"KUBERNETES_CONFORMANCE_TEST".to_owned()));
        assert!(!names.contains(&"KUBECONFIG".to_owned()));
    }

    #[test]
    fn commands_can_be_pasted() {
        let mut command = command(&"/bin/ginkgo".into());
        command.args(["run", "--label-filter=a && !b", "it's"]);
        assert_eq!(
            pretty(&command),
            r"/bin/ginkgo run '--label-filter=a && !b' 'it'\''s'"
        );
        command.arg("é".repeat(400));
        assert!(pretty(&command).ends_with('…'));
    }
}
