//! Sources against a server on this machine that speaks the layout of the real one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use fs_err as fs;
use kcluster_matrix::event::Silent;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::builder::Settings;
use crate::cache::Cache;
use crate::recipe::sha256;

/// What the server does with a path it knows.
#[derive(Clone)]
enum Answer {
    File(Vec<u8>),
    /// Promises all of it and hangs up half-way.
    Truncated(Vec<u8>),
}

struct Server {
    base: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(files: BTreeMap<String, Answer>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            stream.read_line(&mut request).await.unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                line.clear();
            }
            let path = request.split_whitespace().nth(1).unwrap_or_default();
            let (head, body) = match files.get(path) {
                Some(Answer::File(body)) => (
                    format!("200 OK\r\ncontent-length: {}", body.len()),
                    body.clone(),
                ),
                Some(Answer::Truncated(body)) => (
                    format!("200 OK\r\ncontent-length: {}", body.len()),
                    body[..body.len() / 2].to_vec(),
                ),
                None => ("404 Not Found\r\ncontent-length: 0".to_owned(), Vec::new()),
            };
            let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            // Without this the client may see a reset in place of the end.
            let _ = stream.shutdown().await;
        }
    });
    Server { base, task }
}

fn elf(arch: Arch, text: &str) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02".to_vec();
    bytes.push(if arch == Arch::S390x { 2 } else { 1 });
    bytes.resize(18, 0);
    let machine = arch.elf_machine();
    bytes.extend(if arch == Arch::S390x {
        machine.to_be_bytes()
    } else {
        machine.to_le_bytes()
    });
    bytes.extend(text.as_bytes());
    bytes
}

