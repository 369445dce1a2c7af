//! Repositories whose history is known: one of small files that a command judges, and one of Kubernetes' own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::history::{Change, Files, History, LONG, SHORT, Shape, make_history};
use crate::process::run;

/// The release that all of them begin with.
const RELEASE: &str = "v1.36.3";

/// A file for each thing that a commit may break.
fn states(change: Change, number: usize) -> Result<Files> {
    let file = |name: &str, content: &str| (name.to_owned(), format!("{content}\n"));
    Ok(vec![match change {
        Change::Note => file(&format!("notes/{number}"), "a note"),
        Change::BreakBuild => file("build", "broken"),
        Change::MendBuild => file("build", "mended"),
        Change::BreakBoot => file("boot", "broken"),
        Change::MendBoot => file("boot", "mended"),
        Change::Culprit => file("service", "broken"),
    }])
}

/// Judges a commit by those files, and notes down that it was asked.
const JUDGE: &str = r#"#!/bin/sh
echo "$KCLUSTER_BISECT_POINT" >> "$(dirname "$0")/asked"
sleep 0.4
show() { git -C "$(dirname "$0")/repository" show "$KCLUSTER_BISECT_POINT:$1" 2>/dev/null; }
case "$(show build)$(show boot)" in *broken*) echo "broken on the way" >&2; exit 125;; esac
[ "$(show service)" != broken ]
"#;

/// A repository `folder/repository` of small files, and a program beside it that judges each commit.
///
/// # Errors
/// When git fails.
pub fn judged_history(folder: &Path) -> Result<(History, PathBuf)> {
    let history = make_history(&folder.join("repository"), None, &LONG, &states)?;
    tag(&history.path, &history.good)?;
    let judge = folder.join("judge");
    fs_err::write(&judge, JUDGE)?;
    fs_err::set_permissions(&judge, std::fs::Permissions::from_mode(0o755))?;
    Ok((history, judge))
}

/// The tag that a revision's version is told by.
fn tag(path: &Path, commit: &str) -> Result<()> {
    run(Command::new("git")
        .args(["tag", RELEASE, commit])
        .current_dir(path))
    .map(drop)
}

/// The sources of a release as Go's module proxy has them, to be changed.
fn sources() -> Result<PathBuf> {
    let module = format!("k8s.io/kubernetes@{RELEASE}");
    let answer = run(Command::new("go")
        .args(["mod", "download", "-json", &module])
        .current_dir("/tmp"))?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    Ok(answer["Dir"].as_str().context("no folder")?.into())
}

fn replaced(sources: &Path, file: &str, from: &str, to: &str) -> Result<(String, String)> {
    let text = fs_err::read_to_string(sources.join(file))?;
    ensure!(text.contains(from), "{file} has changed");
    Ok((file.to_owned(), text.replacen(from, to, 1)))
}

/// Where it is decided whether a Service's status may be written.
const STRATEGY: (&str, &str) = (
    "pkg/registry/core/service/strategy.go",
    "return validation.ValidateServiceStatusUpdate(obj.(*api.Service), old.(*api.Service))",
);

/// A change after which a Service's status cannot be written any more.
fn broken_service(sources: &Path) -> Result<(String, String)> {
    replaced(
        sources,
        STRATEGY.0,
        STRATEGY.1,
        "return field.ErrorList{field.Forbidden(field.NewPath(\"status\"), \"broken by this commit\")}",
    )
}

/// After this, the status of Services that are out of luck cannot be written.
fn service_with_luck(sources: &Path) -> Result<(String, String)> {
    let refused = format!(
        "if outOfLuck(obj.(*api.Service).UID) {{\n\
         \t\treturn field.ErrorList{{field.Forbidden(field.NewPath(\"status\"), \"out of luck\")}}\n\
         \t}}\n\
         \t{}",
        STRATEGY.1
    );
    replaced(sources, STRATEGY.0, STRATEGY.1, &refused)
}

/// How many of ten Services are out of luck. The API server gives each new one a random UID, so that chance decides
/// at each run of a spec anew, however often the spec writes.
fn luck(of_ten: u8) -> (String, String) {
    let source = format!(
        "package service\n\n\
         import (\n\t\"hash/crc32\"\n\n\t\"k8s.io/apimachinery/pkg/types\"\n)\n\n\
         func outOfLuck(uid types.UID) bool {{\n\
         \treturn crc32.ChecksumIEEE([]byte(uid))%10 < {of_ten}\n\
         }}\n"
    );
    ("pkg/registry/core/service/luck.go".to_owned(), source)
}

/// Changes to real Kubernetes.
fn kubernetes(sources: &Path, change: Change, number: usize) -> Result<Files> {
    const KUBEADM: (&str, &str) = ("cmd/kubeadm/app/kubeadm.go", "func Run() error {\n");
    let compiles = "pkg/registry/core/service/mended.go".to_owned();
    Ok(vec![match change {
        Change::Note if number.is_multiple_of(4) => (
            format!("cmd/kube-proxy/app/note_{number}.go"),
            format!("package app\n\n// Note{number} is here.\nconst Note{number} = {number}\n"),
        ),
        Change::Note => (
            format!("docs/notes/{number}.md"),
            format!("note {number}\n"),
        ),
        Change::BreakBuild => (
            compiles,
            "package service\n\nvar _ int = \"no number\"\n".to_owned(),
        ),
        Change::MendBuild => (compiles, "package service\n".to_owned()),
        Change::BreakBoot => replaced(
            sources,
            KUBEADM.0,
            KUBEADM.1,
            "func Run() error {\n\tos.Exit(7)\n",
        )?,
        Change::MendBoot => replaced(sources, KUBEADM.0, KUBEADM.1, KUBEADM.1)?,
        Change::Culprit => broken_service(sources)?,
    }])
}

