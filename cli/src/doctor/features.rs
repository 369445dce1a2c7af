//! The kernel features that nodes use.

/// A feature: what it is called as a file system or module, and its configuration symbol.
pub(super) struct Feature {
    pub(super) name: &'static str,
    pub(super) symbol: &'static str,
    pub(super) needed: bool,
}

pub(super) const FEATURES: &[Feature] = &[
    Feature {
        name: "overlay",
        symbol: "CONFIG_OVERLAY_FS",
        needed: true,
    },
    Feature {
        name: "veth",
        symbol: "CONFIG_VETH",
        needed: true,
    },
    Feature {
        name: "bridge",
        symbol: "CONFIG_BRIDGE",
        needed: true,
    },
    Feature {
        name: "nf_tables",
        symbol: "CONFIG_NF_TABLES",
        needed: true,
    },
    // Only pods that reach a Service's address from the same bridge need it.
    Feature {
        name: "br_netfilter",
        symbol: "CONFIG_BRIDGE_NETFILTER",
        needed: false,
    },
];
