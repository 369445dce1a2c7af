//! Pages that stand elsewhere in the repository.

use std::path::{Component, Path, PathBuf};

/// Where the rest of the repository can be read.
const REPOSITORY: &str = "https://github.com/kcluster/kcluster/blob/main/";

/// Files of the repository, and the pages they are in the book.
pub(crate) const PAGES: [(&str, &str); 5] = [
    ("ARCHITECTURE.md", "architecture.md"),
    ("docs/architectures.md", "architectures.md"),
    ("docs/benchmarks.md", "benchmarks.md"),
    ("docs/suites.md", "suites.md"),
    ("CHANGELOG.md", "changelog.md"),
];

/// Pictures of the repository, which go into the book as they are.
pub(crate) const PICTURES: [(&str, &str); 1] = [("docs/demo.svg", "demo.svg")];

/// The text of file `from` as a page: its links lead to other pages, or to the repository.
pub(crate) fn as_page(text: &str, from: &str) -> String {
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        let (before, link) = rest.split_at(at + 2);
        out.push_str(before);
        let end = link.find(')').unwrap_or(link.len());
        let (target, after) = link.split_at(end);
        out.push_str(&moved(target, folder));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn moved(target: &str, folder: &Path) -> String {
    if target.contains("://") || target.starts_with('#') {
        return target.to_owned();
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let mut full = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => drop(full.pop()),
            part => full.push(part),
        }
    }
    let full = full.display().to_string();
    let anchor = match anchor {
        "" => String::new(),
        anchor => format!("#{anchor}"),
    };
    match PAGES.iter().find(|(from, _)| *from == full) {
        Some((_, page)) => format!("{page}{anchor}"),
        None => format!("{REPOSITORY}{full}{anchor}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_or_to_the_repository() {
        let text = "[a](suites.md) and [`b`](../tests/x.txt#y) and [c](https://d/e) [f](#g)";
        assert_eq!(
            as_page(text, "docs/architectures.md"),
            format!(
                "[a](suites.md) and [`b`]({REPOSITORY}tests/x.txt#y) and [c](https://d/e) [f](#g)"
            )
        );
    }
}
