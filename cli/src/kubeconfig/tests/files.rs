//! The file itself: its lock, its mode, and who else writes to it.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::*;
use super::{LIVED_IN, ours};
use crate::config::{Chosen, Layer, load};

/// A user's home, and a cluster `a` that is up.
struct Scene {
    _folder: tempfile::TempDir,
    host: Host,
    settings: Settings,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        let mut host = Host {
            folder: path.clone(),
            ..Host::default()
        };
        host.variables.insert("HOME".into(), path.to_string());
        Self {
            settings: settings_of(&host, "a"),
            _folder: folder,
            host,
        }
    }

    fn file(&self) -> Utf8PathBuf {
        self.host.folder.join(".kube/config")
    }

    fn with_file(self, text: &str, mode: u32) -> Self {
        fs_err::create_dir_all(self.file().parent().unwrap()).unwrap();
        fs_err::write(self.file(), text).unwrap();
        fs_err::set_permissions(self.file(), std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn text(&self) -> String {
        fs_err::read_to_string(self.file()).unwrap()
    }

    fn mode(&self) -> u32 {
        fs_err::metadata(self.file()).unwrap().permissions().mode() & 0o7777
    }
}

fn settings_of(host: &Host, name: &str) -> Settings {
    let layer = Layer {
        name: Some(name.parse().unwrap()),
        merge_context: Some(true),
        ..Layer::default()
    };
    let (settings, _) = load(layer, Chosen::default(), host).unwrap();
    fs_err::create_dir_all(settings.cluster_dir()).unwrap();
    let text = yaml_serde::to_string(&ours(1)).unwrap();
    let text = text.replace("kcluster-a", &format!("kcluster-{name}"));
    fs_err::write(settings.kubeconfig(), text).unwrap();
    settings
}

#[test]
fn what_up_puts_in_down_takes_out() {
    let scene = Scene::new().with_file(LIVED_IN, 0o600);
    let (settings, host) = (&scene.settings, &scene.host);
    check(settings, host).unwrap();
    assert_eq!(scene.text(), LIVED_IN, "checking changes nothing");
    assert_eq!(merge(settings, host).unwrap(), Some(scene.file()));
    assert!(scene.text().contains("kcluster-a"));
    assert_eq!(scene.mode(), 0o600);
    assert_eq!(merge(settings, host).unwrap(), None, "again: nothing");
    assert_eq!(
        remove(settings, &settings.name).unwrap(),
        Some(scene.file())
    );
    assert_eq!(scene.text(), LIVED_IN);
    assert_eq!(scene.mode(), 0o600);
    assert_eq!(remove(settings, &settings.name).unwrap(), None);
    let names = fs_err::read_dir(scene.file().parent().unwrap()).unwrap();
    assert_eq!(names.count(), 1, "neither a lock nor a part is left");
}

#[test]
fn a_file_that_was_not_there_is_private_and_goes_again() {
    let scene = Scene::new();
    merge(&scene.settings, &scene.host).unwrap();
    assert_eq!(scene.mode(), 0o600);
    remove_all(&scene.settings).unwrap();
    assert!(!scene.file().exists());
    // Unless somebody else uses it by now.
    merge(&scene.settings, &scene.host).unwrap();
    let more = scene
        .text()
        .replace("users:\n", "users:\n- name: other\n  user: {}\n");
    fs_err::write(scene.file(), more).unwrap();
    remove(&scene.settings, &scene.settings.name).unwrap();
    assert!(scene.text().contains("name: other"));
}

#[test]
fn mode_and_link_stay() {
    let scene = Scene::new().with_file(LIVED_IN, 0o640);
    let real = scene.host.folder.join("dotfiles");
    fs_err::rename(scene.file(), &real).unwrap();
    std::os::unix::fs::symlink(&real, scene.file()).unwrap();
    merge(&scene.settings, &scene.host).unwrap();
    assert!(fs_err::symlink_metadata(scene.file()).unwrap().is_symlink());
    assert!(
        fs_err::read_to_string(&real)
            .unwrap()
            .contains("kcluster-a")
    );
    assert_eq!(scene.mode(), 0o640);
}

#[test]
fn the_file_is_the_one_that_kubectl_would_write_to() {
    let mut scene = Scene::new();
    let at = |scene: &Scene| location(&scene.settings, &scene.host).unwrap();
    assert_eq!(at(&scene), scene.file());
    let folder = scene.host.folder.clone();
    let own = scene.settings.kubeconfig();
    let mut set = |list: String| {
        scene.host.variables.insert("KUBECONFIG".into(), list);
        at(&scene)
    };
    assert_eq!(
        set(format!("one:{folder}/two")),
        folder.join("two"),
        "the last, as none is there"
    );
    fs_err::write(folder.join("one"), "").unwrap();
    assert_eq!(
        set(format!("{own}:one:two")),
        folder.join("one"),
        "the first that is there"
    );
    assert_eq!(
        set(own.to_string()),
        folder.join(".kube/config"),
        "never a cluster's own"
    );
}

#[test]
fn anothers_cluster_of_the_same_name_is_not_removed() {
    let scene = Scene::new().with_file(LIVED_IN, 0o600);
    merge(&scene.settings, &scene.host).unwrap();
    let others = scene.text().replace("Q0E=", "T1RIRVI=");
    fs_err::write(scene.file(), &others).unwrap();
    assert_eq!(remove(&scene.settings, &scene.settings.name).unwrap(), None);
    assert_eq!(scene.text(), others);
}

#[test]
fn anothers_lock_is_waited_for_and_told_when_it_stays() {
    let scene = Scene::new().with_file(LIVED_IN, 0o600);
    let lock = Utf8PathBuf::from(format!("{}.lock", scene.file()));
    fs_err::write(&lock, "").unwrap();
    let short = Duration::from_millis(50);
    let told = Locked::wait(&scene.file(), short).unwrap_err().to_string();
    assert!(
        told.contains("config.lock") && told.contains("remove it"),
        "{told}"
    );
    assert!(lock.exists(), "another's lock is not ours to remove");
    let freed = std::thread::spawn({
        let lock = lock.clone();
        move || {
            std::thread::sleep(Duration::from_millis(150));
            fs_err::remove_file(lock).unwrap();
        }
    });
    let start = Instant::now();
    drop(Locked::wait(&scene.file(), Duration::from_secs(20)).unwrap());
    let took = start.elapsed();
    freed.join().unwrap();
    assert!(took >= Duration::from_millis(100), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!lock.exists());
}

#[test]
fn many_at_once_lose_nothing_of_each_other() {
    let scene = Scene::new().with_file(LIVED_IN, 0o600);
    let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
    let all: Vec<Settings> = names
        .iter()
        .map(|name| settings_of(&scene.host, name))
        .collect();
    let each = |work: &(dyn Fn(&Settings) + Sync)| {
        std::thread::scope(|scope| {
            for settings in &all {
                scope.spawn(move || work(settings));
            }
        });
    };
    each(&|settings| drop(merge(settings, &scene.host).unwrap()));
    let content = edit::value(&scene.text()).unwrap();
    for name in &names {
        for (list, _) in edit::LISTS {
            assert!(edit::entry(&content, list, &format!("kcluster-{name}")).is_some());
        }
    }
    each(&|settings| drop(remove(settings, &settings.name).unwrap()));
    // Which of them was current when the next came is chance; the rest is not.
    let rest = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("current-context"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rest(&scene.text()), rest(LIVED_IN));
}

#[test]
fn kubectl_reads_it_too() {
    let scene = Scene::new().with_file(LIVED_IN, 0o600);
    merge(&scene.settings, &scene.host).unwrap();
    let kubectl = |args: &[&str]| {
        let output = Command::new("kubectl")
            .args(args)
            .env("KUBECONFIG", scene.file())
            .output()
            .ok()?;
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8(output.stdout).unwrap())
    };
    let Some(names) = kubectl(&["config", "get-contexts", "--output=name"]) else {
        eprintln!("SKIPPED kubectl_reads_it_too: kubectl is not installed");
        return;
    };
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(names, ["kcluster-a", "lab", "prod"]);
    let current = kubectl(&["config", "current-context"]).unwrap();
    assert_eq!(current.trim(), "kcluster-a");
    // What it writes is still ours to take out.
    kubectl(&["config", "set-context", "kcluster-a", "--namespace=mine"]).unwrap();
    remove(&scene.settings, &scene.settings.name).unwrap();
    let names = kubectl(&["config", "get-contexts", "--output=name"]).unwrap();
    assert!(!names.contains("kcluster"), "{names}");
    let current = kubectl(&["config", "current-context"]).unwrap();
    assert_eq!(current.trim(), "prod");
}
