//! Every key in each of its forms, and what happens to mistakes.

use camino::Utf8PathBuf;
use clap::FromArgMatches;
use kcluster_matrix::{Arch, Emulation, Platform};

use super::error::ConfigError;
use super::*;

/// A folder that belongs to no workspace.
struct Scene {
    _folder: tempfile::TempDir,
    host: Host,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        let mut host = Host {
            folder: path,
            ..Host::default()
        };
        host.variables.insert("HOME".into(), "/home/me".into());
        Self {
            _folder: folder,
            host,
        }
    }

    fn with_file(self, text: &str) -> Self {
        fs_err::write(self.host.folder.join("kcluster.toml"), text).unwrap();
        self
    }

    fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.host.variables.insert(name.into(), value.into());
        self
    }

    fn load(&self, flags: &[&str]) -> Result<Settings, ConfigError> {
        self.load_as(None, flags)
    }

    fn load_as(&self, profile: Option<&str>, flags: &[&str]) -> Result<Settings, ConfigError> {
        let chosen = Chosen {
            profile,
            file: None,
        };
        load(parsed(flags), chosen, &self.host).map(|(settings, _)| settings)
    }
}

/// The layer of a command that takes every flag.
fn parsed(flags: &[&str]) -> Layer {
    #[derive(clap::Parser)]
    struct All {
        #[command(flatten)]
        global: GlobalFlags,
        #[command(flatten)]
        name: NameFlag,
        #[command(flatten)]
        image: ImageFlags,
        #[command(flatten)]
        source: SourceFlags,
        #[command(flatten)]
        cluster: ClusterFlags,
        #[command(flatten)]
        tests: TestFlags,
        #[command(flatten)]
        report: ReportFlag,
        #[command(flatten)]
        product: ProductFlags,
        #[command(flatten)]
        matrix: MatrixFlags,
    }
    let words = std::iter::once("all").chain(flags.iter().copied());
    let matches = <All as clap::CommandFactory>::command()
        .try_get_matches_from(words)
        .unwrap();
    let all = All::from_arg_matches(&matches).unwrap();
    Layer::of([
        &all.global.0,
        &all.name.0,
        &all.image.0,
        &all.source.0,
        &all.cluster.0,
        &all.tests.0,
        &all.report.0,
        &all.product.0,
        &all.matrix.0,
    ])
}

fn origin(settings: &Settings, index: usize) -> String {
    settings.origins[index].to_string()
}

#[test]
fn each_key_works_as_flag_variable_and_file_key() {
    let untouched = Scene::new().load(&[]).unwrap();
    for (index, key) in KEYS.iter().enumerate() {
        let (name, example) = (key.name(), key.example);

        let by_flag = Scene::new()
            .load(&[&format!("--{name}={example}")])
            .unwrap();
        let shown = key.show(&by_flag);
        assert_ne!(
            shown,
            key.show(&untouched),
            "{name}: the example is the default"
        );
        assert_eq!(origin(&by_flag, index), format!("flag --{name}"));

        let variable = key.variable();
        let by_variable = Scene::new()
            .with_variable(&variable, example)
            .load(&[])
            .unwrap();
        assert_eq!(key.show(&by_variable), shown, "{name}");
        assert_eq!(origin(&by_variable, index), format!("variable {variable}"));

        // What `config show` prints is what the file takes.
        let by_file = Scene::new()
            .with_file(&format!("\n{name} = {shown}\n"))
            .load(&[])
            .unwrap();
        assert_eq!(key.show(&by_file), shown, "{name}");
        assert_eq!(origin(&by_file, index), "kcluster.toml:2");
    }
}

#[test]
fn flags_beat_variables_beat_the_file_beats_defaults() {
    let mut scene = Scene::new();
    let nodes = |scene: &Scene, flags: &[&str]| scene.load(flags).unwrap().nodes;
    assert_eq!(nodes(&scene, &[]), 1);
    scene = scene.with_file("nodes = 2");
    assert_eq!(nodes(&scene, &[]), 2);
    scene = scene.with_variable("KCLUSTER_NODES", "3");
    assert_eq!(nodes(&scene, &[]), 3);
    assert_eq!(nodes(&scene, &["--nodes=4"]), 4);
    scene = scene.with_variable("KCLUSTER_NODES", "");
    assert_eq!(nodes(&scene, &[]), 2, "an empty variable says nothing");
}

#[test]
fn both_names_of_a_folder_variable_work() {
    let scene = Scene::new().with_variable("KCLUSTER_STATE", "/one");
    assert_eq!(scene.load(&[]).unwrap().state_dir, "/one");
    let scene = scene.with_variable("KCLUSTER_STATE_DIR", "/two");
    assert_eq!(scene.load(&[]).unwrap().state_dir, "/two");
    let defaults = Scene::new().load(&[]).unwrap();
    assert_eq!(defaults.cache_dir, "/home/me/.cache/kcluster");
    assert_eq!(defaults.state_dir, "/home/me/.local/state/kcluster");
}

#[test]
fn repeated_flags_of_tables_are_joined() {
    let settings = Scene::new().load(&["--feature-gates=A=true,B=true", "--feature-gates=B=false"]);
    let gates = settings.unwrap().feature_gates.0;
    assert_eq!(
        gates.into_iter().collect::<Vec<_>>(),
        [("A".into(), true), ("B".into(), false)]
    );
}

#[test]
fn paths_in_a_file_are_taken_from_its_folder() {
    let scene = Scene::new();
    let below = scene.host.folder.join("below/here");
    fs_err::create_dir_all(&below).unwrap();
    let mut scene = scene.with_file("cache-dir = \"c\"\nreport-dir = \"/r\"");
    let top = std::mem::replace(&mut scene.host.folder, below);
    let settings = scene.load(&[]).unwrap();
    assert_eq!(settings.cache_dir, top.join("c"));
    assert_eq!(settings.report_dir, Auto::Is(Utf8PathBuf::from("/r")));
}

