//! What can be asked of one node, in the short forms that people write.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Settings of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeSettings {
    /// Labels of the Node object.
    pub labels: BTreeMap<String, String>,
    /// Taints of the Node object, beside those that kubeadm gives.
    pub taints: Vec<Taint>,
    /// Folders or files of the engine's host.
    pub mounts: Vec<HostMount>,
    /// Ports of the engine's host that lead to the node.
    pub ports: Vec<PortMapping>,
    /// Processors it may use.
    pub cpus: Option<Cpus>,
    /// Memory it may use.
    pub memory: Option<Memory>,
}

impl NodeSettings {
    /// These, and over them `more`.
    #[must_use]
    pub fn with(mut self, more: &Self) -> Self {
        self.labels.extend(more.labels.clone());
        self.taints.extend(more.taints.clone());
        self.mounts.extend(more.mounts.clone());
        self.ports.extend(more.ports.clone());
        self.cpus = more.cpus.or(self.cpus);
        self.memory = more.memory.or(self.memory);
        self
    }
}

/// A text that is not of its form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {form}")]
pub struct FormError {
    text: String,
    form: &'static str,
}

macro_rules! texts {
    ($($type:ident, $form:literal;)+) => {$(
        impl FromStr for $type {
            type Err = FormError;

            fn from_str(text: &str) -> Result<Self, FormError> {
                Self::read(text).ok_or_else(|| FormError { text: text.to_owned(), form: $form })
            }
        }

        impl TryFrom<String> for $type {
            type Error = FormError;

            fn try_from(text: String) -> Result<Self, FormError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )+};
}

texts! {
    Taint, "KEY=VALUE:NoSchedule, KEY:NoExecute or KEY:PreferNoSchedule";
    HostMount, "HOST-PATH:NODE-PATH, HOST-PATH:NODE-PATH:ro or …:rw, both paths from the root";
    PortMapping, "HOST-PORT:NODE-PORT, ADDRESS:HOST-PORT:NODE-PORT, or with /udp at its end";
    Cpus, "a number of processors such as 1.5 or 1500m";
    Memory, "an amount of memory such as 2GiB or 512MiB";
}

/// What keeps pods off a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; none and empty are the same.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

impl Taint {
    const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

    fn read(text: &str) -> Option<Self> {
        let (head, effect) = text.rsplit_once(':')?;
        let (key, value) = head.split_once('=').unwrap_or((head, ""));
        (!key.is_empty() && Self::EFFECTS.contains(&effect)).then(|| Self {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        })
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equals = if self.value.is_empty() { "" } else { "=" };
        write!(f, "{}{equals}{}:{}", self.key, self.value, self.effect)
    }
}

/// A folder or file of the engine's host in a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostMount {
    /// Where it is on the host.
    pub host: String,
    /// Where it is in the node.
    pub node: String,
    /// Whether the node may only read it.
    pub read_only: bool,
}

impl HostMount {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (host, node) = (parts.next()?, parts.next()?);
        let read_only = match (parts.next(), parts.next()) {
            (None | Some("rw"), None) => false,
            (Some("ro"), None) => true,
            _ => return None,
        };
        (host.starts_with('/') && node.starts_with('/')).then(|| Self {
            host: host.to_owned(),
            node: node.to_owned(),
            read_only,
        })
    }
}

impl fmt::Display for HostMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.read_only { "ro" } else { "rw" };
        write!(f, "{}:{}:{mode}", self.host, self.node)
    }
}

