//! How this machine reaches a cluster's API server: as it is published, or through a
//! tunnel that the cluster's folder knows of until the cluster is gone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::engine::{ApiReach, tunnel};
use crate::error::ClusterError;
use crate::state::ClusterDir;

/// Makes what is published reachable; what comes back is the URL for a client.
pub(crate) async fn open(
    dir: &ClusterDir,
    reach: &ApiReach,
    published: (IpAddr, u16),
) -> Result<String, ClusterError> {
    let (address, port) = published;
    let near = match reach {
        ApiReach::Local if address.is_unspecified() => at(Ipv4Addr::LOCALHOST.into(), port),
        ApiReach::Local => at(address, port),
        ApiReach::Host(host) => match host.parse() {
            Ok(address) => at(address, port),
            Err(_) => format!("{host}:{port}"),
        },
        ApiReach::Tunnel(target) => {
            close(dir).await?;
            let log = dir.path().join("tunnel.log");
            let tunnel = tunnel::open(target, port, &log).await?;
            dir.write_tunnel(&tunnel)?;
            at(Ipv4Addr::LOCALHOST.into(), tunnel.port)
        }
    };
    Ok(format!("https://{near}"))
}

fn at(address: IpAddr, port: u16) -> String {
    SocketAddr::new(address, port).to_string()
}

/// Whether a client gets through, as far as it depends on this machine.
pub(crate) fn stands(dir: &ClusterDir, reach: &ApiReach) -> bool {
    match (reach, dir.tunnel()) {
        (ApiReach::Tunnel(_), Ok(Some(tunnel))) => tunnel::is_open(tunnel),
        (ApiReach::Tunnel(_), _) => false,
        (ApiReach::Local | ApiReach::Host(_), _) => true,
    }
}

/// Ends the tunnel, if there is one.
pub(crate) async fn close(dir: &ClusterDir) -> Result<(), ClusterError> {
    // What cannot be read names no process to end.
    if let Ok(Some(tunnel)) = dir.tunnel() {
        tunnel::close(tunnel).await?;
    }
    Ok(())
}

/// Removes all that is remembered of a cluster, its tunnel included.
pub(crate) async fn forget(dir: &ClusterDir) -> Result<(), ClusterError> {
    close(dir).await?;
    Ok(dir.remove()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;

    #[tokio::test]
    async fn clients_use_the_name_they_know_the_engine_by() {
        let dir = StateDir::new("/nonexistent").cluster(&"a".parse().unwrap());
        let any: IpAddr = "0.0.0.0".parse().unwrap();
        let near: IpAddr = "127.0.0.1".parse().unwrap();
        let host = |name: &str| ApiReach::Host(name.to_owned());
        for (reach, address, url) in [
            (ApiReach::Local, near, "https://127.0.0.1:40001"),
            (ApiReach::Local, any, "https://127.0.0.1:40001"),
            (host("build.example"), any, "https://build.example:40001"),
            (host("2001:db8::1"), any, "https://[2001:db8::1]:40001"),
        ] {
            assert_eq!(open(&dir, &reach, (address, 40001)).await.unwrap(), url);
            assert!(stands(&dir, &reach));
        }
    }
}
