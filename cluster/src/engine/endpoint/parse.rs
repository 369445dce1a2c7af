//! Endpoints out of text.

use std::path::PathBuf;

use super::{DEFAULT_SOCKET, Endpoint, SshTarget};

pub(super) fn parse(text: &str) -> Result<Endpoint, &'static str> {
    if text.starts_with('/') {
        return Ok(Endpoint::Unix(text.into()));
    }
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(rest.into())),
        "unix" => Err("the socket's path is not absolute"),
        "tcp" => {
            let (rest, certs) = option(rest, "certs")?;
            let (host, port) = host_and_port(rest.trim_end_matches('/'))?;
            let usual = if certs.is_some() { 2376 } else { 2375 };
            Ok(Endpoint::Tcp {
                host,
                port: port.unwrap_or(usual),
                certs,
            })
        }
        "ssh" => {
            let (rest, config) = option(rest, "config")?;
            let (authority, socket) = match rest.find('/') {
                Some(at) if at + 1 < rest.len() => (&rest[..at], &rest[at..]),
                _ => (rest.trim_end_matches('/'), DEFAULT_SOCKET),
            };
            let (user, place) = match authority.rsplit_once('@') {
                Some((user, place)) => (Some(user.to_owned()), place),
                None => (None, authority),
            };
            if user.as_deref().is_some_and(|user| !is_word(user)) {
                return Err("the user's name has a character no user name has");
            }
            let (host, port) = host_and_port(place)?;
            Ok(Endpoint::Ssh(SshTarget {
                user,
                host,
                port,
                socket: socket.into(),
                config,
            }))
        }
        _ => Err("its scheme is none of unix, tcp and ssh"),
    }
}

/// Takes `?key=/path` off the end.
fn option<'a>(rest: &'a str, key: &str) -> Result<(&'a str, Option<PathBuf>), &'static str> {
    let Some((rest, query)) = rest.split_once('?') else {
        return Ok((rest, None));
    };
    match query.split_once('=') {
        Some((found, path)) if found == key && path.starts_with('/') => {
            Ok((rest, Some(path.into())))
        }
        Some((found, _)) if found == key => Err("the path after `?` is not absolute"),
        _ => Err("only `?certs=/folder` (tcp) and `?config=/file` (ssh) are known"),
    }
}

fn host_and_port(place: &str) -> Result<(String, Option<u16>), &'static str> {
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err("its port is no number from 1 to 65535"),
    };
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("a `[` is not closed")?;
        host.parse::<std::net::Ipv6Addr>()
            .map_err(|_| "what is in brackets is no IPv6 address")?;
        match after.strip_prefix(':') {
            Some(text) => (host, port(text)?),
            None if after.is_empty() => (host, None),
            None => return Err("there is something after the address"),
        }
    } else {
        match place.split_once(':') {
            Some((host, text)) => (host, port(text)?),
            None => (place, None),
        }
    };
    // A host that begins with `-` would be an option to ssh.
    if host.contains(':') || is_word(host) {
        Ok((host.to_owned(), port))
    } else {
        Err("its host is missing or has a character no host name has")
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}
