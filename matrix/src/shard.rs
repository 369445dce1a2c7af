//! Dividing specs over machines, so that all end at about the same time.
//!
//! Each machine works the whole division out for itself and takes its own part, so the division depends on
//! nothing but the names, the weights and the number of parts, and not on the order they come in.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// One part of several, as `m/n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// A text that is no [`Shard`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a shard; write one like 2/4: the second of four")]
pub struct ShardError(String);

/// More parts than a matrix of GitHub's has jobs help nobody.
const MOST: usize = 256;

impl Shard {
    /// Which part, from 1.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// How many parts there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let error = || ShardError(text.to_owned());
        let (index, count) = text.split_once('/').ok_or_else(error)?;
        let number = |part: &str| part.parse::<usize>().map_err(|_| error());
        let (index, count) = (number(index)?, number(count)?);
        if (1..=count).contains(&index) && count <= MOST {
            Ok(Self { index, count })
        } else {
            Err(error())
        }
    }
}

/// Something to be done in one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load<'a> {
    /// Its name; different from all others.
    pub name: &'a str,
    /// How long it took earlier, if that is known.
    pub took: Option<Duration>,
    /// Whether it runs alone. What runs alone is spread first, lest one part has all of it.
    pub alone: bool,
}

/// For each of `loads`, the part (from 1) it belongs to.
///
/// Longest first, each to the part that has least so far. What has never been timed counts as
/// the median of what has.
#[must_use]
pub fn assign(loads: &[Load<'_>], count: usize) -> Vec<usize> {
    let unknown = median(loads.iter().filter_map(|load| load.took));
    let weight = |load: &Load<'_>| load.took.unwrap_or(unknown);
    let mut order: Vec<usize> = (0..loads.len()).collect();
    order.sort_by_key(|index| {
        let load = &loads[*index];
        (!load.alone, Reverse(weight(load)), load.name)
    });
    // Time, then how many: specs that take no time are spread too.
    let mut parts = vec![(Duration::ZERO, 0_usize); count.max(1)];
    let mut assigned = vec![1; loads.len()];
    for index in order {
        let least = (0..parts.len())
            .min_by_key(|part| parts[*part])
            .unwrap_or_default();
        parts[least].0 += weight(&loads[index]);
        parts[least].1 += 1;
        assigned[index] = least + 1;
    }
    assigned
}

/// The middle one; a second when there is none.
fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .copied()
        .unwrap_or(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shards_are_read_and_written_alike() {
        let shard: Shard = "2/4".parse().unwrap();
        assert_eq!((shard.index(), shard.count()), (2, 4));
        assert_eq!(shard.to_string(), "2/4");
        for bad in [
            "", "2", "/", "0/4", "5/4", "a/4", "1/", "-1/2", "1/0", "1/257",
        ] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }

    fn load(name: &str, seconds: Option<u64>, alone: bool) -> Load<'_> {
        Load {
            name,
            took: seconds.map(Duration::from_secs),
            alone,
        }
    }

    #[test]
    fn the_longest_come_first_and_what_runs_alone_before_all() {
        let loads = [
            load("a", Some(1), false),
            load("b", Some(9), false),
            load("c", Some(5), true),
            load("d", Some(4), true),
            load("e", None, false),
        ];
        // c | d, then b to d's part, the unknown one (5 s, the median) and a to c's.
        assert_eq!(assign(&loads, 2), [1, 2, 1, 2, 1]);
        assert_eq!(assign(&loads, 1), [1; 5]);
        assert_eq!(assign(&[], 3), Vec::<usize>::new());
    }

    /// Times as a conformance run has them: most are short, a few take minutes.
    fn realistic() -> impl Strategy<Value = Vec<(u64, bool)>> {
        let millis = prop_oneof![
            6 => 20_u64..3_000,
            6 => 2_000_u64..15_000,
            2 => 15_000_u64..60_000,
            1 => 60_000_u64..180_000,
        ];
        prop::collection::vec((millis, prop::bool::weighted(0.065)), 440..470)
    }

    proptest! {
        #[test]
        fn realistic_tables_are_divided_evenly(table in realistic(), count in 2_usize..9) {
            let names: Vec<String> = (0..table.len()).map(|n| n.to_string()).collect();
            let loads: Vec<Load<'_>> = table.iter().zip(&names)
                .map(|((millis, alone), name)| Load {
                    name, took: Some(Duration::from_millis(*millis)), alone: *alone,
                })
                .collect();
            let parts = assign(&loads, count);
            let mut sums = vec![Duration::ZERO; count];
            for (load, part) in loads.iter().zip(&parts) {
                sums[part - 1] += load.took.unwrap();
            }
            let (longest, shortest) = (sums.iter().max().unwrap(), sums.iter().min().unwrap());
            prop_assert!(longest.as_secs_f64() <= 1.2 * shortest.as_secs_f64(), "{sums:?}");
        }

        #[test]
        fn every_load_is_in_one_part_whatever_the_order(
            table in prop::collection::vec((prop::option::of(0_u64..200), any::<bool>()), 0..80),
            count in 1_usize..9,
            turn in 0_usize..80,
        ) {
            let names: Vec<String> = (0..table.len()).map(|n| n.to_string()).collect();
            let mut loads: Vec<Load<'_>> = table.iter().zip(&names)
                .map(|((seconds, alone), name)| load(name, *seconds, *alone))
                .collect();
            let parts = assign(&loads, count);
            prop_assert_eq!(parts.len(), loads.len());
            prop_assert!(parts.iter().all(|part| (1..=count).contains(part)));
            // No part is idle while another has two.
            let used = (1..=count).filter(|part| parts.contains(part)).count();
            prop_assert_eq!(used, count.min(loads.len()));
            let turn = turn % loads.len().max(1);
            loads.rotate_left(turn);
            let mut turned = parts.clone();
            turned.rotate_left(turn);
            prop_assert_eq!(assign(&loads, count), turned);
        }
    }
}
