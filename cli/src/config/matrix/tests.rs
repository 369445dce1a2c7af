//! A matrix as it is written, and mistakes in it at their places.

use camino::Utf8PathBuf;
use kcluster_matrix::{Arch, Cni};

use crate::config::{Chosen, Host, Layer, Settings, load};

fn loaded(text: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
    fs_err::write(path.join("kcluster.toml"), text).unwrap();
    let host = Host {
        folder: path,
        ..Host::default()
    };
    load(Layer::default(), Chosen::default(), &host)
        .map(|(settings, _)| settings)
        .map_err(|error| error.to_string())
}

pub(in crate::config) const WHOLE: &str = r#"
[matrix]
kubernetes = ["1.35", "latest", "master"]
cni = "bridge"
nodes = [0, 3]
kube-proxy-mode = ["nftables", "iptables"]
suites = ["smoke", "mine"]

[[matrix.include]]
arch = ["arm64", "s390x"]

[[matrix.exclude]]
kubernetes = "1.35"
nodes = 3
reason = "too slow"

[[matrix.override]]
when = { arch = "s390x" }
suites = "mine"
retries = 2
feature-gates = { A = true }

[matrix.suite.mine]
focus = ["ConfigMap"]
shards = 2
"#;

#[test]
fn everything_that_can_be_written_is_read_and_shown_again() {
    let settings = loaded(WHOLE).unwrap();
    let spec = settings.matrix.0.clone().unwrap();
    assert_eq!(spec.axes.kubernetes.len(), 3);
    assert_eq!(
        (&spec.axes.cni[..], &spec.axes.nodes[..]),
        (&[Cni::Bridge][..], &[0, 3][..])
    );
    assert_eq!(
        spec.axes.settings["kube-proxy-mode"],
        ["nftables", "iptables"]
    );
    assert_eq!(spec.include[0].arch, [Arch::Arm64, Arch::S390x]);
    assert_eq!(spec.exclude[0].reason.as_deref(), Some("too slow"));
    assert_eq!(spec.overrides[0].settings["retries"], "2");
    assert_eq!(
        spec.overrides[0].suites.as_deref(),
        Some(&["mine".to_owned()][..])
    );
    let layer = super::layer_of(&spec.overrides[0].settings).unwrap();
    assert_eq!(layer.retries, Some(2));
    assert!(layer.feature_gates.unwrap().0["A"]);
    assert_eq!(spec.named["mine"].shards, Some(2));
    let shown = super::Value::to_toml(&settings.matrix);
    let again = loaded(&format!("matrix = {shown}")).unwrap();
    assert_eq!(again.matrix, settings.matrix);
}

#[test]
fn mistakes_are_shown_at_line_and_column() {
    let cases = [
        (
            "[matrix]\ncni = [\"bridge\", \"flanel\"]",
            "2:18",
            "did you mean `flannel`",
        ),
        (
            "[matrix]\n\nkubernets = \"1.36\"",
            "3:1",
            "did you mean `kubernetes`",
        ),
        (
            "[matrix]\nkubernetes = 1.36",
            "2:14",
            "put versions in quotes",
        ),
        ("[matrix]\nkubernetes = []", "2:14", "at least one"),
        ("[matrix]\nnodes = [1, 300]", "2:13", "300"),
        ("[matrix]\nkube-proxy-mode = \"ipvs\"", "2:19", "ipvs"),
        (
            "[[matrix.include]]\narch = \"amd63\"",
            "2:8",
            "did you mean `amd64`",
        ),
        (
            "[[matrix.exclude]]\nreson = \"x\"",
            "2:1",
            "did you mean `reason`",
        ),
        (
            "[[matrix.override]]\ncni = \"ptp\"",
            "2:1",
            "unknown name `cni`",
        ),
        ("[[matrix.override]]\nretries = \"many\"", "2:11", "many"),
        (
            "[matrix.suite.mine]\nfocsu = []",
            "2:1",
            "unknown field `focsu`",
        ),
        (
            "[matrix.suite.\"a b\"]\nall = true",
            "1:15",
            "cannot name a suite",
        ),
        ("[matrix]\nsuites = \"A\"", "2:10", "cannot name a suite"),
    ];
    for (text, place, said) in cases {
        let error = loaded(text).unwrap_err();
        assert!(
            error.contains(&format!("kcluster.toml:{place}\n")),
            "{text}\n{error}"
        );
        assert!(error.contains(said), "{text}\n{error}");
    }
}