fn test_archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    for name in ["e2e.test", "ginkgo", "e2e_node.test"] {
        let content = format!("this is {name}");
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        tar.append_data(
            &mut header,
            format!("kubernetes/test/bin/{name}"),
            content.as_bytes(),
        )
        .unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// A release as the project lays it out.
fn release(arch: Arch) -> BTreeMap<String, Answer> {
    let mut files = BTreeMap::new();
    let mut add = |path: String, content: Vec<u8>| {
        let digest = sha256(&content[..]).unwrap().0;
        files.insert(format!("{path}.sha256"), Answer::File(digest.into_bytes()));
        files.insert(path, Answer::File(content));
    };
    for name in Bundle::All.names() {
        add(
            format!("/release/v1.36.3/bin/linux/{arch}/{name}"),
            elf(arch, name),
        );
    }
    add(
        format!("/release/v1.36.3/kubernetes-test-linux-{arch}.tar.gz"),
        test_archive(),
    );
    files
}

fn builder(folder: &Path) -> Builder {
    Builder::new(
        Cache::open(folder).unwrap(),
        Settings::default(),
        Arc::new(Silent),
    )
}

fn version() -> KubeVersion {
    "1.36.3".parse().unwrap()
}

#[tokio::test]
async fn a_release_gives_commands_and_tests_and_is_fetched_once() {
    let (folder, arch) = (tempfile::tempdir().unwrap(), host_arch().unwrap());
    let builder = builder(folder.path());
    let server = serve(release(arch)).await;
    let source = Source::Release {
        base_url: format!("{}/", server.base),
    };
    let commands = source
        .commands(&builder, &version(), arch, Bundle::All)
        .await
        .unwrap();
    assert_eq!(
        commands.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        Bundle::All.names()
    );
    for (name, path) in commands.iter() {
        assert_eq!(fs::read(path).unwrap(), elf(arch, name));
    }
    let tools = source.host_tools(&builder, &version()).await.unwrap();
    assert_eq!(
        fs::read_to_string(&tools.e2e_test).unwrap(),
        "this is e2e.test"
    );
    assert_eq!(fs::read_to_string(&tools.ginkgo).unwrap(), "this is ginkgo");

    // The server may hand out other bytes under the same digest from now on: nobody asks for them.
    let mut files = release(arch);
    files.retain(|path, _| path.ends_with(".sha256"));
    let bare = serve(files).await;
    let source = Source::Release {
        base_url: bare.base.clone(),
    };
    source
        .commands(&builder, &version(), arch, Bundle::All)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_build_between_releases_is_named_by_a_marker_and_found_beside_them() {
    let (folder, arch) = (tempfile::tempdir().unwrap(), host_arch().unwrap());
    let build = "v1.38.0-alpha.1.12+5f4a7c9d";
    let mut files: BTreeMap<String, Answer> = release(arch)
        .into_iter()
        .map(|(path, answer)| {
            (
                path.replace("/release/v1.36.3", &format!("/ci/{build}")),
                answer,
            )
        })
        .collect();
    let marker = |text: &str| Answer::File(text.as_bytes().to_vec());
    files.insert("/ci/latest.txt".into(), marker(&format!("{build}\n")));
    files.insert("/ci/odd.txt".into(), marker("<html>"));
    let server = serve(files).await;
    let version = marked_version(&server.base, "ci/latest").await.unwrap();
    assert_eq!(version.to_string(), build);
    let source = Source::Release {
        base_url: server.base.clone(),
    };
    let commands = source
        .commands(&builder(folder.path()), &version, arch, Bundle::All)
        .await
        .unwrap();
    assert_eq!(commands.iter().count(), Bundle::All.names().len());

    let error = |marker| {
        let base = server.base.clone();
        async move { marked_version(&base, marker).await.unwrap_err().to_string() }
    };
    let odd = error("ci/odd").await;
    assert!(
        odd.contains("/ci/odd.txt") && odd.contains("`<html>` is not a Kubernetes version"),
        "{odd}"
    );
    let none = error("ci/none").await;
    assert!(
        none.contains("/ci/none.txt: the server answered 404"),
        "{none}"
    );
}

async fn failure(change: impl FnOnce(&mut BTreeMap<String, Answer>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut files = release(Arch::Arm64);
    change(&mut files);
    let server = serve(files).await;
    let source = Source::Release {
        base_url: server.base.clone(),
    };
    let builder = builder(folder.path());
    let error = source
        .commands(&builder, &version(), Arch::Arm64, Bundle::All)
        .await
        .unwrap_err();
    let kept = builder.cache().list().unwrap();
    assert!(
        kept.iter().all(|entry| !entry.what.ends_with("/kubelet")),
        "{kept:?}"
    );
    assert_eq!(fs::read_dir(folder.path().join("work")).unwrap().count(), 0);
    error.to_string()
}

const KUBELET: &str = "/release/v1.36.3/bin/linux/arm64/kubelet";

#[tokio::test]
async fn a_wrong_digest_is_refused_and_nothing_kept() {
    let error = failure(|files| {
        files.insert(KUBELET.into(), Answer::File(b"another program".to_vec()));
    })
    .await;
    assert!(
        error.contains(KUBELET) && error.contains("nothing was kept"),
        "{error}"
    );
    let found = sha256(&b"another program"[..]).unwrap().0;
    assert!(error.contains(&found), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let error = failure(|files| drop(files.remove(KUBELET))).await;
    assert!(error.contains(KUBELET) && error.contains("404"), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_with_its_length() {
    let error = failure(|files| {
        files.insert(KUBELET.into(), Answer::Truncated(vec![1; 1000]));
    })
    .await;
    assert!(
        error.contains("broke off after 500 of 1000 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_digest_file_that_is_a_web_page_is_refused() {
    let error = failure(|files| {
        files.insert(
            format!("{KUBELET}.sha256"),
            Answer::File(b"<html>".to_vec()),
        );
    })
    .await;
    assert!(
        error.contains("kubelet.sha256") && error.contains("no SHA-256"),
        "{error}"
    );
}

#[tokio::test]
async fn a_test_archive_without_tests_is_refused() {
    let (folder, arch) = (tempfile::tempdir().unwrap(), host_arch().unwrap());
    let empty = {
        let gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut gz = tar::Builder::new(gz).into_inner().unwrap();
        gz.flush().unwrap();
        gz.finish().unwrap()
    };
    let mut files = release(arch);
    let path = format!("/release/v1.36.3/kubernetes-test-linux-{arch}.tar.gz");
    files.insert(
        format!("{path}.sha256"),
        Answer::File(sha256(&empty[..]).unwrap().0.into_bytes()),
    );
    files.insert(path, Answer::File(empty));
    let server = serve(files).await;
    let source = Source::Release {
        base_url: server.base.clone(),
    };
    let error = source
        .host_tools(&builder(folder.path()), &version())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("no test/bin/e2e.test"), "{error}");
}

#[tokio::test]
async fn single_addresses_are_checked_by_the_digest_given() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(release(Arch::S390x)).await;
    let download = |name: &str| Download {
        url: format!("{}/release/v1.36.3/bin/linux/s390x/{name}", server.base),
        sha256: sha256(&elf(Arch::S390x, name)[..])
            .unwrap()
            .0
            .to_uppercase(),
    };
    let mut binaries: BTreeMap<String, Download> = Bundle::All
        .names()
        .iter()
        .map(|name| ((*name).to_owned(), download(name)))
        .collect();
    let builder = builder(folder.path());
    let source = Source::Url {
        binaries: binaries.clone(),
    };
    assert_eq!(
        source
            .commands(&builder, &version(), Arch::S390x, Bundle::All)
            .await
            .unwrap()
            .iter()
            .count(),
        7
    );

    binaries.remove("kubelet");
    let source = Source::Url { binaries };
    let error = source
        .commands(&builder, &version(), Arch::S390x, Bundle::All)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no kubelet") && error.contains("sha256"),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_is_searched_in_upstreams_order_and_checked() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let builder = builder(cache.path());
    let source = Source::Dir {
        path: folder.path().to_owned(),
    };
    let below = folder.path().join("linux/s390x");
    fs::create_dir_all(&below).unwrap();
    for name in Bundle::All.names() {
        fs::write(folder.path().join(name), elf(Arch::Amd64, name)).unwrap();
        fs::write(below.join(name), elf(Arch::S390x, name)).unwrap();
    }
    for (arch, place) in [(Arch::S390x, below.as_path()), (Arch::Amd64, folder.path())] {
        let found = source
            .commands(&builder, &version(), arch, Bundle::All)
            .await
            .unwrap();
        let kubelet = found.iter().find(|(name, _)| *name == "kubelet").unwrap().1;
        assert_eq!(kubelet, &fs::canonicalize(place.join("kubelet")).unwrap());
    }
    let error = source
        .commands(&builder, &version(), Arch::Arm64, Bundle::All)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("it is for amd64, but arm64 is wanted"),
        "{error}"
    );

    fs::remove_file(below.join("kubelet")).unwrap();
    fs::remove_file(folder.path().join("kubelet")).unwrap();
    let error = source
        .commands(&builder, &version(), Arch::S390x, Bundle::All)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no kubelet for s390x") && error.contains("linux/s390x/kubelet"),
        "{error}"
    );
    // Beside a foreign cluster the machine's own kubelet is not wanted.
    let native = source
        .commands(&builder, &version(), Arch::Amd64, Bundle::Plumbing)
        .await
        .unwrap();
    let names: Vec<&str> = native.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["kube-proxy", "kubectl"]);
}

#[tokio::test]
async fn an_address_that_is_not_set_says_where_to_set_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::Release {
        base_url: String::new(),
    };
    let error = source
        .commands(
            &builder(folder.path()),
            &version(),
            Arch::Amd64,
            Bundle::All,
        )
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`source-url`") && error.contains("KCLUSTER_SOURCE_URL"),
        "{error}"
    );
}
