//! Text from outside as a page can hold it, and verdicts as a person reads them.

use kcluster_matrix::outcome::{Case, Outcome, Totals};

use crate::text::{one_line, xml_text};

/// One line that HTML shows as it is, also in an attribute.
pub(crate) fn escape(text: &str) -> String {
    marks(&one_line(&xml_text(text)))
}

/// Characters that mean something to HTML as what they are.
pub(super) fn marks(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The first lines that say something: Kubernetes' first line is often only how long it was tried.
pub(super) fn short(message: &str) -> String {
    let lines = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let text = lines.take(2).collect::<Vec<_>>().join(" · ");
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(240).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// The counts that are not zero.
pub(super) fn counts(totals: &Totals) -> String {
    let parts = [
        (totals.passed, "passed"),
        (totals.failed, "failed"),
        (totals.errored, "errored"),
        (totals.skipped, "skipped"),
        (totals.flaky, "flaky"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

/// A verdict as a sign and as a word, which is also its class.
pub(super) fn verdict(case: &Case) -> (&'static str, &'static str) {
    match &case.outcome {
        Outcome::Passed if case.is_flaky() => ("≈", "flaky"),
        Outcome::Passed => ("✓", "passed"),
        Outcome::Failed { .. } => ("✗", "failed"),
        Outcome::Errored { .. } => ("!", "errored"),
        Outcome::Skipped { .. } => ("–", "skipped"),
    }
}

/// A property's value as a person reads it.
pub(super) fn fact(name: &str, value: &str) -> String {
    match value.parse::<u64>() {
        Ok(bytes) if name.ends_with("-bytes") => crate::text::bytes(bytes),
        _ => value.to_owned(),
    }
}
