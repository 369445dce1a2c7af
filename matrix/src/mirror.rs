//! Where images come from instead of their own registry, and who asks.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The address of a server that is asked instead of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mirror {
    /// `http` or `https`.
    pub scheme: String,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What stands between it and `/v2`; empty, or with a slash in front.
    pub path: String,
}

impl Mirror {
    /// Whether it is on the engine's own host.
    #[must_use]
    pub fn is_on_host(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Host and port, as credentials are kept by.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = match self.scheme.as_str() {
            "https" => 443,
            _ => 80,
        };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == usual {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)
    }
}

impl FromStr for Mirror {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What is wrong is told without the text: somebody may have put a password into it.
        let malformed = || {
            "a mirror is http:// or https://, a host, and a port if it is not the usual one"
                .to_owned()
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(malformed()),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err("a mirror's credentials are not written down: `docker login` keeps them, and registry-credentials names its host".to_owned());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(six) => {
                let (host, port) = six.split_once(']').ok_or_else(malformed)?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| malformed())?,
            None => usual,
        };
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~/%".contains(&byte);
        if host.is_empty() || !host.bytes().chain(path.bytes()).all(sound) {
            return Err(malformed());
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl From<Mirror> for String {
    fn from(mirror: Mirror) -> Self {
        mirror.to_string()
    }
}

impl TryFrom<String> for Mirror {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Who asks a registry. Never shown, and never part of what is written down.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or what stands for it.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

/// By the registry's host, and its port where that is not the usual one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logins(pub BTreeMap<String, Login>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_again() {
        for (text, authority, on_host) in [
            ("http://localhost:5000", "localhost:5000", true),
            ("http://127.0.0.2", "127.0.0.2", true),
            ("https://[::1]:5000", "[::1]:5000", true),
            ("https://mirror.invalid/cache", "mirror.invalid", false),
        ] {
            let mirror: Mirror = text.parse().unwrap();
            assert_eq!(mirror.to_string(), text);
            assert_eq!(mirror.authority(), authority);
            assert_eq!(mirror.is_on_host(), on_host, "{text}");
        }
        let usual: Mirror = "http://a.invalid:80/".parse().unwrap();
        assert_eq!(usual.to_string(), "http://a.invalid");
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for text in [
            "mirror:5000",
            "ftp://x",
            "http://",
            "http://x:port",
            "http://x\"y",
        ] {
            assert!(text.parse::<Mirror>().is_err(), "{text}");
        }
        let error = "http://me:secret@x".parse::<Mirror>().unwrap_err();
        assert!(
            error.contains("docker login") && !error.contains("secret"),
            "{error}"
        );
    }
}
