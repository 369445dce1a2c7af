//! Addons in one `up`, each proved by use, and images from archives of every kind.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking and tells its timings"
)]

use std::path::Path;
use std::process::Command;

use kcluster_tests::{
    Inventory, Kcluster, Output, Registry, docker, index_of_many, installed, plain_image,
    real_clusters,
};
use serde_json::{Value, json};

const NAME: &str = "addons";

/// Serves what `TEXT` says and, if it has one, writes it to a volume.
const PROGRAM: &str = r#"package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	text := os.Getenv("TEXT")
	if file := os.Getenv("FILE"); file != "" {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			panic(err)
		}
	}
	serve := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	panic(http.ListenAndServe(":8080", http.HandlerFunc(serve)))
}
"#;

const CHART: &str = "apiVersion: v2\nname: web\nversion: 0.1.0\n";
const VALUES: &str = "text: from the chart\nimage: none\n";
const TEMPLATE: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: {{ .Values.image }}
          imagePullPolicy: Never
          env: [{ name: TEXT, value: {{ .Values.text | quote }} }]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: { app: web }
  ports: [{ port: 80, targetPort: 8080 }]
"#;

/// A kind, and an object of it, in one file.
const KINDS: &str = r#"apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: books.example.invalid
spec:
  group: example.invalid
  scope: Namespaced
  names: { kind: Book, plural: books, singular: book }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
---
apiVersion: example.invalid/v1
kind: Book
metadata:
  name: one
  namespace: default
pages: 7
"#;

const CLAIM: &str = r#"apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: kept, namespace: default }
spec:
  accessModes: [ReadWriteOnce]
  resources: { requests: { storage: 1Mi } }
---
apiVersion: v1
kind: Pod
metadata: { name: writer, namespace: default }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: writer
      image: kcluster-test/web:1
      imagePullPolicy: Never
      env: [{ name: TEXT, value: written }, { name: FILE, value: /data/file }]
      readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
      volumeMounts: [{ name: data, mountPath: /data }]
  volumes:
    - { name: data, persistentVolumeClaim: { claimName: kept } }
"#;

const IMAGE: &str = "kcluster-test/web:1";

const OWN: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

/// A program for this machine's nodes.
fn program(folder: &Path) -> Vec<u8> {
    let (file, built) = (folder.join("main.go"), folder.join("program"));
    fs_err::write(&file, PROGRAM).unwrap();
    let output = Command::new("go")
        .args(["build", "-ldflags", "-s -w", "-o"])
        .args([&built, &file])
        .env("CGO_ENABLED", "0")
        .env("GOOS", "linux")
        .env("GOARCH", OWN)
        .env("GOFLAGS", "-buildvcs=false")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs_err::read(built).unwrap()
}

fn good(kcluster: &Kcluster, args: &[&str]) -> Output {
    kcluster.run(args).unwrap().expect_code(0).unwrap()
}

fn kubectl(kcluster: &Kcluster, args: &[&str]) -> String {
    let all = [&["kubectl", "--name", NAME, "--"], args].concat();
    good(kcluster, &all).stdout
}

/// One cluster serves all the checks: boots are what costs.
#[test]
fn three_addons_in_one_up_and_images_from_archives() {
    if !real_clusters("addons") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let folder = kcluster.state();
    let program = program(folder);
    let image = folder.join("web.tar");
    plain_image(&image, IMAGE, &program, OWN).unwrap();
    docker(&["load", "--input", &image.display().to_string()]).unwrap();
    write_files(folder);

    what_is_not_there_is_refused(&kcluster);
    let args = ["up", "--name", NAME, "--nodes", "0"];
    let up = good(&kcluster, &args);
    eprintln!("up: {:.1} s\n{}", up.took.as_secs_f64(), up.stderr);
    assert!(up.stderr.contains("addons"), "no phase in {}", up.stderr);
    let again = good(&kcluster, &args);
    assert!(again.took.as_secs() < 10, "a repeat took {:?}", again.took);
    let other = kcluster.run(&[&args[..], &["--addons", "metrics-server"]].concat());
    let other = other.unwrap().expect_code(2).unwrap();
    assert!(
        other.stderr.contains("local-path-provisioner@"),
        "{}",
        other.stderr
    );

    top_answers(&kcluster);
    a_claim_is_bound_and_kept(&kcluster);
    the_chart_says_what_was_set(&kcluster);
    let pages = kubectl(
        &kcluster,
        &["get", "books", "one", "-o", "jsonpath={.pages}"],
    );
    assert_eq!(pages, "7");
    archives_are_loaded(&kcluster, &program);

    good(&kcluster, &["down", "--name", NAME]);
    docker(&["rmi", IMAGE]).unwrap();
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}

