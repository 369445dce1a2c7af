//! The network plugins a cell can run with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::ip_family::IpFamily;
use crate::suggest::UnknownValue;

/// A container network interface (CNI) choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cni {
    /// A Linux bridge on each node, joined by routes between the nodes.
    Bridge,
    /// A point-to-point link for each pod, joined by routes between the nodes.
    Ptp,
    /// flannel: pods of different nodes reach each other through VXLAN.
    Flannel,
    /// flannel: it lays routes by way of the nodes' own addresses.
    #[serde(rename = "flannel-host-gw")]
    FlannelHostGw,
    /// Nothing: the user installs one; nodes stay NotReady until then.
    None,
}

impl Cni {
    /// Every choice, in the order help shows.
    pub const ALL: [Self; 5] = [
        Self::Bridge,
        Self::Ptp,
        Self::Flannel,
        Self::FlannelHostGw,
        Self::None,
    ];

    /// The name in configuration, flags and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Ptp => "ptp",
            Self::Flannel => "flannel",
            Self::FlannelHostGw => "flannel-host-gw",
            Self::None => "none",
        }
    }

    /// Why it cannot run on an architecture, if it cannot.
    #[must_use]
    pub fn lacks(self, arch: Arch) -> Option<String> {
        let built: &[Arch] = match self {
            Self::Bridge | Self::Ptp | Self::Flannel | Self::FlannelHostGw | Self::None => {
                &Arch::ALL
            }
        };
        (!built.contains(&arch)).then(|| format!("{self} is not made for {arch}"))
    }

    /// Why it cannot give pods addresses of a family, if it cannot.
    #[must_use]
    pub fn lacks_family(self, family: IpFamily) -> Option<String> {
        (self.is_flannel() && family != IpFamily::Ipv4)
            .then(|| format!("{self} gives pods IPv4 addresses only, and ip-family is {family}"))
    }

    /// Whether kcluster itself lays routes between the nodes' pod subnets.
    #[must_use]
    pub fn wants_routes(self) -> bool {
        matches!(self, Self::Bridge | Self::Ptp)
    }

    /// Whether kcluster gives each node its pod subnet, and pods a network.
    #[must_use]
    pub fn networked(self) -> bool {
        self != Self::None
    }

    /// Whether a flannel of ours runs on each node.
    #[must_use]
    pub fn is_flannel(self) -> bool {
        matches!(self, Self::Flannel | Self::FlannelHostGw)
    }
}

impl fmt::Display for Cni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Cni {
    type Err = UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|cni| cni.as_str() == text)
            .ok_or_else(|| UnknownValue::new("CNI", text, Self::ALL.map(Self::as_str)))
    }
}
