//! "Did you mean": the nearest known word to one that is not known.

use thiserror::Error;

/// The candidate nearest to `word`, if one is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A word that is not one of the known values of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown {kind} `{value}`{}; known: {}", self.hint(), self.known.join(", "))]
pub struct UnknownValue {
    /// What the word should have named, such as "architecture".
    pub kind: &'static str,
    /// The word as given.
    pub value: String,
    /// All words that would have been right.
    pub known: Vec<String>,
}

impl UnknownValue {
    /// An error for `value`, which is none of `known`.
    pub fn new<S: Into<String>>(
        kind: &'static str,
        value: &str,
        known: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            kind,
            value: value.to_owned(),
            known: known.into_iter().map(Into::into).collect(),
        }
    }

    fn hint(&self) -> String {
        nearest(&self.value, self.known.iter().map(String::as_str))
            .map(|near| format!(", did you mean `{near}`?"))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["bridge", "flannel", "none"];
        assert_eq!(nearest("brigde", known), Some("bridge"));
        assert_eq!(nearest("Flanel", known), Some("flannel"));
        assert_eq!(nearest("weave", known), None);
    }
}
