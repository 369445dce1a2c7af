//! Programs and keys that building node images takes.

use super::check::{Check, Finding};
use super::facts::Facts;
use super::fix::Fix;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "Go",
        probe: go,
    },
    Check {
        id: "mmdebstrap",
        probe: mmdebstrap,
    },
    Check {
        id: "Debian keys",
        probe: keyring,
    },
];

/// The oldest Go that starts; it fetches a newer one itself where allowed.
const GO: (u64, u64) = (1, 24);

fn go(facts: &Facts) -> Option<Finding> {
    let remedy =
        "node images are built with Go: install Go 1.26 or a newer one, and put it on PATH";
    let Some(version) = &facts.go else {
        return Some(Finding::blocking("not found", remedy));
    };
    let bare = version.trim_start_matches("go");
    let mut parts = bare.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().unwrap_or(0)
    });
    let known = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    Some(if known < GO {
        Finding::blocking(bare, remedy)
    } else {
        Finding::fine(bare)
    })
}

fn mmdebstrap(facts: &Facts) -> Option<Finding> {
    Some(if facts.mmdebstrap {
        Finding::fine("found")
    } else {
        let remedy = "node images start from Debian packages: `apt-get install mmdebstrap`";
        Finding::blocking("not found", remedy).fixed_by(Fix::Package("mmdebstrap"))
    })
}

fn keyring(facts: &Facts) -> Option<Finding> {
    Some(if facts.debian_keys {
        Finding::fine("trixie's are here")
    } else {
        let remedy = "packages are checked against them: `apt-get install debian-archive-keyring`";
        Finding::blocking("trixie's are missing", remedy)
            .fixed_by(Fix::Package("debian-archive-keyring"))
    })
}