/// The definition of the cluster, and what it names.
fn write_files(folder: &Path) {
    let chart = folder.join("charts/web");
    fs_err::create_dir_all(chart.join("templates")).unwrap();
    for (path, text) in [
        ("charts/web/Chart.yaml", CHART),
        ("charts/web/values.yaml", VALUES),
        ("charts/web/templates/all.yaml", TEMPLATE),
        ("kinds.yaml", KINDS),
    ] {
        fs_err::write(folder.join(path), text).unwrap();
    }
    let definition = format!(
        "[[addons]]\nname = \"metrics-server\"\n\n[[addons]]\nname = \"local-path-provisioner\"\n\n\
         [[addons]]\nmanifest = \"kinds.yaml\"\n\n\
         [[addons]]\nname = \"shop\"\nchart = \"charts/web\"\nnamespace = \"shop\"\nimages = [\"{IMAGE}\"]\n\
         values = {{ text = \"from the values\", image = \"{IMAGE}\" }}\n"
    );
    fs_err::write(folder.join("kcluster.toml"), definition).unwrap();
}

fn what_is_not_there_is_refused(kcluster: &Kcluster) {
    for (addon, says) in [
        ("metric-server", "did you mean `metrics-server`?"),
        ("./none.yaml", "addon `none`: there is no "),
    ] {
        let args = ["up", "--name", NAME, "--addons", addon];
        let refused = kcluster.run(&args).unwrap().expect_code(2).unwrap();
        assert!(refused.stderr.contains(says), "{}", refused.stderr);
    }
}

fn top_answers(kcluster: &Kcluster) {
    let nodes = kubectl(kcluster, &["top", "nodes", "--no-headers"]);
    let words: Vec<&str> = nodes.split_whitespace().collect();
    assert_eq!(words[0], "addons-control-plane", "{nodes}");
    let used: u64 = words[1].trim_end_matches('m').parse().unwrap();
    assert!(used > 0, "{nodes}");
    let pods = kubectl(
        kcluster,
        &["top", "pods", "-n", "kube-system", "--no-headers"],
    );
    assert!(pods.contains("kube-apiserver"), "{pods}");
}

fn a_claim_is_bound_and_kept(kcluster: &Kcluster) {
    let file = kcluster.state().join("claim.yaml");
    fs_err::write(&file, CLAIM).unwrap();
    kubectl(kcluster, &["apply", "-f", &file.display().to_string()]);
    kubectl(
        kcluster,
        &[
            "wait",
            "pod/writer",
            "--for=condition=Ready",
            "--timeout=60s",
        ],
    );
    let volume = kubectl(kcluster, &["get", "pvc", "kept", "-o", "json"]);
    let volume: Value = serde_json::from_str(&volume).unwrap();
    assert_eq!(volume["status"]["phase"], "Bound");
    assert_eq!(volume["spec"]["storageClassName"], "local-path");
    let on_node = |expected: i32| {
        let read = "cat /var/local-path-provisioner/*/file";
        let args = [
            "exec",
            "--name",
            NAME,
            "control-plane",
            "--",
            "sh",
            "-c",
            read,
        ];
        let output = kcluster.run(&args).unwrap().expect_code(expected);
        output.unwrap().stdout
    };
    assert_eq!(on_node(0), "written");
    kubectl(kcluster, &["delete", "pod/writer", "pvc/kept"]);
    let name = volume["spec"]["volumeName"].as_str().unwrap();
    let pv = format!("pv/{name}");
    kubectl(kcluster, &["wait", &pv, "--for=delete", "--timeout=60s"]);
    on_node(1);
}

fn the_chart_says_what_was_set(kcluster: &Kcluster) {
    let path = "/api/v1/namespaces/shop/services/shop/proxy/";
    assert_eq!(
        kubectl(kcluster, &["get", "--raw", path]),
        "from the values"
    );
    // Helm itself knows of the release, so a user's own helm goes on with it.
    let releases = kubectl(
        kcluster,
        &[
            "get",
            "secrets",
            "-n",
            "shop",
            "-l",
            "owner=helm,status=deployed",
            "-o",
            "name",
        ],
    );
    assert!(
        releases.contains("sh.helm.release.v1.shop.v1"),
        "{releases}"
    );
}

/// Docker's own archive, the engine's image, and an index of which one platform has content.
fn archives_are_loaded(kcluster: &Kcluster, program: &[u8]) {
    let folder = kcluster.state();
    let many = folder.join("many.tar");
    let names = [
        "example.invalid/docker:1",
        "example.invalid/many:1",
        "kcluster-test/engine:1",
    ];
    let plain = folder.join("plain.tar");
    plain_image(&plain, names[0], program, OWN).unwrap();
    let arches = [OWN, "s390x", "ppc64le"];
    index_of_many(&many, names[1], program, &arches, &[OWN]).unwrap();
    docker(&["tag", IMAGE, names[2]]).unwrap();
    let (plain, many_path) = (plain.display().to_string(), many.display().to_string());
    good(
        kcluster,
        &["load", "--name", NAME, &plain, &many_path, names[2]],
    );
    docker(&["rmi", names[2]]).unwrap();
    for (number, image) in names.iter().enumerate() {
        let pod = format!("loaded-{number}");
        let image = format!("--image={image}");
        let never = "--image-pull-policy=Never";
        let run = ["run", &pod, &image, never, "--command", "--", "/program"];
        kubectl(kcluster, &run);
        let pod = format!("pod/{pod}");
        kubectl(
            kcluster,
            &["wait", &pod, "--for=condition=Ready", "--timeout=60s"],
        );
    }
    // The nodes' own platform is named and absent: what users of Docker's containerd store report.
    index_of_many(&many, names[1], program, &["s390x", OWN], &["s390x"]).unwrap();
    let refused = kcluster.run(&["load", "--name", NAME, &many_path]).unwrap();
    let refused = refused.expect_code(2).unwrap();
    assert!(
        refused.stderr.contains(&format!("names linux/{OWN}")),
        "{}",
        refused.stderr
    );
}

