//! Where nodes get images from, and who they say they are.

use kcluster_matrix::{Egress, Login, Logins};

use crate::config::Settings;
use crate::error::Told;

/// Refuses mirrors that nodes could not reach, and credentials that are not there.
pub(crate) fn check(settings: &Settings) -> Result<(), Told> {
    let mut mirrors = settings.registry_mirrors.0.values().flatten();
    let far = mirrors.find(|mirror| !mirror.is_on_host());
    if let Some(far) = far
        && settings.egress == Egress::Closed
    {
        return Err(Told::input(format!("egress is closed, so no node would reach the mirror {far}"))
            .help("a mirror on the engine's host, such as http://localhost:5000, is reached; or open it with --egress open"));
    }
    logins(settings).map(drop)
}

/// What `docker login` left for the registries that are named.
pub(crate) fn logins(settings: &Settings) -> Result<Logins, Told> {
    let mut logins = Logins::default();
    for host in &settings.registry_credentials.0 {
        let found = kcluster_images::login(host).map_err(|error| Told::input(error.to_string()))?;
        let Some((user, password)) = found else {
            return Err(Told::input(format!("there are no credentials for {host}"))
                .help(format!("`docker login {host}` keeps them")));
        };
        logins.0.insert(host.clone(), Login { user, password });
    }
    Ok(logins)
}
