//! What may have been meant by a selection that matches no spec.

use std::collections::BTreeSet;

use kcluster_matrix::suggest::nearest;

use super::Spec;
use crate::selection::{Selection, Which};

/// A hint for an error, beginning with a semicolon, or nothing.
pub(super) fn hint(all: &[Spec], selection: &Selection) -> String {
    let Some(part) = &selection.substring else {
        return "; `--label-filter` and `--focus` decide, see `e2e.test --list-labels`".to_owned();
    };
    let conformance: Vec<&Spec> = all
        .iter()
        .filter(|spec| spec.labels.iter().any(|label| label == "Conformance"))
        .collect();

    let elsewhere = |keep: &dyn Fn(&Spec) -> bool| {
        all.iter()
            .filter(|spec| spec.name.contains(part) && keep(spec))
            .count()
    };
    let serial = elsewhere(&|spec| spec.is_serial() && is_conformance(spec));
    let parallel = elsewhere(&|spec| !spec.is_serial() && is_conformance(spec));
    let others = elsewhere(&|spec| !is_conformance(spec));
    match selection.which {
        Which::Parallel if serial > 0 => {
            return format!("; {serial} serial ones do: run them with `e2e-serial`");
        }
        Which::Serial if parallel > 0 => {
            return format!("; {parallel} that are not serial do: run them with `e2e`");
        }
        _ if others > 0 => {
            return format!(
                "; {others} outside of conformance do: select them with `--label-filter`"
            );
        }
        _ => {}
    }

    let lower = part.to_lowercase();
    let corrected = match conformance
        .iter()
        .find_map(|spec| same_but_for_case(&spec.name, &lower))
    {
        Some(found) => Some(found),
        None => correct(part, &conformance),
    };
    let Some(corrected) = corrected else {
        return "; names are matched literally and as a whole, see `--dry-run` for all of them"
            .to_owned();
    };
    let matches: Vec<&&Spec> = conformance
        .iter()
        .filter(|spec| spec.name.contains(&corrected))
        .collect();
    match matches.first() {
        Some(example) => format!(
            "; did you mean `{corrected}`? {} match it, such as `{}`",
            matches.len(),
            example.name
        ),
        None => String::new(),
    }
}

fn is_conformance(spec: &Spec) -> bool {
    spec.labels.iter().any(|label| label == "Conformance")
}

/// The part of `name` that is `lower` in other case.
fn same_but_for_case(name: &str, lower: &str) -> Option<String> {
    let at = name.to_lowercase().find(lower)?;
    name.get(at..at + lower.len()).map(str::to_owned)
}

/// `part` with each word replaced by the nearest word of any name, if some name then contains it.
fn correct(part: &str, specs: &[&Spec]) -> Option<String> {
    let vocabulary: BTreeSet<&str> = specs
        .iter()
        .flat_map(|spec| spec.name.split_whitespace())
        .collect();
    let corrected = part
        .split_whitespace()
        .map(|word| nearest(word, vocabulary.iter().copied()))
        .collect::<Option<Vec<_>>>()?
        .join(" ");
    let found = specs.iter().any(|spec| spec.name.contains(&corrected));
    found.then_some(corrected)
}
