//! Which engine is meant when none is named: what the docker command would use.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::endpoint::{DEFAULT_SOCKET, Endpoint, EndpointError};

impl Endpoint {
    /// The endpoint `setting` names; without one, what the docker command's own
    /// environment and current context name; without those, the usual socket.
    ///
    /// # Errors
    /// When what is named is no endpoint, or an unsafe one.
    pub fn from_env_or(setting: Option<&str>) -> Result<Self, EndpointError> {
        discover(setting, |name| {
            std::env::var(name).ok().filter(|value| !value.is_empty())
        })
    }
}

fn discover(
    setting: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Endpoint, EndpointError> {
    let config = env("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| env("HOME").map(|home| Path::new(&home).join(".docker")));
    let named = setting.map(str::to_owned).or_else(|| env("DOCKER_HOST"));
    if let Some(text) = named {
        // Certificates the docker command would use, unless the text names its own.
        let certs = env("DOCKER_CERT_PATH")
            .map(PathBuf::from)
            .or_else(|| env("DOCKER_TLS_VERIFY").and(config));
        return with_certs(&text, certs)?.checked();
    }
    if let Some(config) = &config
        && let Some(name) = env("DOCKER_CONTEXT").or_else(|| current_context(config))
        && name != "default"
    {
        return from_context(config, &name)?.checked();
    }
    Ok(Endpoint::Unix(DEFAULT_SOCKET.into()))
}

/// Reads `text`; TCP without certificates of its own gets `certs`.
fn with_certs(text: &str, certs: Option<PathBuf>) -> Result<Endpoint, EndpointError> {
    let endpoint: Endpoint = text.parse()?;
    match (endpoint, certs) {
        (Endpoint::Tcp { certs: None, .. }, Some(certs)) => {
            format!("{}?certs={}", text.trim_end_matches('/'), certs.display()).parse()
        }
        (endpoint, _) => Ok(endpoint),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    name: String,
    endpoints: std::collections::BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetaEndpoint {
    host: Option<String>,
}

/// The docker command's current context; an unreadable file means none was chosen.
fn current_context(config: &Path) -> Option<String> {
    let text = fs_err::read_to_string(config.join("config.json")).ok()?;
    serde_json::from_str::<Config>(&text).ok()?.current_context
}

/// A context is a folder named by a hash; its `meta.json` tells the name.
fn from_context(config: &Path, name: &str) -> Result<Endpoint, EndpointError> {
    let failed = |reason: String| EndpointError::Context {
        name: name.to_owned(),
        reason,
    };
    let folders = fs_err::read_dir(config.join("contexts/meta"))
        .map_err(|error| failed(error.to_string()))?;
    for folder in folders.flatten() {
        let Ok(text) = fs_err::read_to_string(folder.path().join("meta.json")) else {
            continue;
        };
        let Ok(meta) = serde_json::from_str::<Meta>(&text) else {
            continue;
        };
        if meta.name != name {
            continue;
        }
        let host = meta
            .endpoints
            .get("docker")
            .and_then(|endpoint| endpoint.host.as_deref())
            .ok_or_else(|| failed("it names no engine".into()))?;
        let certs = config
            .join("contexts/tls")
            .join(folder.file_name())
            .join("docker");
        return with_certs(host, certs.is_dir().then_some(certs));
    }
    Err(failed("no such context is stored".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(setting: Option<&str>, env: &[(&str, &str)]) -> Result<String, EndpointError> {
        discover(setting, |name| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
        .map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn a_setting_wins_over_the_environment_and_that_over_the_usual_socket() {
        let env = [("DOCKER_HOST", "unix:///env.sock"), ("HOME", "/nowhere")];
        assert_eq!(found(Some("/set.sock"), &env).unwrap(), "unix:///set.sock");
        assert_eq!(found(None, &env).unwrap(), "unix:///env.sock");
        assert_eq!(
            found(None, &[("HOME", "/nowhere")]).unwrap(),
            "unix:///var/run/docker.sock"
        );
        assert_eq!(found(None, &[]).unwrap(), "unix:///var/run/docker.sock");
    }

    #[test]
    fn certificates_come_from_dockers_variables() {
        let host = ("DOCKER_HOST", "tcp://10.0.0.5");
        let verify = ("DOCKER_TLS_VERIFY", "1");
        assert!(matches!(
            found(None, &[host]),
            Err(EndpointError::PlainTcp(_))
        ));
        assert_eq!(
            found(None, &[host, ("DOCKER_CERT_PATH", "/c")]).unwrap(),
            "tcp://10.0.0.5:2376?certs=/c"
        );
        assert_eq!(
            found(None, &[host, verify, ("HOME", "/me")]).unwrap(),
            "tcp://10.0.0.5:2376?certs=/me/.docker"
        );
        assert_eq!(
            found(Some("tcp://h:1?certs=/own"), &[("DOCKER_CERT_PATH", "/c")]).unwrap(),
            "tcp://h:1?certs=/own"
        );
    }

    #[test]
    fn the_current_context_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder.path().join("contexts/meta/0123");
        fs_err::create_dir_all(&meta).unwrap();
        fs_err::create_dir_all(folder.path().join("contexts/tls/0123/docker")).unwrap();
        fs_err::write(
            folder.path().join("config.json"),
            r#"{"currentContext": "far", "auths": {}}"#,
        )
        .unwrap();
        let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
        let message = found(None, &env).unwrap_err().to_string();
        assert!(message.contains("`far`"), "{message}");
        fs_err::write(
            meta.join("meta.json"),
            r#"{"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": "tcp://10.0.0.5:2376", "SkipTLSVerify": false}}}"#,
        )
        .unwrap();
        assert_eq!(
            found(None, &env).unwrap(),
            format!(
                "tcp://10.0.0.5:2376?certs={}/contexts/tls/0123/docker",
                folder.path().display()
            )
        );
    }
}
