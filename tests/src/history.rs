//! A repository with a history made for a test: merges, one commit that breaks something, some that do not build,
//! and one that does not boot.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::run;

/// What a commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that matters.
    Note,
    /// Nothing builds any more.
    BreakBuild,
    /// It builds again.
    MendBuild,
    /// Nothing boots any more.
    BreakBoot,
    /// It boots again.
    MendBoot,
    /// The one that is looked for.
    Culprit,
}

/// Files with their new content.
pub(crate) type Files = Vec<(String, String)>;

/// The repository, made.
#[derive(Debug)]
pub struct History {
    /// Its folder.
    pub path: PathBuf,
    /// Hash of the first commit, which is good.
    pub good: String,
    /// Hash of the last one, which is bad.
    pub bad: String,
    /// Hash of the one that broke it.
    pub culprit: String,
    /// Hashes of those that do not boot.
    pub unbootable: Vec<String>,
    /// How many commits there are between, the last one included.
    pub candidates: usize,
}

/// How long a history is, and what happens in it.
pub(crate) struct Shape {
    /// Groups of two commits on the mainline and a branch of five, merged: eight commits each.
    groups: usize,
    /// What a commit does, by its number.
    change: fn(usize) -> Change,
}

/// Those that do not build and the one that does not boot lie where a search that halves comes along.
pub(crate) const LONG: Shape = Shape {
    groups: 8,
    change: |number| match number {
        // A merge in the middle, so that the branch that begins there does not build either.
        32 => Change::BreakBuild,
        33 => Change::MendBuild,
        45 => Change::Culprit,
        46 => Change::BreakBoot,
        47 => Change::MendBoot,
        _ => Change::Note,
    },
};

/// One branch, in whose middle lies what is looked for.
pub(crate) const SHORT: Shape = Shape {
    groups: 1,
    change: |number| match number {
        5 => Change::Culprit,
        _ => Change::Note,
    },
};

#[derive(Clone)]
struct Commit {
    mark: usize,
    files: BTreeMap<String, String>,
}

/// Makes a history in `path`: on top of `base` (a commit there), or of nothing. `files` says what a change writes;
/// the number in it is the commit's.
///
/// # Errors
/// When git fails.
pub(crate) fn make_history(
    path: &Path,
    base: Option<&str>,
    shape: &Shape,
    files: &dyn Fn(Change, usize) -> Result<Files>,
) -> Result<History> {
    if base.is_none() {
        run(Command::new("git")
            .args(["init", "--quiet", "--initial-branch=main"])
            .arg(path))?;
    }
    let mut stream = String::new();
    let mut number = 0;
    let mut marks: Vec<Change> = Vec::new();
    // On top of one commit, or merging a branch: its tip, and where it began.
    let mut commit =
        |first: Option<&Commit>, branch: Option<(&Commit, &Commit)>| -> Result<Commit> {
            let change = (shape.change)(number);
            let mut now: BTreeMap<String, String> =
                first.map(|first| first.files.clone()).unwrap_or_default();
            let title = match branch {
                Some((tip, fork)) => {
                    let changed = tip
                        .files
                        .iter()
                        .filter(|(file, content)| fork.files.get(*file) != Some(content));
                    now.extend(changed.map(|(file, content)| (file.clone(), content.clone())));
                    format!("Merge pull request #{number} from someone/branch")
                }
                None => format!("change {number}"),
            };
            if branch.is_none() || change != Change::Note {
                now.extend(files(change, number)?);
            }
            marks.push(change);
            let mark = marks.len();
            writeln!(stream, "commit refs/heads/main\nmark :{mark}")?;
            writeln!(
                stream,
                "committer Test <test@localhost> {} +0000",
                1_750_000_000 + 3600 * mark
            )?;
            writeln!(stream, "data {}\n{title}", title.len())?;
            match (first, base) {
                (Some(first), _) => writeln!(stream, "from :{}", first.mark)?,
                (None, Some(base)) => writeln!(stream, "from {base}")?,
                (None, None) => {}
            }
            if let Some((tip, _)) = branch {
                writeln!(stream, "merge :{}", tip.mark)?;
            }
            let before = first.map(|first| &first.files);
            for (file, content) in &now {
                if before.and_then(|before| before.get(file)) != Some(content) {
                    writeln!(
                        stream,
                        "M 100644 inline {file}\ndata {}\n{content}",
                        content.len()
                    )?;
                }
            }
            writeln!(stream)?;
            number += 1;
            Ok(Commit { mark, files: now })
        };
    let mut tip = commit(None, None)?;
    for _ in 0..shape.groups {
        let fork = tip.clone();
        let mut side = fork.clone();
        for _ in 0..2 {
            tip = commit(Some(&tip), None)?;
        }
        for _ in 0..5 {
            side = commit(Some(&side), None)?;
        }
        tip = commit(Some(&tip), Some((&side, &fork)))?;
    }
    let marks_file = path.join(".git/test-marks");
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .arg(format!("--export-marks={}", marks_file.display()))
        .current_dir(path)
        .stdin(Stdio::piped())
        .spawn()?;
    import
        .stdin
        .take()
        .context("no standard input")?
        .write_all(stream.as_bytes())?;
    ensure!(import.wait()?.success(), "git fast-import failed");
    let text = fs_err::read_to_string(marks_file)?;
    let hashes: BTreeMap<usize, String> = text
        .lines()
        .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
        .filter_map(|(mark, hash)| Some((mark.parse().ok()?, hash.to_owned())))
        .collect();
    let hash = |mark: usize| hashes.get(&mark).cloned().context("a mark is missing");
    let of = |wanted: Change| -> Result<Vec<String>> {
        let found = marks
            .iter()
            .enumerate()
            .filter(|(_, change)| **change == wanted);
        found.map(|(index, _)| hash(index + 1)).collect()
    };
    Ok(History {
        path: path.to_owned(),
        good: hash(1)?,
        bad: hash(marks.len())?,
        culprit: of(Change::Culprit)?.pop().context("nothing is broken")?,
        unbootable: of(Change::BreakBoot)?,
        candidates: marks.len() - 1,
    })
}
