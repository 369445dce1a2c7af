//! How long specs took earlier: what ships with kcluster, and over it what this machine has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8Path;
use kcluster_matrix::fnv::Fnv;
use kcluster_matrix::outcome::Case;
use kcluster_matrix::plan::SuiteCost;
use kcluster_matrix::shard::{Load, Shard, assign};

use crate::error::E2eError;
use crate::list::SpecList;

/// Seconds and name, one spec a line; measured on 2 cores with 14 processes.
const SHIPPED: &str = include_str!("../data/durations.tsv");

/// Recorded durations by the full names of specs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Durations(BTreeMap<String, Duration>);

impl Durations {
    /// The table that ships with kcluster.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse(SHIPPED)
    }

    /// The shipped table with the history in `file` over it. A history that is not there or cannot be read is
    /// none: durations only decide who runs what, not what is true.
    #[must_use]
    pub fn with_history(file: &Utf8Path) -> Self {
        let mut table = Self::shipped();
        let history = fs_err::read_to_string(file).unwrap_or_default();
        table.0.extend(Self::parse(&history).0);
        table
    }

    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (seconds, name) = line.split_once('\t')?;
            let took = Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?;
            Some((name.to_owned(), took))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn to_text(&self) -> String {
        let lines = self.0.iter();
        lines
            .map(|(name, took)| format!("{:.1}\t{name}\n", took.as_secs_f64()))
            .collect()
    }

    /// How long the spec of this name took.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Duration> {
        self.0.get(name).copied()
    }

    /// All of these one after the other; what was never timed is left out.
    #[must_use]
    pub fn sum(&self, list: &SpecList) -> Duration {
        let specs = list.specs.iter();
        specs.filter_map(|spec| self.of(&spec.name)).sum()
    }

    /// What specs cost whose names match one of `focus` and none of `skip`, as far as they were timed; those that
    /// run alone only where `alone`. An expression that Rust reads differently from Go counts as matching all.
    #[must_use]
    pub fn cost(&self, focus: &[String], skip: &[String], alone: bool) -> SuiteCost {
        let read = |texts: &[String]| -> Vec<regex::Regex> {
            texts
                .iter()
                .filter_map(|text| regex::Regex::new(text).ok())
                .collect()
        };
        let (wanted, unwanted) = (read(focus), read(skip));
        let meant = |name: &str| {
            (wanted.is_empty() || wanted.iter().any(|regex| regex.is_match(name)))
                && !unwanted.iter().any(|regex| regex.is_match(name))
                && (alone || !name.contains("[Serial]"))
        };
        let times: Vec<Duration> = self
            .0
            .iter()
            .filter(|(name, _)| name.contains("[Conformance]") && meant(name))
            .map(|(_, took)| *took)
            .collect();
        SuiteCost {
            work: times.iter().sum(),
            longest: times.iter().max().copied().unwrap_or_default(),
            specs: times.len(),
        }
    }

    /// The part of `list` that `shard` means.
    #[must_use]
    pub fn shard(&self, list: &SpecList, shard: Shard) -> SpecList {
        let loads: Vec<Load<'_>> = list
            .specs
            .iter()
            .map(|spec| Load {
                name: &spec.name,
                took: self.of(&spec.name),
                alone: spec.is_serial(),
            })
            .collect();
        let mut parts = assign(&loads, shard.count()).into_iter();
        list.only(|_| parts.next() == Some(shard.index()))
    }

    /// A short name for what decides the shards of `list`: machines that agree on it
    /// divide alike.
    #[must_use]
    pub fn fingerprint(&self, list: &SpecList) -> String {
        let mut hash = Fnv::default();
        for spec in &list.specs {
            hash.add(spec.name.as_bytes());
            let millis = self
                .of(&spec.name)
                .map_or(u128::MAX, |took| took.as_millis());
            hash.add(&millis.to_le_bytes());
        }
        hash.to_string()
    }

    /// Adds what `cases` took to the history in `file`; a spec that is known moves half the way, so that one
    /// slow day does not count for ever.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(file: &Utf8Path, cases: &[Case]) -> Result<(), E2eError> {
        let mut history = Self::parse(&fs_err::read_to_string(file).unwrap_or_default());
        // Whoever failed or was retried did not take its usual time.
        let usual = |case: &&Case| case.outcome.is_passed() && case.attempts == 1;
        for case in cases.iter().filter(usual) {
            let took = history
                .of(&case.name)
                .map_or(case.took, |old| (old + case.took) / 2);
            history.0.insert(case.name.clone(), took);
        }
        let write = || {
            let folder = file.parent().unwrap_or(Utf8Path::new("."));
            fs_err::create_dir_all(folder)?;
            let new = tempfile::NamedTempFile::new_in(folder)?;
            fs_err::write(new.path(), history.to_text())?;
            new.persist(file).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(E2eError::io(format!("cannot record durations in {file}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ginkgo::Report;
    use crate::selection::{Selection, Which};
    use kcluster_matrix::outcome::Outcome;

    fn list() -> SpecList {
        let report = Report::read(include_bytes!("../fixtures/list.json").as_slice()).unwrap();
        let selection = Selection {
            which: Which::All,
            ..Selection::default()
        };
        SpecList::from_report(&report, &selection).unwrap()
    }

    #[test]
    fn the_shipped_table_is_sound() {
        let table = Durations::shipped();
        assert_eq!(table.0.len(), SHIPPED.lines().count());
        assert!(table.0.len() > 200);
        assert!(table.0.keys().all(|name| name.starts_with("[sig-")));
        let all = table.cost(&[], &[], true);
        let some = table.cost(&["ConfigMap".to_owned()], &["binary".to_owned()], false);
        assert!(some.specs > 10 && some.specs < all.specs && some.work < all.work);
        assert_eq!(table.cost(&["no such spec".to_owned()], &[], true).specs, 0);
    }

    #[test]
    fn four_shards_of_the_shipped_table_take_about_as_long() {
        let table = Durations::shipped();
        let specs: Vec<(&str, Duration)> = (table.0.iter())
            .map(|(name, took)| (name.as_str(), *took))
            .collect();
        let loads: Vec<Load<'_>> = (specs.iter())
            .map(|(name, took)| Load {
                name,
                took: Some(*took),
                alone: name.contains("[Serial]"),
            })
            .collect();
        let mut sums = [0.0; 4];
        for ((_, took), part) in specs.iter().zip(assign(&loads, 4)) {
            sums[part - 1] += took.as_secs_f64();
        }
        let longest = sums.iter().copied().fold(0.0, f64::max);
        let shortest = sums.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(longest <= 1.2 * shortest, "{sums:?} seconds");
    }

    #[test]
    fn shards_are_the_list_and_agree_with_the_fingerprint() {
        let (list, table) = (list(), Durations::default());
        let mut names: Vec<String> = (1..=4)
            .flat_map(|index| {
                let shard = format!("{index}/4").parse().unwrap();
                table.shard(&list, shard).specs
            })
            .map(|spec| spec.name)
            .collect();
        names.sort();
        let all: Vec<String> = list.specs.iter().map(|spec| spec.name.clone()).collect();
        assert_eq!(names, all);
        let other = Durations::parse(&format!("9.5\t{}\n", all[0]));
        assert_eq!(
            table.fingerprint(&list),
            Durations::default().fingerprint(&list)
        );
        assert_ne!(table.fingerprint(&list), other.fingerprint(&list));
        assert_eq!(other.sum(&list), Duration::from_millis(9500));
    }

    #[test]
    fn history_is_over_the_shipped_table_and_moves_half_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path())
            .unwrap()
            .join("new/durations.tsv");
        let case = |name: &str, seconds, outcome, attempts| Case {
            name: name.into(),
            class: "sig-x".into(),
            took: Duration::from_secs(seconds),
            outcome,
            attempts,
            output: String::new(),
        };
        let failed = Outcome::Failed {
            message: "no".into(),
        };
        let record = |cases: &[Case]| Durations::record(&file, cases).unwrap();
        record(&[
            case("a", 10, Outcome::Passed, 1),
            case("flaky", 1, Outcome::Passed, 2),
            case("failed", 1, failed, 1),
        ]);
        record(&[case("a", 20, Outcome::Passed, 1)]);
        let table = Durations::with_history(&file);
        assert_eq!(table.of("a"), Some(Duration::from_secs(15)));
        assert_eq!((table.of("flaky"), table.of("failed")), (None, None));
        assert!(table.0.len() > 200);
        fs_err::write(&file, "nonsense\n-3\tb\n1.5\tc\n").unwrap();
        assert_eq!(
            Durations::with_history(&file).of("c"),
            Some(Duration::from_millis(1500))
        );
    }
}
