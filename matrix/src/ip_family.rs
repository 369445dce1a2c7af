//! Versions of the Internet protocol that a cluster speaks.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// Which addresses nodes, pods and Services have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpFamily {
    /// Of the fourth version.
    #[default]
    Ipv4,
    /// Of the sixth version.
    Ipv6,
    /// Of both, the fourth first.
    Dual,
}

words!(
    IpFamily,
    "IP family",
    Ipv4 = "ipv4",
    Ipv6 = "ipv6",
    Dual = "dual"
);

impl IpFamily {
    /// Whether there are addresses of the fourth version.
    #[must_use]
    pub fn has_4(self) -> bool {
        self != Self::Ipv6
    }

    /// Whether there are addresses of the sixth version.
    #[must_use]
    pub fn has_6(self) -> bool {
        self != Self::Ipv4
    }
}
