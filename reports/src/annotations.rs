//! Workflow commands of GitHub Actions, one per finding: `::error title=…::…`.
//!
//! GitHub shows ten errors and ten warnings of a step and drops the others without a word, so the last one
//! counts what is left. A spec that fails on many cells is one annotation.

use std::fmt::Write as _;

use kcluster_matrix::outcome::Suite;

use crate::across::{Across, SpecView};
use crate::text::{cap, one_line, xml_text};

/// What GitHub shows of each kind.
const MOST: usize = 10;

/// At most this much of a reason.
const MOST_BYTES: usize = 2 << 10;

/// Annotations for what failed and what was flaky in `suites`.
#[must_use]
pub fn render(suites: &[Suite]) -> String {
    let across = Across::new(suites);
    let mut out = String::new();
    let bad: Vec<String> = across
        .bad()
        .into_iter()
        .map(|spec| command("error", &title(&across, spec), &reason(spec)))
        .collect();
    listed(&mut out, "error", &bad);
    let flaky: Vec<String> = across
        .specs
        .iter()
        .filter(|spec| spec.is_flaky())
        .map(|spec| {
            let title = format!("flaky: {}", spec.name);
            command("warning", &title, "It passed only when tried again.")
        })
        .collect();
    listed(&mut out, "warning", &flaky);
    out
}

fn listed(out: &mut String, kind: &str, commands: &[String]) {
    let shown = if commands.len() > MOST {
        MOST - 1
    } else {
        MOST
    };
    for command in commands.iter().take(shown) {
        out.push_str(command);
    }
    if let Some(more @ 1..) = commands.len().checked_sub(shown) {
        let text = format!("{more} more are in the job's summary and in report.html.");
        out.push_str(&command(kind, &format!("and {more} more"), &text));
    }
}

fn title(across: &Across<'_>, spec: &SpecView<'_>) -> String {
    let mut title = spec.name.to_owned();
    let bad = || spec.runs.iter().filter(|run| run.is_bad());
    let words = across.pattern(spec).words();
    let cell = || {
        let cell = across.cells.get(bad().next()?.cell)?;
        Some(cell.name.to_owned())
    };
    if let Some(place) = words.or_else(cell) {
        let _ = write!(title, " ({place})");
    }
    title
}

fn reason(spec: &SpecView<'_>) -> String {
    let bad = spec.runs.iter().find(|run| run.is_bad());
    let message = bad.map_or("", |run| run.message());
    let message = if message.trim().is_empty() {
        "no reason was given"
    } else {
        message
    };
    cap(xml_text(message).trim(), MOST_BYTES).into_owned()
}

fn command(kind: &str, title: &str, text: &str) -> String {
    let title = one_line(&xml_text(title));
    let title = data(&title).replace(':', "%3A").replace(',', "%2C");
    format!("::{kind} title={title}::{}\n", data(text))
}

/// What would end a command, or begin another.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use kcluster_matrix::outcome::Outcome;
    use proptest::prelude::*;

    use super::*;
    use crate::across::tests::{case, failed, matrix, suite};

    #[test]
    fn a_spec_that_fails_on_many_cells_is_one_annotation() {
        let text = render(&matrix(|_, _, arch| arch == "s390x"));
        assert_eq!(text, "::error title=[sig-x] a (fails only on s390x)::no\n");
        let cases = vec![
            case("[sig-x] a: b, c", failed("100%\nno"), 1, ""),
            case("[sig-x] f", Outcome::Passed, 2, ""),
        ];
        insta::assert_snapshot!(render(&[suite("v1.36.3", "bridge", "amd64", cases)]), @r"
        ::error title=[sig-x] a%3A b%2C c (v1.36.3-bridge-amd64)::100%25%0Ano
        ::warning title=flaky%3A [sig-x] f::It passed only when tried again.
        ");
    }

    #[test]
    fn no_more_than_github_shows_and_the_rest_is_counted() {
        let render = |count: usize| {
            let cases = (0..count)
                .map(|n| case(&format!("[sig-x] {n}"), failed("no"), 1, ""))
                .collect();
            render(&[suite("v1.36.3", "bridge", "amd64", cases)])
        };
        assert_eq!(render(10).lines().count(), 10);
        assert!(!render(10).contains("more"));
        let many = render(30);
        assert_eq!(many.lines().count(), 10);
        assert!(many.contains("::error title=and 21 more::21 more are in"));
    }

    proptest! {
        #[test]
        fn nothing_that_a_spec_says_is_a_command(name in any::<String>(), message in any::<String>()) {
            let cases = vec![case(&name, failed(&message), 1, "")];
            let text = render(&[suite("v1.36.3", "bridge", "amd64", cases)]);
            prop_assert_eq!(text.lines().count(), 1);
            prop_assert!(text.starts_with("::error title="));
            prop_assert_eq!(text.matches("\n").count(), 1);
        }
    }
}
