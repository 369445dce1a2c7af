//! Which images tests ask for, from their own list of them.

use std::collections::BTreeMap;

use crate::catalogue::{Standin, Tests};

/// References that the tests ask for, by what makes them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) images: BTreeMap<Standin, Vec<String>>,
    /// Those that no conformance spec runs.
    pub(super) unused: Vec<String>,
    /// Those that nothing here makes, though a test may run them.
    pub(super) unknown: Vec<String>,
}

impl Wanted {
    /// Picks from what `e2e.test --list-images` printed what is to be made; `there` is there already.
    pub(super) fn from_list(list: &str, tests: &Tests, there: &[String]) -> Self {
        let mut references: Vec<&str> = list
            .lines()
            .map(str::trim)
            .filter(|line| line.contains(':') && !there.iter().any(|known| known == line))
            .collect();
        references.sort_unstable();
        references.dedup();
        let mut wanted = Self::default();
        for reference in references {
            let name = reference.rsplit_once(':').map_or("", |(name, _)| name);
            let standin = tests
                .images
                .iter()
                .find_map(|(end, standin)| ends_with(name, end).then_some(*standin));
            if let Some(standin) = standin {
                let images = wanted.images.entry(standin).or_default();
                images.push(reference.to_owned());
            } else if tests.others.iter().any(|other| is_below(name, other)) {
                wanted.unused.push(reference.to_owned());
            } else {
                wanted.unknown.push(reference.to_owned());
            }
        }
        wanted
    }
}

/// Whether a name ends with these parts: `a/not-pause` does not end with `pause`.
fn ends_with(name: &str, end: &str) -> bool {
    name.strip_suffix(end)
        .is_some_and(|before| before.ends_with('/'))
}

fn is_below(name: &str, other: &str) -> bool {
    if other.ends_with('/') {
        name.contains(&format!("/{other}"))
    } else {
        ends_with(name, other)
    }
}

/// The tag of a reference.
pub(super) fn tag(reference: &str) -> &str {
    reference.rsplit_once(':').map_or("", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    fn wanted(list: &str, there: &[&str]) -> Wanted {
        let there: Vec<String> = there.iter().map(|text| (*text).to_owned()).collect();
        Wanted::from_list(list, &Catalogue::get().tests, &there)
    }

    #[test]
    fn images_are_chosen_by_name_whatever_their_tags() {
        let wanted = wanted(
            "registry.invalid/e2e-test-images/agnhost:2.63.0
registry.invalid/e2e-test-images/agnhost:2.55
other.invalid/k8s-authenticated-test/agnhost:2.6
registry.invalid/e2e-test-images/nginx:1.27-0
registry.invalid/pause:3.10.2
registry.invalid/pause:3.10.2
registry.invalid/pause:3.9
registry.invalid/e2e-test-images/volume/nfs:1.4
",
            &["registry.invalid/pause:3.9"],
        );
        assert_eq!(wanted.images[&Standin::Agnhost].len(), 2);
        assert!(
            wanted.images[&Standin::Agnhost]
                .iter()
                .all(|reference| reference.starts_with("registry.invalid"))
        );
        assert_eq!(
            wanted.images[&Standin::Pause],
            ["registry.invalid/pause:3.10.2"]
        );
        assert_eq!(wanted.images.len(), 3);
        assert!(wanted.unknown.is_empty(), "{:?}", wanted.unknown);
    }

    #[test]
    fn names_of_old_and_new_versions_lead_to_one_recipe() {
        let wanted = wanted(
            "r.invalid/e2e-test-images/jessie-dnsutils:1.7\nr.invalid/e2e-test-images/glibc-dns-testing:2.1.1\n",
            &[],
        );
        assert_eq!(wanted.images[&Standin::GlibcDns].len(), 2);
    }

    #[test]
    fn every_name_of_1_34_to_1_37_is_known() {
        // As `e2e.test --list-images` of these versions has them, with other registries.
        let names = include_str!("testdata/image-names.txt");
        let list: Vec<String> = names.lines().map(|name| format!("{name}:1")).collect();
        let wanted = wanted(&list.join("\n"), &[]);
        assert!(wanted.unknown.is_empty(), "{:?}", wanted.unknown);
        let made: usize = wanted.images.values().map(Vec::len).sum();
        assert_eq!(made, Catalogue::get().tests.images.len());
    }

    #[test]
    fn what_nothing_makes_is_told_of() {
        let unknown = [
            "r.invalid/e2e-test-images/brand-new:1.0",
            "r.invalid/not-pause:1",
        ];
        assert_eq!(wanted(&unknown.join("\n"), &[]).unknown, unknown);
    }
}