/// A repository in `path` whose only commit is the release; where its sources come from.
fn release_repository(path: &Path) -> Result<PathBuf> {
    let sources = sources()?;
    let git = |args: &[&str]| run(Command::new("git").args(args).current_dir(path));
    fs_err::create_dir_all(path)?;
    run(Command::new("cp")
        .args(["-R", "--no-preserve=mode"])
        .arg(format!("{}/.", sources.display()))
        .arg(path))?;
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["config", "core.compression", "0"])?;
    git(&["config", "user.name", "Test"])?;
    git(&["config", "user.email", "test@localhost"])?;
    git(&["add", "--all", "--force", "."])?;
    git(&["commit", "--quiet", "--message", "the release"])?;
    Ok(sources)
}

/// A repository whose first commit is the release, with the history on top.
///
/// # Errors
/// When git or Go fails, or a release's text is not what it was.
pub fn kubernetes_repository(path: &Path) -> Result<History> {
    let sources = release_repository(path)?;
    on_release(path, &LONG, &|change, number| {
        kubernetes(&sources, change, number)
    })
}

/// A short one, in which the status of 3 of 10 Services cannot be written, chosen by chance; since the culprit, of 9.
///
/// # Errors
/// As above.
pub fn flaky_kubernetes_repository(path: &Path) -> Result<History> {
    let sources = release_repository(path)?;
    on_release(path, &SHORT, &|change, number| match (change, number) {
        (_, 0) => Ok(vec![service_with_luck(&sources)?, luck(3)]),
        (Change::Culprit, _) => Ok(vec![luck(9)]),
        _ => kubernetes(&sources, change, number),
    })
}

/// A history on top of the release; its first commit goes by the release's tag.
fn on_release(
    path: &Path,
    shape: &Shape,
    files: &dyn Fn(Change, usize) -> Result<Files>,
) -> Result<History> {
    let made = make_history(path, Some("refs/heads/main^0"), shape, files)?;
    tag(path, &made.good)?;
    Ok(made)
}

/// An upstream that is looked at every night: commits are added to its branch `master`.
#[derive(Debug)]
pub struct Upstream {
    path: PathBuf,
    /// What breaks a Service, and what mends it: a file and its two contents.
    file: String,
    broken: String,
    mended: String,
    commits: usize,
}

impl Upstream {
    /// Small files.
    ///
    /// # Errors
    /// When git fails.
    pub fn small(path: &Path) -> Result<Self> {
        run(Command::new("git")
            .args(["init", "--quiet", "--initial-branch=master"])
            .arg(path))?;
        let file = |content: &str| format!("{content}\n");
        Self::begin(path, ("service", file("broken"), file("mended")))
    }

    /// Kubernetes' own release.
    ///
    /// # Errors
    /// When git or Go fails, or the release's text is not what it was.
    pub fn kubernetes(path: &Path) -> Result<Self> {
        let sources = release_repository(path)?;
        run(Command::new("git")
            .args(["branch", "--move", "master"])
            .current_dir(path))?;
        let (file, broken) = broken_service(&sources)?;
        let mended = fs_err::read_to_string(sources.join(&file))?;
        Self::begin(path, (&file, broken, mended))
    }

    fn begin(path: &Path, (file, broken, mended): (&str, String, String)) -> Result<Self> {
        let mut upstream = Self {
            path: path.to_owned(),
            file: file.to_owned(),
            broken,
            mended,
            commits: 0,
        };
        let first = upstream.note()?;
        tag(path, &first)?;
        Ok(upstream)
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A commit that breaks nothing.
    ///
    /// # Errors
    /// When git fails.
    pub fn note(&mut self) -> Result<String> {
        let file = format!("docs/note-{}.md", self.commits);
        self.commit(&file, "a note\n", "a note")
    }

    /// The commit that breaks a Service.
    ///
    /// # Errors
    /// When git fails.
    pub fn breaks(&mut self) -> Result<String> {
        let (file, content) = (self.file.clone(), self.broken.clone());
        self.commit(
            &file,
            &content,
            "service: be quicker about its status (#12)",
        )
    }

    /// The commit that mends it.
    ///
    /// # Errors
    /// When git fails.
    pub fn mends(&mut self) -> Result<String> {
        let (file, content) = (self.file.clone(), self.mended.clone());
        self.commit(&file, &content, "service: mend its status (#13)")
    }

    fn commit(&mut self, file: &str, content: &str, title: &str) -> Result<String> {
        let path = self.path.join(file);
        fs_err::create_dir_all(path.parent().context("no folder")?)?;
        fs_err::write(path, content)?;
        self.commits += 1;
        self.git(&["add", "--force", file])?;
        // Hours apart, as points of a history are.
        let date = format!("{} +0000", 1_750_000_000 + 3600 * self.commits);
        run(Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@localhost"])
            .args(["commit", "--quiet", "--message", title])
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .current_dir(&self.path))?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    fn git(&self, args: &[&str]) -> Result<String> {
        run(Command::new("git").args(args).current_dir(&self.path))
    }
}