/// A port of the engine's host that leads to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortMapping {
    /// Address on the host.
    pub address: IpAddr,
    /// Port on the host.
    pub host: u16,
    /// Port of the node.
    pub node: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl PortMapping {
    fn read(text: &str) -> Option<Self> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        if !["tcp", "udp", "sctp"].contains(&protocol) {
            return None;
        }
        let (head, node) = ports.rsplit_once(':')?;
        let (address, host) = match head.rsplit_once(':') {
            Some((address, host)) => {
                let address = address.trim_start_matches('[').trim_end_matches(']');
                (address.parse().ok()?, host)
            }
            None => (IpAddr::V4(Ipv4Addr::LOCALHOST), head),
        };
        Some(Self {
            address,
            host: host.parse().ok()?,
            node: node.parse().ok().filter(|port| *port != 0)?,
            protocol: protocol.to_owned(),
        })
    }
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            host,
            node,
            protocol,
        } = self;
        match address {
            IpAddr::V4(address) => write!(f, "{address}:{host}:{node}/{protocol}"),
            IpAddr::V6(address) => write!(f, "[{address}]:{host}:{node}/{protocol}"),
        }
    }
}

/// Processors, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpus(pub u32);

impl Cpus {
    fn read(text: &str) -> Option<Self> {
        let thousandths = match text.strip_suffix('m') {
            Some(number) => number.parse().ok()?,
            None => {
                let (whole, part) = text.split_once('.').unwrap_or((text, ""));
                if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                let part: u32 = format!("{part:0<3}").parse().ok()?;
                whole
                    .parse::<u32>()
                    .ok()?
                    .checked_mul(1000)?
                    .checked_add(part)?
            }
        };
        (thousandths > 0).then_some(Self(thousandths))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0)
    }
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memory(pub u64);

impl Memory {
    const UNITS: [(&str, u64); 4] = [
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("Gi", 1 << 30),
        ("Mi", 1 << 20),
    ];

    fn read(text: &str) -> Option<Self> {
        let found = Self::UNITS
            .into_iter()
            .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))?;
        let bytes = found
            .0
            .trim_end()
            .parse::<u64>()
            .ok()?
            .checked_mul(found.1)?;
        (bytes > 0).then_some(Self(bytes))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}MiB", self.0 >> 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same<T: FromStr<Err = FormError> + fmt::Display>(text: &str, shown: &str) {
        let value: T = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(value.to_string(), shown);
        assert_eq!(value.to_string().parse::<T>().unwrap().to_string(), shown);
    }

    #[test]
    fn short_forms_are_read_and_shown() {
        same::<Taint>("a=b:NoSchedule", "a=b:NoSchedule");
        same::<Taint>("x/a:NoExecute", "x/a:NoExecute");
        same::<HostMount>("/a:/b", "/a:/b:rw");
        same::<HostMount>("/a:/b:ro", "/a:/b:ro");
        same::<PortMapping>("8080:80", "127.0.0.1:8080:80/tcp");
        same::<PortMapping>("0.0.0.0:53:53/udp", "0.0.0.0:53:53/udp");
        same::<PortMapping>("[::1]:8080:80", "[::1]:8080:80/tcp");
        same::<Cpus>("1.5", "1500m");
        same::<Cpus>("2", "2000m");
        same::<Cpus>("250m", "250m");
        same::<Memory>("2GiB", "2048MiB");
        same::<Memory>("512Mi", "512MiB");
    }

    #[test]
    fn other_forms_are_refused_with_the_right_one() {
        assert!("a:Never".parse::<Taint>().is_err());
        assert!(":NoSchedule".parse::<Taint>().is_err());
        for bad in ["a:/b", "/a", "/a:/b:rx", "/a:/b:ro:x"] {
            assert!(bad.parse::<HostMount>().is_err(), "{bad}");
        }
        for bad in ["80", "80:0", "x:80:80", "80:80/icmp", "99999:80"] {
            assert!(bad.parse::<PortMapping>().is_err(), "{bad}");
        }
        for bad in ["0", "x", "1.2345", "-1", "9999999999"] {
            assert!(bad.parse::<Cpus>().is_err(), "{bad}");
        }
        let error = "2GB".parse::<Memory>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`2GB` is not an amount of memory such as 2GiB or 512MiB"
        );
    }
}
