//! What our issues say.

use jiff::Timestamp;

use super::Subject;
use super::standing::Standing;
use crate::bisect::{Finding, Tested, code, escape, evidence, kind, short};
use crate::text::{cap, one_line, xml_text};
use crate::trend::Day;

/// GitHub takes 65 536 characters of a text, and 256 of a title.
const MOST: usize = 60_000;
const MOST_OF_TITLE: usize = 200;

/// Names of specs that are listed.
const SPECS: usize = 20;

/// `bridge-amd64: 0a1b2c3d4e5f broke specs: title of the commit`.
pub(super) fn title(finding: &Finding, subject: &Subject) -> String {
    let what = match (&finding.culprit, subject.culprit.as_slice()) {
        (Some(culprit), _) => format!("{} {}", short(&culprit.id), culprit.title),
        (None, [first, .., last]) => format!(
            "one of {} {}s, {} to {}",
            subject.culprit.len(),
            kind(last),
            short(first),
            short(last)
        ),
        (None, some) => some.join(" "),
    };
    let title = format!("{}: broken by {what}", subject.cell);
    let title = one_line(&xml_text(&title));
    match title.char_indices().nth(MOST_OF_TITLE) {
        Some((end, _)) => format!("{}…", title.get(..end).unwrap_or_default()),
        None => title,
    }
}

/// The whole text. What it is about comes first, so that no cut ever loses it.
pub(super) fn body(finding: &Finding, subject: &Subject, is: &Standing<'_>) -> String {
    let mut text = format!("{}\n", subject.mark());
    let web = web(&finding.source);
    let title = |id: &str| -> String {
        let tested = finding.points.iter().find(|point| point.id == id);
        escape(tested.map_or("", |point| point.title.as_str()))
    };
    let commit = |id: &str| match &web {
        Some(web) if short(id) != id => format!("[`{}`]({web}/commit/{id})", short(id)),
        _ => code(id),
    };
    let mut row = |name: &str, value: &str| {
        text.push_str(&format!("- **{name}:** {}\n", value.trim_end()));
    };
    if let Some(culprit) = &finding.culprit {
        row(
            kind(&culprit.id),
            &format!("{} {}", commit(&culprit.id), escape(&culprit.title)),
        );
        if let Some(number) = culprit.pull_request {
            row("pull request", &pull_request(web.as_deref(), number));
        }
    }
    row("cell", &code(&subject.cell));
    row("test", &code(&finding.test));
    row("source", &code(&finding.source));
    for (name, end) in [("good", &finding.good), ("bad", &finding.bad)] {
        row(name, &format!("{} {}", commit(end), title(end)));
    }
    row("reproduce", &code(&finding.reproduce));
    if let Standing::Red { days, .. } = is
        && let (Some(first), Some(last)) = (days.first(), days.last())
    {
        row("red since", &seen(first));
        row("red last", &seen(last));
    }
    if finding.culprit.is_none() {
        text.push_str("\n### One of these, which cannot be told apart\n\n");
        for id in &subject.culprit {
            text.push_str(&format!("- {} {}\n", commit(id), title(id)));
        }
    }
    if let Standing::Red { specs, .. } = is
        && !specs.is_empty()
    {
        text.push_str("\n### What fails\n\n");
        for name in specs.iter().take(SPECS) {
            text.push_str(&format!("- {}\n", code(name)));
        }
        if let Some(more @ 1..) = specs.len().checked_sub(SPECS) {
            text.push_str(&format!("- and {more} more\n"));
        }
    }
    let points: Vec<Tested> = finding.points.iter().map(shortened).collect();
    text.push_str(&evidence(&points));
    text.push_str("\n(Written by kcluster, which closes it when the cell is green again.)\n");
    cap(&text, MOST).into_owned()
}

/// What is said when it is green again.
pub(super) fn closing(day: &Day) -> String {
    format!("Green again: {}.", seen(day))
}

fn seen(day: &Day) -> String {
    format!("{} at {}", date(day.at), code(&day.revision))
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// What a build or a boot said last is evidence; all of it is in the artefacts.
fn shortened(point: &Tested) -> Tested {
    const MOST_OF_NOTE: usize = 2 << 10;
    let note = point.note.as_deref();
    Tested {
        note: note.map(|note| cap(note, MOST_OF_NOTE).into_owned()),
        ..point.clone()
    }
}

/// The pages of a repository on GitHub.
fn web(source: &str) -> Option<String> {
    let path = source.strip_prefix("https://github.com/")?;
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    let plain = |part: &str| {
        let safe = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !part.is_empty() && part.chars().all(safe)
    };
    let (owner, name) = path.split_once('/')?;
    (plain(owner) && plain(name)).then(|| format!("https://github.com/{owner}/{name}"))
}

/// A link that does not show up on the other side: upstream's pull requests are no place for our nights.
fn pull_request(web: Option<&str>, number: u64) -> String {
    match web.and_then(|web| web.strip_prefix("https://github.com/")) {
        Some(path) => format!("[{number}](https://redirect.github.com/{path}/pull/{number})"),
        // With a `#` it would be one of the repository that the issue is in.
        None => number.to_string(),
    }
}
