//! `trend add`, `show`, `page`, `red`, `issues`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use kcluster_matrix::exit;
use kcluster_reports::bisect::Finding;
use kcluster_reports::trend::{Day, html, markdown, newly_failed};
use serde_json::json;

use crate::config::Layer;
use crate::context::Context;
use crate::error::Told;
use crate::github;
use crate::report;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Add the results of a report to the file
    Add {
        /// The file, one line of JSON for each day and cell; made when it is not there
        file: Utf8PathBuf,
        /// Folder of a report [default: the last run's]
        #[arg(value_name = "DIR")]
        folder: Option<Utf8PathBuf>,
        /// The cell, without its version, such as bridge-amd64
        #[arg(long)]
        cell: String,
        /// The commit or version that was tested
        #[arg(long)]
        revision: String,
    },
    /// Print all days in Markdown
    Show {
        /// The file
        file: Utf8PathBuf,
    },
    /// Write a page with a picture for each cell
    Page {
        /// The file
        file: Utf8PathBuf,
        /// The page, or `-` for standard output
        #[arg(long, short, value_name = "FILE", default_value = "trend.html")]
        output: Utf8PathBuf,
    },
    /// Print as JSON which cells fail now and did not the day before, with what `bisect` needs
    Red {
        /// The file
        file: Utf8PathBuf,
    },
    /// Open, update and close issues on GitHub: one for each culprit and cell, at most one new one a day
    ///
    /// The token is taken from GITHUB_TOKEN, the API's address from GITHUB_API_URL.
    Issues {
        /// The file
        file: Utf8PathBuf,
        /// Folder of results of searches: JSON files as `bisect report --output` writes
        #[arg(long, value_name = "DIR")]
        found: Option<Utf8PathBuf>,
        #[command(flatten)]
        github: github::Flags,
    },
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let at = |file: &Utf8Path| context.host.folder.join(file);
        match self.command {
            Sub::Add {
                file,
                folder,
                cell,
                revision,
            } => {
                let folder = report::folder(&context, folder.as_ref())?;
                let suites = report::read(&folder)?.suites;
                let day = Day::of(&suites, &cell, &revision)
                    .ok_or_else(|| Told::input(format!("the report of {folder} is empty")))?;
                add(&at(&file), &day)?;
            }
            Sub::Show { file } => context.printer.data(&markdown(&read(&at(&file))?)),
            Sub::Page { file, output } => {
                let page = html(&read(&at(&file))?);
                match output.as_str() {
                    "-" => context.printer.data(&page),
                    _ => fs_err::write(at(&output), page)?,
                }
            }
            Sub::Red { file } => context.printer.data(&red(&read(&at(&file))?)),
            Sub::Issues {
                file,
                found,
                github,
            } => {
                let days = read(&at(&file))?;
                let found = found.map(|folder| findings(&at(&folder))).transpose()?;
                return github::work(&context, &github, &found.unwrap_or_default(), &days).await;
            }
        }
        Ok(exit::PASSED)
    }
}

fn read(file: &Utf8Path) -> anyhow::Result<Vec<Day>> {
    let text = fs_err::read_to_string(file).map_err(|error| Told::input(error.to_string()))?;
    let told = |error| Told::input(format!("{file}: {error}"));
    Ok(Day::read(&text).map_err(told)?)
}

/// Results of searches in a folder; without the folder nothing was searched for.
fn findings(folder: &Utf8Path) -> anyhow::Result<Vec<Finding>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        let path = entry.path();
        if path.extension() == Some("json") {
            let text = fs_err::read_to_string(path)?;
            let told = |error| Told::input(format!("{path} is no result of a search: {error}"));
            found.push(Finding::read(&text).map_err(told)?);
        }
    }
    Ok(found)
}

/// Adds a line; a file that was cut off is refused, lest it be made worse.
fn add(file: &Utf8Path, day: &Day) -> anyhow::Result<()> {
    if file.exists() {
        read(file)?;
    }
    let mut text = fs_err::read_to_string(file).unwrap_or_default();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&day.line()?);
    let folder = file.parent().filter(|folder| !folder.as_str().is_empty());
    let mut part = tempfile::NamedTempFile::new_in(folder.unwrap_or(Utf8Path::new(".")))?;
    std::io::Write::write_all(&mut part, text.as_bytes())?;
    part.persist(file)?;
    Ok(())
}

/// For each cell that turned red: its last green revision, the red one, and a focus for what failed anew.
fn red(days: &[Day]) -> String {
    let cells = newly_failed(days).into_iter().filter_map(|(cell, names)| {
        let mut of_cell = days.iter().rev().filter(|day| day.cell == cell);
        let bad = of_cell.next()?;
        let good = of_cell.find(|day| day.is_green())?;
        let quoted = names.iter().map(|name| quoted(name));
        let focus = quoted.collect::<Vec<_>>().join("|");
        Some(json!({ "cell": cell, "good": good.revision, "bad": bad.revision, "failed": names, "focus": focus }))
    });
    serde_json::Value::Array(cells.collect()).to_string()
}

/// A name as a regular expression that matches it alone.
fn quoted(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, c| {
        if !c.is_alphanumeric() && !c.is_whitespace() {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::outcome::Totals;

    #[test]
    fn a_cell_that_turned_red_comes_with_what_bisect_needs() {
        let day = |at: i64, failed: &[&str]| Day {
            at: jiff::Timestamp::from_second(at).unwrap(),
            cell: "bridge-amd64".into(),
            revision: format!("r{at}"),
            totals: Totals {
                passed: 3,
                failed: failed.len(),
                ..Totals::default()
            },
            took: std::time::Duration::ZERO,
            failed: failed.iter().map(|name| (*name).to_owned()).collect(),
            flaky: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path())
            .unwrap()
            .join("days.jsonl");
        for day in [day(1, &[]), day(2, &["[sig-x] a (b)"])] {
            add(&file, &day).unwrap();
        }
        let days = read(&file).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&red(&days)).unwrap();
        assert_eq!(answer[0]["good"], "r1");
        assert_eq!(answer[0]["bad"], "r2");
        assert_eq!(answer[0]["focus"], r"\[sig\-x\] a \(b\)");
        assert_eq!(red(&days[..1]), "[]");
        fs_err::write(&file, "cut o").unwrap();
        assert!(add(&file, &day(3, &[])).is_err());
    }
}