#[test]
fn workspace_metadata_is_the_file_where_there_is_no_other() {
    let manifest = "[workspace]\n\n[workspace.metadata.kcluster]\nnodes = 7\n";
    let scene = Scene::new().with_variable("CARGO", env!("CARGO"));
    fs_err::write(scene.host.folder.join("Cargo.toml"), manifest).unwrap();
    let settings = scene.load(&[]).unwrap();
    assert_eq!(settings.nodes, 7);
    assert!(
        settings
            .origins
            .contains(&Origin::File("Cargo.toml".into(), 4))
    );
    let scene = scene.with_file("nodes = 8");
    assert_eq!(scene.load(&[]).unwrap().nodes, 8);
}

#[test]
fn the_template_says_what_is_so_anyway() {
    let scene = Scene::new();
    let template = template(&scene.host);
    let before = scene.load(&[]).unwrap();
    let uncommented: Vec<&str> = template
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .collect();
    let after = scene.with_file(&uncommented.join("\n")).load(&[]).unwrap();
    assert_eq!(
        Settings {
            origins: before.origins.clone(),
            ..after
        },
        before
    );
}

#[test]
fn a_profile_beats_the_file_and_gives_way_to_variables_and_flags() {
    let file = "nodes = 2\ncni = \"ptp\"\n[profile.ci]\nnodes = 3\n[profile.big]\nnodes = 9\n";
    let mut scene = Scene::new().with_file(file);
    let told = |scene: &Scene, profile, flags: &[&str]| {
        let settings = scene.load_as(profile, flags).unwrap();
        let nodes = KEYS.iter().position(|key| key.name() == "nodes").unwrap();
        (settings.nodes, origin(&settings, nodes))
    };
    assert_eq!(told(&scene, None, &[]), (2, "kcluster.toml:1".into()));
    let ci = (3, "kcluster.toml:4, profile ci".to_owned());
    assert_eq!(told(&scene, Some("ci"), &[]), ci);
    let settings = scene.load_as(Some("ci"), &[]).unwrap();
    assert_eq!(settings.cni, kcluster_matrix::Cni::Ptp, "the file's own");
    scene = scene.with_variable("KCLUSTER_PROFILE", "ci");
    assert_eq!(told(&scene, None, &[]), ci);
    assert_eq!(told(&scene, Some("big"), &[]).0, 9, "the flag comes first");
    assert_eq!(told(&scene, Some(""), &[]).0, 2, "an empty one is none");
    assert_eq!(told(&scene, None, &["--nodes=5"]).0, 5);
    scene = scene.with_variable("KCLUSTER_NODES", "4");
    assert_eq!(told(&scene, None, &[]).0, 4);
}

#[test]
fn workspace_metadata_has_profiles_too() {
    let manifest = "[workspace]\n[workspace.metadata.kcluster.profile.ci]\nnodes = 7\n";
    let scene = Scene::new().with_variable("CARGO", env!("CARGO"));
    fs_err::write(scene.host.folder.join("Cargo.toml"), manifest).unwrap();
    assert_eq!(scene.load_as(Some("ci"), &[]).unwrap().nodes, 7);
    assert_eq!(scene.load(&[]).unwrap().nodes, 1);
}

#[test]
fn misspelt_variables_are_warned_about_and_others_are_not() {
    let scene = Scene::new()
        .with_variable("KCLUSTER_NODE", "1")
        .with_variable("KCLUSTER_BIN", "x")
        .with_variable("KCLUSTER_TESTS", "all")
        .with_variable("KCLUSTER_PROFILES", "")
        .with_variable("KCLUSTER_CONFIG", "");
    let (_, warnings) = load(Layer::default(), Chosen::default(), &scene.host).unwrap();
    assert_eq!(
        warnings,
        [
            "variable KCLUSTER_NODE is not known; did you mean KCLUSTER_NODES?",
            "variable KCLUSTER_PROFILES is not known; did you mean KCLUSTER_PROFILE?",
        ]
    );
}

#[test]
fn another_architecture_is_emulated_and_ones_own_is_not() {
    let on = |args: &[&str]| {
        let settings = Scene::new().load(args).unwrap();
        settings.platform_on(Some(Arch::Amd64))
    };
    assert_eq!(on(&[]).unwrap(), Platform::native(Arch::Amd64));
    let hybrid = on(&["--arch=s390x"]).unwrap();
    assert_eq!(hybrid.arch(), Arch::S390x);
    assert_eq!(hybrid.emulation(), Emulation::Hybrid);
    let workload = on(&["--arch=arm64", "--emulation=workload"]).unwrap();
    assert_eq!(workload.emulation(), Emulation::Workload);
    for refused in [
        ["--arch=arm64", "--emulation=native"],
        ["--arch=amd64", "--emulation=hybrid"],
    ] {
        assert!(on(&refused).is_err(), "{refused:?}");
    }
}

#[test]
fn settings_handed_on_as_variables_are_the_same_settings() {
    for key in KEYS {
        let flag = format!("--{}={}", key.name(), key.example);
        let settings = Scene::new().load(&[&flag]).unwrap();
        let mut scene = Scene::new();
        scene.host.variables.extend(as_variables(&settings));
        let handed = scene.load(&[]).unwrap();
        for key in KEYS {
            assert_eq!(key.show(&handed), key.show(&settings), "{flag}");
        }
    }
    assert_eq!(variable_of_state_dir(), "KCLUSTER_STATE_DIR");
}
