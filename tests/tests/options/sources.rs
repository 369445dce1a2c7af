//! Where Kubernetes and Debian's packages come from: what runs in the nodes is what was given.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use kcluster_tests::{Files, Kcluster, S390X, Served, digest, docker};

use super::support::{get, good, inside, leaving_nothing};

const NAME: &str = "o";

/// What a node takes.
const COMMANDS: [&str; 7] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
];

/// Kubernetes' commands out of a node image, of which each source gets its own.
struct Kubernetes {
    program: Vec<u8>,
    version: String,
    folder: PathBuf,
}

impl Kubernetes {
    fn new(kcluster: &Kcluster) -> Self {
        let folder = kcluster.state();
        let image = good(kcluster, &["images", "build"]).stdout;
        let container = docker(&["create", image.trim()]).unwrap();
        let container = container.trim();
        let file = folder.join("kubernetes");
        let from = format!("{container}:/usr/local/bin/kubelet");
        let to = file.display().to_string();
        let copied = docker(&["cp", "--follow-link", &from, &to]);
        docker(&["rm", container]).unwrap();
        copied.unwrap();
        let kubelet = folder.join("kubelet");
        std::os::unix::fs::symlink(&file, &kubelet).unwrap();
        let said = Command::new(&kubelet).arg("--version").output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let version = said.trim().strip_prefix("Kubernetes ").unwrap().to_owned();
        let program = fs_err::read(&file).unwrap();
        fs_err::remove_file(&file).unwrap();
        fs_err::remove_file(&kubelet).unwrap();
        Self {
            program,
            version,
            folder: folder.to_owned(),
        }
    }

    /// A program whose last bytes are the mark; nothing reads so far.
    fn marked(&self, mark: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.folder.join(mark);
        fs_err::write(&file, [&self.program, mark.as_bytes()].concat()).unwrap();
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        file
    }
}

#[test]
#[ignore = "suite options: makes three node images in a cache of its own"]
fn nodes_run_what_each_source_gave() {
    leaving_nothing("nodes_run_what_each_source_gave", NAME, |kcluster| {
        let kubernetes = Kubernetes::new(kcluster);
        let server = Files::start().unwrap();
        from_a_folder(kcluster, &kubernetes, &server);
        from_a_server_of_releases(kcluster, &kubernetes, &server);
        from_an_address_for_each(kcluster, &kubernetes, &server);
    });
}

/// Boots with that source, in a cache that began empty, and looks at what runs.
fn boots(kcluster: &Kcluster, kubernetes: &Kubernetes, mark: &str, source: &[&str]) {
    let cache = kcluster.state().join("cache").display().to_string();
    let up = [
        "up",
        "--name",
        NAME,
        "--nodes",
        "0",
        "--kubernetes",
        &kubernetes.version,
        "--cache-dir",
        &cache,
        "--e2e-images",
        "official",
        "--source",
    ];
    let up = good(kcluster, &[&up[..], source].concat());
    eprintln!("from {mark}: {:.1} s", up.took.as_secs_f64());
    let last = format!("tail -c {} ", mark.len());
    for component in ["kubelet", "kube-apiserver", "kube-proxy"] {
        let script = format!(
            "for process in /proc/[0-9]*; do case $(tr '\\0' ' ' <$process/cmdline) in \
             {component}\\ *|*/{component}\\ *) {last} $process/exe; break;; esac; done"
        );
        assert_eq!(
            inside(kcluster, NAME, "control-plane", &script),
            mark,
            "{component}"
        );
    }
    let image = docker(&[
        "inspect",
        "--format",
        "{{.Config.Image}}",
        "o-control-plane",
    ])
    .unwrap();
    if mark == "a-folder" {
        images_of_specs_are_left_out(kcluster);
    }
    good(kcluster, &["down", "--name", NAME]);
    // Nobody else has a use for it.
    docker(&["rmi", image.trim()]).unwrap();
}

/// With `e2e-images = "official"` nodes pull what specs run when they run it; by default they have it.
fn images_of_specs_are_left_out(kcluster: &Kcluster) {
    let node = get(kcluster, NAME, &["node", "o-control-plane"]);
    let images = node["status"]["images"].to_string();
    assert!(
        images.contains("kube-apiserver") && !images.contains("agnhost"),
        "{images}"
    );
}

