//! The book against the program it tells of, and as its readers see it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking and tells its timings"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kcluster_tests::{
    Block, Inventory, Kcluster, blocks, chromium, installed, node, node_packages, real_clusters,
    root,
};
use serde::Deserialize;

/// A block that is run without an engine.
const OFFLINE: &str = "offline";
/// A block that is run with one.
const CLUSTER: &str = "cluster";
/// A block that is only parsed.
const UNRUN: &str = "unrun";

/// Every page by hand, from its folder.
fn pages() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let folder = root().join("book/pages");
    let mut folders = vec![folder.clone()];
    while let Some(at) = folders.pop() {
        for entry in fs_err::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(&folder).unwrap().display().to_string();
                found.push((name, fs_err::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// A page's blocks with `mark` as one script, and its examples of settings as the files they are.
fn script(page: &str, mark: &str) -> Option<String> {
    let blocks = blocks(page);
    if !blocks.iter().any(|block| block.is(mark)) {
        return None;
    }
    let mut script = String::from(
        "set -eEuo pipefail\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n\
         cargo() { if [ \"$1\" = kcluster ]; then \"$KCLUSTER_BIN\" \"$@\"; else command cargo \"$@\"; fi; }\n",
    );
    for block in blocks {
        if block.is("toml") {
            let manifest = block.text.contains("[workspace");
            let (file, other) = match manifest {
                true => ("Cargo.toml", "kcluster.toml"),
                false => ("kcluster.toml", "Cargo.toml"),
            };
            // Writing to a string cannot fail.
            let _ = write!(
                script,
                "rm -f {other}\ncat > {file} <<'EOF'\n{}EOF\n",
                block.text
            );
        } else if block.is(mark) {
            script.push_str(&block.text);
        }
    }
    Some(script)
}

fn bash(kcluster: &Kcluster, folder: &Path, script: &str) -> (i32, String) {
    fs_err::create_dir_all(folder).unwrap();
    let mut command = Command::new("bash");
    // The settings are those of the helper: a state folder of its own.
    for (name, value) in kcluster.command(&[]).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command
        .arg("-c")
        .arg(script)
        .env("KCLUSTER_BIN", Kcluster::binary())
        .env("KUBECONFIG", folder.join("my-kubeconfig"))
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (
        output.status.code().unwrap_or(-1),
        text.join("\n--- stderr\n"),
    )
}

#[test]
fn each_block_of_commands_says_what_becomes_of_it() {
    for (name, page) in pages() {
        for Block { line, marks, text } in blocks(&page) {
            let place = format!("{name}:{line}");
            assert!(!marks.is_empty(), "{place}: a block without a language");
            if marks[0] == "console" {
                let known = [OFFLINE, CLUSTER, UNRUN].contains(&marks[1].as_str());
                assert!(known && marks.len() == 2, "{place}: {marks:?}");
            }
            let shell = ["sh", "bash", "shell"].contains(&marks[0].as_str());
            let hidden = marks[0] != "console" && text.contains("cargo kcluster");
            assert!(!shell && !hidden, "{place}: commands stand in `console`");
        }
    }
}

#[test]
fn every_command_is_one_that_the_program_takes() {
    let kcluster = Kcluster::new().unwrap();
    let readme = fs_err::read_to_string(root().join("README.md")).unwrap();
    let mut commands = 0;
    for (name, page) in pages()
        .into_iter()
        .chain([("README.md".to_owned(), readme)])
    {
        // Help is printed once all words before it are taken.
        let mut script = String::from(
            "set -eEuo pipefail\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n\
             cargo() {\n  [ \"$1\" = kcluster ] || return 0\n  local words=() help=-h word\n\
             for word in \"$@\"; do [ \"$word\" != -- ] || { words+=($help); help=; }; words+=(\"$word\"); done\n\
             \"$KCLUSTER_BIN\" \"${words[@]}\" $help | grep Usage: >/dev/null\n}\n",
        );
        for block in blocks(&page).iter().filter(|block| block.is("console")) {
            for line in block
                .text
                .lines()
                .filter(|line| line.contains("cargo kcluster"))
            {
                commands += 1;
                let command = line.split(" > ").next().unwrap_or(line);
                let _ = writeln!(script, "{command}");
            }
        }
        let (code, told) = bash(&kcluster, &kcluster.state().join("parsed"), &script);
        assert_eq!(code, 0, "{name}: {told}");
    }
    assert!(commands > 80, "{commands}");
    // The check itself can fail.
    let (code, _) = bash(
        &kcluster,
        &kcluster.state().join("parsed"),
        "set -e; \"$KCLUSTER_BIN\" kcluster up --nodez 1 -h",
    );
    assert_eq!(code, 2);
}

#[test]
fn commands_that_need_no_cluster_do_what_the_book_says() {
    let kcluster = Kcluster::new().unwrap();
    let mut run = 0;
    for (name, page) in pages() {
        let Some(script) = script(&page, OFFLINE) else {
            continue;
        };
        let folder = kcluster.state().join(name.replace('/', "-"));
        let (code, told) = bash(&kcluster, &folder, &script);
        assert_eq!(code, 0, "{name}: {told}");
        run += 1;
    }
    assert!(run >= 6, "{run}");
}

#[test]
fn commands_that_need_a_cluster_do_what_the_book_says() {
    let test = "commands_that_need_a_cluster_do_what_the_book_says";
    if !real_clusters(test) || !installed(test, "kubectl") {
        return;
    }
    let before = Inventory::take().unwrap();
    let kcluster = Kcluster::new().unwrap();
    for (name, page) in pages() {
        let Some(script) = script(&page, CLUSTER) else {
            continue;
        };
        let folder = kcluster.state().join(name.replace('/', "-"));
        fs_err::create_dir_all(&folder).unwrap();
        // A user's own file, which comes out as it went in.
        let mine = "# mine\nkind: Config\nclusters:\n- name: other\n  cluster: {server: 'https://other'} # keep\nusers: []\ncontexts:\n\
                    - name: other\n  context: {cluster: other}\ncurrent-context: other\n";
        fs_err::write(folder.join("my-kubeconfig"), mine).unwrap();
        let start = std::time::Instant::now();
        let (code, told) = bash(&kcluster, &folder, &script);
        assert_eq!(code, 0, "{name}: {told}");
        eprintln!("{name}: {:.1} s", start.elapsed().as_secs_f64());
        if page.contains("--merge-context") {
            assert!(told.contains("\nkcluster-daily\n"), "{told}");
        }
        let now = fs_err::read_to_string(folder.join("my-kubeconfig")).unwrap();
        assert_eq!(now, mine, "{name}");
    }
    assert_eq!(Inventory::take().unwrap(), before);
}

#[test]
fn every_error_told_of_is_one_of_the_programs() {
    let page = fs_err::read_to_string(root().join("book/pages/troubleshooting.md")).unwrap();
    let mut sources = String::new();
    let mut folders: Vec<PathBuf> = ["matrix", "images", "cluster", "e2e", "reports", "cli"]
        .map(|name| root().join(name).join("src"))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs_err::read_to_string(&path).unwrap());
            }
        }
    }
    let mut errors = 0;
    for heading in page.lines().filter_map(|line| line.strip_prefix("### ")) {
        let text = heading.trim_matches('`');
        assert!(sources.contains(text), "no source says `{text}`");
        errors += 1;
    }
    assert!(errors > 15, "{errors}");
}

