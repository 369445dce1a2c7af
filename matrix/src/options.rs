//! What most clusters leave as it is, with the values that mean so.

use std::collections::BTreeMap;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::addon::Addon;
use crate::ip_family::IpFamily;
use crate::mirror::{Logins, Mirror};
use crate::node_settings::NodeSettings as Settings;
use crate::role::Role;
use crate::suggest::UnknownValue;
use crate::words::words;

pub use crate::node_settings::NodeSettings;

/// What the API server writes down of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audit {
    /// Nothing.
    #[default]
    None,
    /// Who asked for what, and how it ended.
    Metadata,
    /// What was sent, too.
    Request,
    /// What was sent and what was answered.
    RequestResponse,
}

words!(
    Audit,
    "audit level",
    None = "none",
    Metadata = "metadata",
    Request = "request",
    RequestResponse = "requestresponse"
);

impl Audit {
    /// The level's name in a policy; none if nothing is written.
    #[must_use]
    pub fn level(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Metadata => Some("Metadata"),
            Self::Request => Some("Request"),
            Self::RequestResponse => Some("RequestResponse"),
        }
    }
}

/// Whether pods may use the machine's swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Swap {
    /// They may not.
    #[default]
    None,
    /// Burstable pods may, in proportion to the memory they ask for.
    Limited,
}

words!(Swap, "swap behaviour", None = "none", Limited = "limited");

/// Settings beyond those that shape every cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterOptions {
    /// Control planes; several are behind a load balancer.
    pub control_planes: u8,
    /// Which addresses there are.
    pub ip_family: IpFamily,
    /// Where pods get their addresses of the sixth version; each node takes a /64 of it.
    pub pod_subnet6: Ipv6Net,
    /// Where Services get theirs.
    pub service_subnet6: Ipv6Net,
    /// What the API server writes down.
    pub audit: Audit,
    /// Whether pods may use swap.
    pub swap: Swap,
    /// Settings of single nodes: by `all`, by role, or by the part of a node's name after the
    /// cluster's. What is said of fewer nodes counts over what is said of more.
    pub per_node: BTreeMap<String, Settings>,
    /// What is installed once all is Ready, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addons: Vec<Addon>,
    /// Where images of a registry are asked for first, by the registry; `*` is those not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mirrors: BTreeMap<String, Vec<Mirror>>,
    /// Registries and mirrors that nodes get credentials for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
    /// The credentials themselves, never written down.
    #[serde(skip)]
    pub logins: Logins,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        let ten = |third: u16, length| {
            Ipv6Net::new_assert([0xfd00, 0x10, third, 0, 0, 0, 0, 0].into(), length)
        };
        Self {
            control_planes: 1,
            ip_family: IpFamily::default(),
            pod_subnet6: ten(0x244, 56),
            service_subnet6: ten(0x96, 112),
            audit: Audit::default(),
            swap: Swap::default(),
            per_node: BTreeMap::new(),
            addons: Vec::new(),
            mirrors: BTreeMap::new(),
            credentials: Vec::new(),
            logins: Logins::default(),
        }
    }
}

const ALL: &str = "all";

impl ClusterOptions {
    /// Whether each of the settings is for a node among `names`.
    pub(crate) fn check_nodes(&self, names: &[String]) -> Result<(), UnknownValue> {
        let roles = [Role::ControlPlane, Role::Worker].map(Role::as_str);
        let known: Vec<&str> = [ALL]
            .into_iter()
            .chain(roles)
            .chain(names.iter().map(String::as_str))
            .collect();
        match self
            .per_node
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            Some(name) => Err(UnknownValue::new("node", name, known.iter().copied())),
            None => Ok(()),
        }
    }

    /// All that is said of the node `short` of `role`.
    pub(crate) fn settings_of(&self, role: Role, short: &str) -> Settings {
        if role == Role::LoadBalancer {
            return self.per_node.get(short).cloned().unwrap_or_default();
        }
        let mut names = vec![ALL, role.as_str()];
        if short != role.as_str() {
            names.push(short);
        }
        names
            .into_iter()
            .filter_map(|name| self.per_node.get(name))
            .fold(Settings::default(), Settings::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_fewer_nodes_counts() {
        let labels = |pairs: &[(&str, &str)]| Settings {
            labels: pairs
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
            ..Settings::default()
        };
        let mut options = ClusterOptions::default();
        for (name, pairs) in [
            ("all", &[("a", "all"), ("b", "all"), ("c", "all")][..]),
            ("worker", &[("b", "worker"), ("c", "worker")]),
            ("worker-1", &[("c", "one")]),
        ] {
            options.per_node.insert(name.into(), labels(pairs));
        }
        let said = options.settings_of(Role::Worker, "worker-1").labels;
        let said: Vec<&str> = said.values().map(String::as_str).collect();
        assert_eq!(said, ["all", "worker", "one"]);
        let plane = options.settings_of(Role::ControlPlane, "control-plane");
        assert_eq!(plane, labels(&[("a", "all"), ("b", "all"), ("c", "all")]));
        assert_eq!(
            options.settings_of(Role::LoadBalancer, "load-balancer"),
            Settings::default()
        );
    }
}
