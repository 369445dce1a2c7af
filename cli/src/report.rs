//! Suites become files, and files suites again.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::{Cell, Sink, Suite};
use kcluster_reports::{html, json, junit, summary};

use crate::context::Context;
use crate::error::Told;

/// Folders of a run with several phases.
const PHASES: [&str; 2] = ["parallel", "serial"];

/// The machine's name, for reports.
pub(crate) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Writes `junit.xml`, `report.json`, `report.html` and `summary.md` into `folder`.
pub(crate) fn write(folder: &Utf8Path, suites: &[Suite]) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    let write = |name: &str, text: String| {
        fs_err::write(folder.join(name), text).with_context(|| format!("failed to write {name}"))
    };
    write("junit.xml", junit::render(suites)?)?;
    write("report.json", json::Report::new(suites).to_json()?)?;
    write("report.html", html::render(suites))?;
    write("summary.md", summary::render(suites))
}

/// Reads the report in `folder`.
pub(crate) fn read(folder: &Utf8Path) -> anyhow::Result<json::Report> {
    let file = folder.join("report.json");
    let text = fs_err::read_to_string(&file).map_err(|error| {
        Told::input(format!("{folder} holds no report: {error}"))
            .help("give the folder that `e2e --report-dir` wrote, or the word `last`")
    })?;
    json::Report::from_json(&text).map_err(|error| {
        let told = format!("{file} cannot be read: {error}");
        Told::input(told).into()
    })
}

/// The folder that is meant: this one, or the one the last run wrote.
pub(crate) fn folder(
    context: &Context,
    given: Option<&Utf8PathBuf>,
) -> anyhow::Result<Utf8PathBuf> {
    match given {
        Some(folder) if folder != "last" => {
            let path = context.host.folder.join(folder);
            // The report itself is as good as its folder.
            let file = path.file_name() == Some("report.json");
            Ok(match path.parent().filter(|_| file) {
                Some(folder) => folder.to_owned(),
                None => path,
            })
        }
        _ => {
            let text = fs_err::read_to_string(last(context)).map_err(|_| {
                Told::input("no run is remembered").help("give the folder of its report")
            })?;
            Ok(text.trim_end().into())
        }
    }
}

/// Where the folder of the last run is remembered.
fn last(context: &Context) -> Utf8PathBuf {
    context.settings.state_dir.join("last-report")
}

/// Remembers `folder` as the last run's; that it cannot spoils nothing.
pub(crate) fn remember(context: &Context, folder: &Utf8Path) {
    let file = last(context);
    if let Err(error) = fs_err::write(&file, format!("{folder}\n")) {
        context
            .hub
            .warn(&format_args!("`last` will not mean this run: {error}"));
    }
}

/// The folder for a run's reports. A rerun never writes over the report it is of.
pub(crate) fn out(context: &Context, rerun: Option<&Utf8Path>) -> anyhow::Result<Utf8PathBuf> {
    let settings = &context.settings;
    let own = || settings.cluster_dir().join("report");
    let out = settings
        .report_dir
        .given()
        .map_or_else(own, |folder| context.host.folder.join(folder));
    let same = |earlier: &Utf8Path| match (earlier.canonicalize_utf8(), out.canonicalize_utf8()) {
        (Ok(earlier), Ok(out)) => earlier == out || earlier.starts_with(&out),
        _ => false,
    };
    if !rerun.is_some_and(same) {
        return Ok(out);
    }
    (1..10_000)
        .map(|number| out.join(format!("rerun-{number}")))
        .find(|folder| !folder.exists())
        .ok_or_else(|| Told::input(format!("{out} is full of reruns")).into())
}

/// Removes what an earlier run left in `folder`, so that nothing of it is taken for this one's. Only a folder
/// that holds a report of ours is touched.
pub(crate) fn clear(folder: &Utf8Path) -> anyhow::Result<()> {
    if read(folder).is_err() {
        return Ok(());
    }
    for name in ["ginkgo", "dump"].iter().chain(&PHASES) {
        let path = folder.join(name);
        if path.is_dir() {
            fs_err::remove_dir_all(&path)?;
        }
    }
    for name in [
        "e2e.log",
        "list.txt",
        "report.json",
        "report.html",
        "junit.xml",
        "summary.md",
    ] {
        let path = folder.join(name);
        if path.is_file() {
            fs_err::remove_file(&path)?;
        }
    }
    Ok(())
}

/// What ginkgo printed in the run of `folder`, of all its phases.
pub(crate) fn logs(folder: &Utf8Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let folders = [folder.to_owned()]
        .into_iter()
        .chain(PHASES.map(|name| folder.join(name)));
    for folder in folders {
        let path = folder.join("e2e.log");
        if path.is_file() {
            // A spec may print anything.
            text.push_str(&String::from_utf8_lossy(&fs_err::read(&path)?));
        }
    }
    Ok(text)
}

/// Where it is remembered how long specs took on cells like this one.
pub(crate) fn history(context: &Context, cell: &Cell) -> Utf8PathBuf {
    let name = format!("durations-{}-{}.tsv", cell.arch, cell.emulation);
    context.settings.cache_dir.join("e2e").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_all_phases_are_one_and_only_our_own_folders_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let out = Utf8Path::from_path(folder.path()).unwrap();
        for (phase, text) in PHASES.iter().zip(["one\n", "two\n"]) {
            fs_err::create_dir_all(out.join(phase)).unwrap();
            fs_err::write(out.join(phase).join("e2e.log"), text).unwrap();
        }
        assert_eq!(logs(out).unwrap(), "one\ntwo\n");
        clear(out).unwrap();
        assert_eq!(logs(out).unwrap(), "one\ntwo\n");
        write(out, &[]).unwrap();
        fs_err::write(out.join("mine"), "").unwrap();
        clear(out).unwrap();
        assert_eq!(logs(out).unwrap(), "");
        assert!(read(out).is_err() && out.join("mine").exists());
    }
}
