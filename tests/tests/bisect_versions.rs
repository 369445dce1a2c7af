//! The search among released versions: those that Go's module proxy lists, those that are known here, and those that
//! the user names.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use kcluster_tests::Kcluster;
use serde_json::Value;

/// What a proxy knows, in no order.
const LISTED: [&str; 9] = [
    "v1.37.0-rc.0",
    "v1.36.4",
    "v1.37.0-alpha.2",
    "v1.37.0-alpha.1",
    "v1.38.0",
    "v1.37.0",
    "v1.37.0-beta.0",
    "v1.36.3",
    "v1.35.1",
];

/// It broke in a candidate, and one before that cannot be told.
const JUDGE: &str = "case $KCLUSTER_BISECT_POINT in v1.3[456].*|v1.37.0-alpha.*) exit 0;; *-beta.*) exit 125;; *) exit 1;; esac";

struct Stage {
    kcluster: Kcluster,
}

impl Stage {
    /// A kcluster with a module proxy of its own.
    fn new() -> Self {
        let kcluster = Kcluster::new().unwrap();
        let folder = kcluster.state().join("proxy/k8s.io/kubernetes/@v");
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join("list"), LISTED.join("\n")).unwrap();
        Self { kcluster }
    }

    /// Its exit code, and all that it printed.
    fn search(&self, proxy: &str, ends: (&str, &str), more: &[&str]) -> (Option<i32>, String) {
        let mut args = vec!["bisect", "--good", ends.0, "--bad", ends.1];
        args.extend(more);
        args.extend(["--dir", "search", "--no-cluster", "--", "sh", "-c", JUDGE]);
        let output = self
            .kcluster
            .command(&args)
            .env("GOPROXY", proxy)
            .env_remove("GOFLAGS")
            .output()
            .unwrap();
        let text = [output.stderr, output.stdout].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    }

    fn proxy(&self) -> String {
        format!("file://{}", self.kcluster.state().join("proxy").display())
    }

    fn result(&self) -> Value {
        let file = self.kcluster.state().join("search/result.json");
        serde_json::from_str(&fs_err::read_to_string(file).unwrap()).unwrap()
    }
}

#[test]
fn the_first_bad_version_is_found_among_those_that_the_proxy_lists() {
    let stage = Stage::new();
    let address = "http://localhost:1/k8s";
    let more = [
        "--source",
        "release",
        "--source-url",
        address,
        "--also",
        "1.37.0-alpha.3",
    ];
    let (code, text) = stage.search(&stage.proxy(), ("1.36.3", "1.37.1"), &more);
    assert_eq!(code, Some(0), "{text}");
    let result = stage.result();
    // Six of the list's, the one that was named, and the bad end; not the good one.
    assert_eq!(result["candidates"], 8, "{result:#}");
    // The beta could not be told, and lies right before the first that is known to be bad.
    let conclusion = &result["conclusion"];
    assert_eq!(
        conclusion["points"],
        serde_json::json!(["v1.37.0-beta.0", "v1.37.0-rc.0"]),
        "{text}"
    );
    let again = result["reproduce"].as_str().unwrap();
    let told = format!("--good v1.36.3 --bad v1.37.1 --source release --source-url {address}");
    assert!(again.contains(&told), "{again}");
    assert!(again.contains("--also v1.37.0-alpha.3"), "{again}");
}

/// Answers any number of requests for one file, until the test ends.
fn serve(path: &'static str, content: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).unwrap();
            let (status, body) = match request.split(' ').nth(1) {
                Some(asked) if asked == path => ("200 OK", content),
                _ => ("404 Not Found", ""),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all((head + body).as_bytes()).unwrap();
        }
    });
    format!("http://{address}/k8s")
}

#[test]
fn an_end_may_be_the_build_that_a_marker_names() {
    let stage = Stage::new();
    let address = serve("/k8s/ci/latest.txt", "v1.38.0-alpha.1.12+5f4a7c9d\n");
    let more = ["--source", "release", "--source-url", &address];
    let (code, text) = stage.search(&stage.proxy(), ("1.37.0-alpha.2", "ci/latest"), &more);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("ci/latest is v1.38.0-alpha.1.12+5f4a7c9d"),
        "{text}"
    );
    let result = stage.result();
    assert_eq!(result["bad"], "v1.38.0-alpha.1.12+5f4a7c9d");
    assert_eq!(result["candidates"], 5, "{result:#}");

    let (code, text) = stage.search(&stage.proxy(), ("1.36.3", "ci/none"), &more);
    assert_ne!(code, Some(0), "{text}");
    assert!(
        text.contains("/ci/none.txt: the server answered 404"),
        "{text}"
    );
    let (code, text) = stage.search(&stage.proxy(), ("1.36.3", "ci/latest"), &[]);
    assert_eq!(code, Some(2), "{text}");
    let told = "`ci/latest` is a marker of builds, and the source is module";
    assert!(text.contains(told), "{text}");
}

#[test]
fn without_a_list_known_and_named_versions_are_searched_and_that_is_said() {
    let stage = Stage::new();
    let more = ["--also", "v1.37.0-rc.1"];
    let (code, text) = stage.search("off", ("1.34", "latest"), &more);
    assert_eq!(code, Some(0), "{text}");
    let told = "only versions that are known here or named with --also are searched";
    assert!(
        text.contains(told) && text.contains("GOPROXY=off"),
        "{text}"
    );
    let result = stage.result();
    // 1.35, 1.36 and 1.37 as they are known, and the one that was named.
    assert_eq!(result["candidates"], 4, "{result:#}");
    assert_eq!(result["culprit"]["id"], "v1.37.0-rc.1", "{text}");
    let told = "testing v1.37.0-rc.1\n";
    assert!(text.contains(told), "{text}");
    assert!(text.contains("the first bad is v1.37.0-rc.1\n"), "{text}");
    // Between it and the one before there is nothing left to name.
    let again = result["reproduce"].as_str().unwrap();
    let told = "--good v1.36.3 --bad v1.37.0-rc.1 --source module ";
    assert!(again.contains(told) && !again.contains("--also"), "{again}");
}

#[test]
fn versions_that_cannot_be_searched_are_refused_before_anything_is_made() {
    let stage = Stage::new();
    for (ends, more, said) in [
        (
            ("1.37.1", "1.36.3"),
            &[][..],
            "v1.37.1 does not come before v1.36.3",
        ),
        (
            ("1.36.3", "1.37.1"),
            &["--also", "1.38.0"],
            "v1.38.0 is not between v1.36.3 and v1.37.1",
        ),
        (
            ("1.36.3", "1.37.1"),
            &["--also", "newest"],
            "`newest` is not a Kubernetes version",
        ),
        (
            ("1.36.3", "1.37.1"),
            &["--source", "git", "--source-git", ".", "--also", "1.37.0"],
            "--also names versions, and the source git has commits",
        ),
        (
            ("last-green", "1.37.1"),
            &[],
            "`last-green` needs stored results",
        ),
    ] {
        let (code, text) = stage.search(&stage.proxy(), ends, more);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!stage.kcluster.state().join("search").exists());
}