/// All that `attribute` names in a page.
fn named<'p>(page: &'p str, attribute: &'p str) -> impl Iterator<Item = &'p str> {
    page.split(attribute)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

#[test]
fn it_is_made_without_a_warning_and_its_links_lead_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    kcluster_book::build(&book).unwrap();
    let mut pages = vec![];
    let mut folders = vec![book.clone()];
    while let Some(at) = folders.pop() {
        for entry in fs_err::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "html")
            {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 40, "{pages:?}");
    for page in pages {
        let text = fs_err::read_to_string(&page).unwrap();
        for link in named(&text, " href=\"").chain(named(&text, " src=\"")) {
            if link.contains("://") || link.is_empty() {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            // Servers show it for whatever is not there, from any folder.
            if page.ends_with("404.html") {
                continue;
            }
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = fs_err::read_to_string(&target).unwrap();
                let found = there.contains(&format!("id=\"{anchor}\""));
                assert!(found, "{}: {link}", page.display());
            }
        }
    }
}

/// What `browser/book.mjs` saw of a page.
#[derive(Debug, Deserialize)]
struct Seen {
    look: String,
    name: String,
    title: String,
    wide: i64,
    out: Vec<String>,
    words: usize,
    errors: Vec<String>,
    outside: Vec<String>,
}

#[test]
fn it_is_read_at_a_desk_and_on_a_phone() {
    let Some(chromium) = chromium("book") else {
        return;
    };
    if !node_packages("book") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    kcluster_book::build(&book).unwrap();
    let keep = std::env::var_os("KCLUSTER_PICTURES").map(PathBuf::from);
    let pictures = keep.unwrap_or_else(|| folder.path().join("pictures"));
    fs_err::create_dir_all(&pictures).unwrap();
    let shown = [&book, &pictures].map(|path| path.display().to_string());
    let seen = node("book.mjs", &[&chromium, &shown[0], &shown[1]]).unwrap();
    let seen: Vec<Seen> = serde_json::from_str(&seen).unwrap();
    eprintln!("{} pages were read", seen.len());
    assert!(seen.len() > 80, "{}", seen.len());
    for page in seen {
        let place = format!("{} on a {}", page.name, page.look);
        assert!(page.wide <= 0, "{place} scrolls sideways: {page:?}");
        assert_eq!(page.out, Vec::<String>::new(), "{place}");
        assert_eq!(page.errors, Vec::<String>::new(), "{place}");
        assert_eq!(page.outside, Vec::<String>::new(), "{place}");
        assert!(
            page.words > 10 && page.title.contains("kcluster"),
            "{page:?}"
        );
    }
}