/// Of the mirror's only user, as htpasswd writes it.
const USERS: &str = "reader:$2b$05$abcdefghijklmnopqrstuuiZxsQOHkzvKUL.cFTkJZPEqib89xM6m\n";
const PASSWORD: &str = "pass-of-the-mirror";
/// User and password in base64.
const LOGIN: &str = "cmVhZGVyOnBhc3Mtb2YtdGhlLW1pcnJvcg==";

/// Egress is closed, and the mirror is on the engine's host; nodes have credentials for it, and for a registry that
/// another way to the same mirror stands for. Nothing that kcluster writes or says holds them.
#[test]
fn images_come_from_a_mirror_that_asks_who_it_is() {
    let name = "images_come_from_a_mirror_that_asks_who_it_is";
    if !real_clusters(name) || !installed(name, "docker-registry") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    let folder = kcluster.state();
    let registry = Registry::start("0.0.0.0", Some(USERS)).unwrap();
    let near = format!("localhost:{}", registry.port);
    let pushed = format!("{near}/kcluster-test/web:1");
    let docker_config = folder.join("docker");
    fs_err::create_dir_all(&docker_config).unwrap();
    let auths =
        json!({ "auths": { &near: { "auth": LOGIN }, "private.invalid": { "auth": LOGIN } } });
    fs_err::write(docker_config.join("config.json"), auths.to_string()).unwrap();

    let file = folder.join("web.tar");
    plain_image(&file, &pushed, &program(folder), OWN).unwrap();
    docker(&["load", "--input", &file.display().to_string()]).unwrap();
    let docker_config = docker_config.display().to_string();
    docker(&["--config", &docker_config, "push", "--quiet", &pushed]).unwrap();
    docker(&["rmi", &pushed]).unwrap();

    let mirrors = format!(
        "mirrored.invalid=http://{near},private.invalid=http://127.0.0.1:{port},open.invalid=http://127.0.0.1:{port}",
        port = registry.port
    );
    let credentials = format!("{near},private.invalid");
    let args = [
        "up",
        "--name",
        NAME,
        "--nodes",
        "0",
        "-v",
        "3",
        "--registry-mirrors",
        &mirrors,
    ];
    let refused = kcluster
        .run(&["up", "--registry-mirrors", "a.invalid=http://m.invalid"])
        .unwrap();
    let refused = refused.expect_code(2).unwrap();
    assert!(
        refused.stderr.contains("egress is closed"),
        "{}",
        refused.stderr
    );
    let absent = ["--registry-credentials", "nobody.invalid"];
    let up = |more: &[&str]| {
        let mut command = kcluster.command(&[&args[..], more].concat());
        command.env("DOCKER_CONFIG", &docker_config);
        command.output().unwrap()
    };
    assert_eq!(up(&absent).status.code(), Some(2));
    let output = up(&["--registry-credentials", &credentials]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains(PASSWORD) && !said.contains(LOGIN), "{said}");

    for (pod, image) in [("near", "mirrored.invalid"), ("private", "private.invalid")] {
        let image = format!("--image={image}/kcluster-test/web:1");
        let always = "--image-pull-policy=Always";
        kubectl(
            &kcluster,
            &["run", pod, &image, always, "--command", "--", "/program"],
        );
        let pod = format!("pod/{pod}");
        kubectl(
            &kcluster,
            &["wait", &pod, "--for=condition=Ready", "--timeout=60s"],
        );
    }
    // Who has no credentials is not let in: the mirror does ask.
    kubectl(
        &kcluster,
        &["run", "open", "--image=open.invalid/kcluster-test/web:1"],
    );
    let waits = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}";
    let refused = format!("{waits}=ErrImagePull");
    kubectl(&kcluster, &["wait", "pod/open", &refused, "--timeout=60s"]);

    let logs = folder.join("logs").display().to_string();
    good(&kcluster, &["logs", "--name", NAME, &logs]);
    fs_err::remove_dir_all(&docker_config).unwrap();
    let found = Command::new("grep")
        .args([
            "--recursive",
            "--files-with-matches",
            "-e",
            PASSWORD,
            "-e",
            LOGIN,
        ])
        .arg(folder)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&found.stdout),
        "",
        "credentials were written down"
    );
    good(&kcluster, &["down", "--name", NAME]);
    drop(registry);
    let leaked = Inventory::take().unwrap().leaked_since(&before);
    assert!(leaked.is_empty(), "left behind: {leaked:#?}");
}