fn from_a_folder(kcluster: &Kcluster, kubernetes: &Kubernetes, server: &Files) {
    let folder = kcluster.state().join("binaries");
    fs_err::create_dir(&folder).unwrap();
    let program = kubernetes.marked("a-folder");
    for command in COMMANDS {
        std::os::unix::fs::symlink(&program, folder.join(command)).unwrap();
    }
    server.serve("/debian", Served::Elsewhere(archive()));
    let (folder, mirror) = (folder.display().to_string(), server.at("/debian"));
    let source = ["dir", "--source-dir", &folder, "--debian-mirror", &mirror];
    boots(kcluster, kubernetes, "a-folder", &source);
    let asked = server.asked();
    let packages = asked.iter().filter(|path| path.ends_with(".deb")).count();
    let lists = asked
        .iter()
        .filter(|path| path.starts_with("/debian/dists/"))
        .count();
    assert!(
        packages > 20 && lists > 0,
        "{packages} packages, {lists} lists: {asked:?}"
    );
    for kind in ["debian", "component", "store"] {
        let made = fs_err::read_dir(kcluster.state().join("cache").join(kind)).unwrap();
        assert!(
            made.count() > 0,
            "nothing of {kind} is in the cache that was given"
        );
    }
}

/// Debian's archive as this machine's apt knows it.
fn archive() -> String {
    let list = Command::new("apt-get")
        .args(["indextargets", "--format", "$(ORIGIN) $(SITE)"])
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let mut archives = list.lines().filter_map(|line| line.strip_prefix("Debian "));
    archives.next().unwrap().to_owned()
}

fn from_a_server_of_releases(kcluster: &Kcluster, kubernetes: &Kubernetes, server: &Files) {
    let program = kubernetes.marked("a-release");
    let sum = digest(&fs_err::read(&program).unwrap());
    let arch = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    for command in COMMANDS {
        let path = format!("/release/{}/bin/linux/{arch}/{command}", kubernetes.version);
        server.serve(&path, Served::File(program.clone()));
        let line = format!("{}\n", sum.replace("sha256:", ""));
        server.serve(&format!("{path}.sha256"), Served::Text(line));
    }
    let base = server.at("");
    boots(
        kcluster,
        kubernetes,
        "a-release",
        &["release", "--source-url", &base],
    );
    let asked = server.asked();
    let sums = asked.iter().filter(|path| path.ends_with(".sha256"));
    let sums: BTreeSet<&String> = sums.collect();
    assert_eq!(sums.len(), COMMANDS.len(), "{asked:?}");
    // What is promised to be the same is fetched once.
    let programs = asked.iter().filter(|path| !path.ends_with(".sha256"));
    assert_eq!(programs.count(), 1, "{asked:?}");
}

fn from_an_address_for_each(kcluster: &Kcluster, kubernetes: &Kubernetes, server: &Files) {
    let program = kubernetes.marked("an-address");
    let sum = digest(&fs_err::read(&program).unwrap()).replace("sha256:", "");
    server.serve("/mine", Served::File(program));
    let mine = server.at("/mine");
    let all = |sum: &str| {
        COMMANDS
            .map(|name| format!("{name}={mine}#sha256={sum}"))
            .join(",")
    };
    let wrong = all(&sum.replace(['0', '1', '2', '3'], "4"));
    let refused = [
        "up",
        "--name",
        NAME,
        "--source",
        "url",
        "--source-binaries",
        &wrong,
    ];
    let refused = kcluster.run(&refused).unwrap();
    assert!(
        refused.code == 2 && refused.stderr.contains(&sum),
        "{}: {}",
        refused.code,
        refused.stderr
    );
    boots(
        kcluster,
        kubernetes,
        "an-address",
        &["url", "--source-binaries", &all(&sum)],
    );
}

#[test]
#[ignore = "suite options: builds the images of specs of another architecture"]
fn pods_alone_are_emulated() {
    leaving_nothing("pods_alone_are_emulated", NAME, |kcluster| {
        let up = [
            "up",
            "--name",
            NAME,
            "--nodes",
            "0",
            "--arch",
            "s390x",
            "--emulation",
            "workload",
        ];
        let up = good(kcluster, &up);
        eprintln!(
            "pods of s390x: {:.1} s\n{}",
            up.took.as_secs_f64(),
            up.stderr
        );
        let node = get(kcluster, NAME, &["node", "o-control-plane"]);
        let kubelet = &node["status"]["nodeInfo"]["architecture"];
        let own = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        assert_eq!(kubelet, own, "Kubernetes itself is emulated");
        S390X.pod_agrees(kcluster, NAME).unwrap();
    });
}
