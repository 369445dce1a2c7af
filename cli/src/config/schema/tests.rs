//! The schema against what kcluster really takes.

use camino::Utf8PathBuf;
use jsonschema::Validator;

use super::*;
use crate::config::{Chosen, Layer, load};

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

/// Whether kcluster takes `text` as its file.
fn taken(text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let folder = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    fs_err::write(folder.join("kcluster.toml"), text).unwrap();
    let host = Host {
        folder,
        ..Host::default()
    };
    load(Layer::default(), Chosen::default(), &host).is_ok()
}

fn fits(validator: &Validator, text: &str) -> bool {
    let table: toml::Table = text.parse().unwrap();
    validator.is_valid(&json!(table))
}

/// One value of each shape that a key might have, and of each that it might not.
const SHAPES: [&str; 30] = [
    "true",
    "false",
    "-1",
    "0",
    "1",
    "3",
    "300",
    "70000",
    "1.5",
    "1.36",
    "1979-05-27",
    "\"\"",
    "\"auto\"",
    "\"true\"",
    "\"1\"",
    "\"none\"",
    "\"a\"",
    "\"A b\"",
    "\"amd64\"",
    "\"aarch64\"",
    "\"1.36\"",
    "\"latest-1\"",
    "\"90s\"",
    "[]",
    "[\"a\"]",
    "[1]",
    "{}",
    "{ a = \"b\" }",
    "{ a = true }",
    "{ a = { cpus = \"1\" } }",
];

#[test]
fn the_schema_takes_whatever_kcluster_takes() {
    let validator = validator();
    for key in KEYS {
        let name = key.name();
        let nobody = Host::of_nobody();
        let mut given: Vec<String> = SHAPES.map(str::to_owned).into();
        given.push((key.default)(&nobody).to_string());
        given.push(toml::Value::String(key.example.to_owned()).to_string());
        let mut layer = Layer::default();
        (key.take_text)(key.example, &mut layer).unwrap();
        let nowhere = Host {
            folder: "/nowhere".into(),
            ..Host::default()
        };
        let (settings, _) = load(layer, Chosen::default(), &nowhere).unwrap();
        given.push(key.show(&settings).to_string());
        let (mut good, mut bad) = (0, 0);
        for value in given {
            for text in [
                format!("{name} = {value}"),
                format!("[{PROFILES}.ci]\n{name} = {value}"),
            ] {
                let (taken, fits) = (taken(&text), fits(&validator, &text));
                assert!(
                    !taken || fits,
                    "kcluster takes `{text}`, and its schema does not"
                );
                good += usize::from(taken);
                bad += usize::from(!fits);
                // Only of texts and of what holds them may the schema know less.
                let holds = value.starts_with(['"', '{', '[']);
                assert!(taken || !fits || holds, "the schema takes `{text}`");
            }
        }
        assert!(good > 0 && bad > 0, "{name}: {good} good, {bad} bad");
    }
}

#[test]
fn closed_sets_are_told_word_by_word() {
    let validator = validator();
    for (text, fit) in [
        ("cni = \"bridge\"", true),
        ("cni = \"brigde\"", false),
        ("arch = \"s390x\"", true),
        ("arch = \"z80\"", false),
        ("nodess = 1", false),
        ("profile = 1", false),
        ("[profile.ci]\nnodes = 0", true),
        ("[profile.ci]\nnodess = 0", false),
        ("[profile.ci.profile.b]\nnodes = 0", false),
        ("[per-node.worker]\ncpus = \"1\"", true),
        ("[per-node.worker]\ncpu = \"1\"", false),
        (
            "[[kubeadm-patches]]\ntarget = \"etcd\"\ntype = \"merge\"\npatch = \"{}\"",
            true,
        ),
        (
            "[[kubeadm-patches]]\ntarget = \"etcd\"\ntype = \"merge\"",
            false,
        ),
        (
            "[matrix]\ncni = [\"bridge\", \"ptp\"]\nnodes = [0, 1]\nkubernetes = \"master\"",
            true,
        ),
        ("[matrix]\ncni = []", false),
        ("[matrix]\nkubernets = \"1.36\"", false),
        (
            "[[matrix.override]]\nwhen = { arch = \"arm64\" }\nretries = 2",
            true,
        ),
        ("[[matrix.override]]\ncni = \"ptp\"", false),
        ("[matrix.suite.a]\nfocsu = []", false),
    ] {
        assert_eq!(fits(&validator, text), fit, "{text}");
        assert_eq!(taken(text), fit, "kcluster: {text}");
    }
}

#[test]
fn the_longest_matrix_of_the_tests_fits() {
    assert!(fits(&validator(), crate::config::matrix::tests::WHOLE));
}
