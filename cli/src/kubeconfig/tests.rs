//! Files as people have them: with comments, others' clusters, in lines and in brackets.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use yaml_serde::Value;

use super::*;
use crate::config::{Chosen, Layer, load};

/// Written by hand and by several programs.
const LIVED_IN: &str = "\
# My clusters. Do not sort!
apiVersion: v1
kind: Config
preferences: {}

clusters:
# production, ask before you touch it
- cluster:
    certificate-authority-data: QUJD   # until March
    server: https://prod.example:6443
  name: prod
- name: \"home lab\"
  cluster: {server: 'https://10.0.0.5:6443', insecure-skip-tls-verify: true}
  # the one below the stairs
users:
  - name: me
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: login
        args: [--quiet, \"--for=me\"]
        interactiveMode: Never
  -
    name: robot
    user:
      token: >-
        aaaa
        bbbb

contexts:
- context: {cluster: prod, user: me, namespace: web}
  name: prod
- {name: lab, context: {cluster: home lab, user: robot}}
current-context:   prod  # careful
# the end
";

fn ours(port: u16) -> Value {
    let text = format!(
        "apiVersion: v1
kind: Config
clusters:
- name: kcluster-a
  cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:{port}
contexts:
- name: kcluster-a
  context:
    cluster: kcluster-a
    user: kcluster-a
current-context: kcluster-a
preferences: {{}}
users:
- name: kcluster-a
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
"
    );
    edit::value(&text).unwrap()
}

/// In and out again.
fn there_and_back(text: &str) -> (String, String) {
    let merged =
        edit::with(text, &ours(1), "kcluster-a").unwrap_or_else(|error| panic!("{error}: {text}"));
    let content = edit::value(&merged).unwrap();
    for (list, _) in edit::LISTS {
        assert!(
            edit::entry(&content, list, "kcluster-a").is_some(),
            "{merged}"
        );
    }
    assert_eq!(content["current-context"], "kcluster-a");
    let previous = edit::current(text).unwrap();
    let back = edit::without(&merged, "kcluster-a", previous.as_deref());
    (
        merged.clone(),
        back.unwrap_or_else(|error| panic!("{error}: {merged}")),
    )
}

#[test]
fn the_rest_of_the_file_stays_byte_for_byte() {
    let json = "{\"kind\": \"Config\", \"clusters\": [{\"name\": \"b\", \"cluster\": {\"server\": \"s\"}}],\n \
                \"users\": [{\"name\": \"u\", \"user\": {}}], \"contexts\": [{\"name\": \"c\", \"context\": {}}],\n \
                \"current-context\": \"c\"}\n";
    for text in [
        LIVED_IN,
        &LIVED_IN.replace('\n', "\r\n"),
        LIVED_IN.replace("\n# the end\n", "").as_str(),
        &format!("--- # a document\n{LIVED_IN}...\n"),
        json,
    ] {
        let (merged, back) = there_and_back(text);
        assert_eq!(
            back.trim_end_matches(['\r', '\n']),
            text.trim_end_matches(['\r', '\n'])
        );
        // Nothing of it was moved, and every line of ours is as the file's are.
        let mut lines = merged.lines();
        let kept = text
            .lines()
            .filter(|line| !line.starts_with("current-context"));
        for line in kept.filter(|_| !text.starts_with('{')) {
            assert!(lines.any(|other| other == line), "`{line}` in\n{merged}");
        }
        assert_eq!(merged.contains("\r\n"), text.contains("\r\n"));
        assert_eq!(merged.ends_with('\n'), text.ends_with('\n'));
    }
    let (merged, back) = there_and_back(LIVED_IN);
    assert_eq!(back, LIVED_IN);
    assert!(
        merged.contains("current-context:   kcluster-a  # careful\n"),
        "{merged}"
    );
    assert!(
        merged.contains("  - name: kcluster-a\n    user:\n"),
        "{merged}"
    );
}

#[test]
fn files_without_clusters_take_one_and_stay_as_empty_as_they_were() {
    for text in [
        "",
        "# nothing yet\n",
        "apiVersion: v1\nkind: Config\n",
        "apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: \"\"\nkind: Config\nusers: null\n",
        "clusters: [] # none\ncontexts:\nusers: ~\nkind: Config\ncurrent-context:\n",
        "{}",
        "{\"clusters\": [], \"users\": null, \"contexts\": []}",
    ] {
        let (merged, back) = there_and_back(text);
        let content = edit::value(&back).unwrap();
        for (list, _) in edit::LISTS {
            assert!(
                content[list].as_sequence().is_some_and(Vec::is_empty),
                "{back}"
            );
        }
        for comment in text.lines().filter_map(|line| line.split_once('#')) {
            assert!(
                merged.contains(comment.1) && back.contains(comment.1),
                "{merged}\n{back}"
            );
        }
    }
}

#[test]
fn what_cannot_be_changed_is_left_alone_and_told() {
    for text in [
        "clusters: {a: b}\n",
        "clusters: [\n",
        "just words",
        "- a list\n",
        "a: 1\n---\nb: 2\n",
        "users:\n- name: kcluster-a\n  user: &mine {token: x}\n- name: other\n  user: *mine\n",
    ] {
        assert!(edit::with(text, &ours(1), "kcluster-a").is_err(), "{text}");
    }
}

#[test]
fn a_second_time_changes_only_what_is_another_by_now() {
    let (merged, _) = there_and_back(LIVED_IN);
    let again = edit::with(&merged, &ours(1), "kcluster-a").unwrap();
    assert_eq!(again, merged);
    // The user's own choices since.
    let chosen = merged
        .replace(
            "    user: kcluster-a\n",
            "    user: kcluster-a\n    namespace: mine\n",
        )
        .replace("current-context:   kcluster-a", "current-context:   lab");
    assert_ne!(chosen, merged);
    let moved = edit::with(&chosen, &ours(2), "kcluster-a").unwrap();
    assert_eq!(moved, chosen.replace("127.0.0.1:1", "127.0.0.1:2"));
    let back = edit::without(&moved, "kcluster-a", Some("prod")).unwrap();
    assert_eq!(
        back,
        LIVED_IN.replace("current-context:   prod", "current-context:   lab")
    );
    // What was current before may be gone.
    let gone = merged.replace("name: prod\n", "name: produce\n");
    let back = edit::without(&gone, "kcluster-a", Some("prod")).unwrap();
    assert!(
        back.contains("current-context:   \"\"  # careful\n"),
        "{back}"
    );
}

proptest! {
    /// Entries in any style, with comments anywhere: what was there is there, in its order.
    #[test]
    fn any_mixture_of_styles_keeps_its_lines(
        entries in proptest::collection::vec((0usize..5, 0usize..3), 1..5),
        indent in 0usize..4,
        current in 0usize..4,
        end in 0usize..3,
    ) {
        let blanks = " ".repeat(indent);
        let mut text = String::from("# top\n");
        for (list, field) in edit::LISTS {
            text.push_str(&format!("{list}: # these\n"));
            for (number, (style, comment)) in entries.iter().enumerate() {
                text.push_str(["", "# between\n", "\n   # far in\n"][*comment]);
                let entry = match style {
                    0 => format!("{blanks}- name: n{number}\n{blanks}  {field}:\n{blanks}    server: x\n"),
                    1 => format!("{blanks}- {field}: {{}}\n{blanks}  name: n{number} # last\n"),
                    2 => format!("{blanks}- {{name: n{number}, {field}: {{user: y}}}}\n"),
                    3 => format!("{blanks}-\n{blanks}  name: 'n{number}'\n{blanks}  {field}: null\n"),
                    _ => format!("{blanks}-   \"name\": n{number}\n{blanks}    {field}:\n{blanks}      token: |\n{blanks}        a\n{blanks}         b\n"),
                };
                text.push_str(&entry);
            }
        }
        text.push_str(["", "current-context: n0\n", "current-context: \"n0\"   # me\n", "current-context:\n"][current]);
        text.push_str(["", "# end", "\n\n# end\n"][end]);
        let (merged, back) = there_and_back(&text);
        prop_assert_eq!(back.trim_end(), text.trim_end());
        let mut lines = merged.lines();
        for line in text.lines().filter(|line| !line.starts_with("current")) {
            prop_assert!(lines.any(|other| other == line), "`{}` in\n{}", line, merged);
        }
    }
}

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
