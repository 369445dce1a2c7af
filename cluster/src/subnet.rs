//! Which addresses a new cluster's network takes.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Where clusters' networks come from: 256 of a /24 each.
fn range() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(10, 89, 0, 0), 16)
}

/// The first /24 of our range that shares no address with any of `taken`.
pub(crate) fn choose(taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    range().subnets(24).ok()?.find(|candidate| {
        !taken
            .iter()
            .any(|other| other.contains(candidate) || candidate.contains(other))
    })
}

/// The first /24 of our range, free or not.
pub(crate) fn first() -> Ipv4Net {
    Ipv4Net::new_assert(range().network(), 24)
}

/// The engine's own address on a network: the first one.
pub(crate) fn gateway(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.network()) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
        one.contains(other) || other.contains(one)
    }

    #[test]
    fn a_full_range_has_none_left() {
        assert_eq!(choose(&["10.0.0.0/8".parse().unwrap()]), None);
        assert_eq!(
            choose(&["172.17.0.0/16".parse().unwrap()]),
            Some("10.89.0.0/24".parse().unwrap())
        );
        assert_eq!(
            gateway("10.89.7.0/24".parse().unwrap()),
            Ipv4Addr::new(10, 89, 7, 1)
        );
    }

    proptest! {
        #[test]
        fn the_choice_overlaps_nothing_and_is_found_if_there_is_one(
            nets in proptest::collection::vec((0u8..=255, 0u8..=255, 18u8..=30), 0..40)
        ) {
            let taken: Vec<Ipv4Net> = nets
                .iter()
                .map(|(third, fourth, length)| {
                    Ipv4Net::new(Ipv4Addr::new(10, 89, *third, *fourth), *length).unwrap().trunc()
                })
                .collect();
            let free = range().subnets(24).unwrap().any(|c| !taken.iter().any(|t| overlap(t, &c)));
            match choose(&taken) {
                Some(choice) => {
                    prop_assert!(range().contains(&choice) && choice.prefix_len() == 24);
                    prop_assert!(!taken.iter().any(|t| overlap(t, &choice)));
                }
                None => prop_assert!(!free),
            }
        }
    }
}
