//! Registries: images read from them, and written to them. The only place that knows the client library.
//!
//! Credentials are those that `docker login` keeps; they go into requests and nowhere else.

mod push;

use std::fmt;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

pub use push::push_index;

use crate::error::{Error, Result};
use crate::oci::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, Document, INDEX, MANIFEST};
use crate::verify::listed::{LayerRef, Listed};
use crate::verify::problem::Problem;

/// Indexes inside indexes, before giving up.
const DEPTH: usize = 3;

/// Configurations are far shorter.
const CONFIG: u64 = 8 << 20;

/// One image's place in a registry.
pub(crate) struct Registry {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
}

impl Registry {
    /// The place a reference names; nothing is asked yet.
    pub(crate) fn open(reference: &str) -> Result<Self> {
        let parsed: Reference = reference
            .parse()
            .map_err(|error| refused(reference, "read the reference", &error))?;
        let host = parsed.resolve_registry().to_owned();
        let protocol = if is_loopback(&host) {
            // As Docker does: nobody listens in between.
            ClientProtocol::HttpsExcept(vec![host.clone()])
        } else {
            ClientProtocol::Https
        };
        Ok(Self {
            client: Client::new(ClientConfig {
                protocol,
                // One request for each layer: its length is known.
                use_monolithic_push: true,
                user_agent: concat!("kcluster/", env!("CARGO_PKG_VERSION")),
                ..ClientConfig::default()
            }),
            auth: credentials(&host)?,
            reference: parsed,
        })
    }

    /// All images that the reference stands for.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>> {
        let (bytes, digest) = self.document(&self.reference).await?;
        let document = self.parse(&bytes, &digest)?;
        let mut listed = Vec::new();
        if !document.is_index() {
            listed.push(self.image(None, digest, &document).await?);
            return Ok(listed);
        }
        let mut left: Vec<(Descriptor, usize)> = document
            .manifests
            .into_iter()
            .rev()
            .map(|one| (one, 1))
            .collect();
        while let Some((descriptor, depth)) = left.pop() {
            if descriptor.is_attestation() {
                continue;
            }
            let place = self.reference.clone_with_digest(descriptor.digest.clone());
            let (bytes, _) = self.document(&place).await?;
            let document = self.parse(&bytes, &descriptor.digest)?;
            if document.is_index() {
                if depth > DEPTH {
                    return Err(Error::malformed(
                        place.whole(),
                        "indexes are nested too deep",
                    ));
                }
                left.extend(
                    document
                        .manifests
                        .into_iter()
                        .rev()
                        .map(|one| (one, depth + 1)),
                );
            } else {
                listed.push(
                    self.image(Some(&descriptor), descriptor.digest.clone(), &document)
                        .await?,
                );
            }
        }
        Ok(listed)
    }

    async fn image(
        &self,
        descriptor: Option<&Descriptor>,
        digest: String,
        document: &Document,
    ) -> Result<Listed> {
        let config = match &document.config {
            None => Err(Problem::Damaged {
                what: digest.clone(),
                why: "the manifest names no configuration".to_owned(),
            }),
            Some(config) if config.size > CONFIG => Err(Problem::Damaged {
                what: config.digest.clone(),
                why: format!("{} bytes are too many", config.size),
            }),
            Some(config) => {
                let mut bytes = Vec::new();
                match self
                    .client
                    .pull_blob(&self.reference, config.digest.as_str(), &mut bytes)
                    .await
                {
                    Ok(()) => Ok(bytes),
                    Err(OciDistributionError::DigestError(error)) => Err(Problem::Damaged {
                        what: config.digest.clone(),
                        why: error.to_string(),
                    }),
                    Err(error) => return Err(self.failed("fetch a configuration", &error)),
                }
            }
        };
        Ok(Listed {
            declared: descriptor.and_then(|descriptor| descriptor.platform.clone()),
            digest,
            config,
            layers: document
                .layers
                .iter()
                .map(|layer| LayerRef::Blob {
                    digest: layer.digest.clone(),
                    size: layer.size,
                })
                .collect(),
        })
    }

    /// A layer, in a file that is gone when it is closed.
    pub(crate) async fn blob(&self, digest: &str, size: u64) -> Result<std::fs::File> {
        let file = tempfile::tempfile()?;
        let copy = file.try_clone()?;
        let out = tokio::fs::File::from_std(copy);
        match self.client.pull_blob(&self.reference, digest, out).await {
            Ok(()) => {}
            Err(OciDistributionError::DigestError(DigestError::VerificationError {
                expected,
                actual,
            })) => {
                return Err(Error::Digest {
                    what: format!("a layer of {} ({size} bytes)", self.reference.whole()),
                    found: actual,
                    wanted: expected,
                });
            }
            Err(error) => return Err(self.failed(&format!("fetch the layer {digest}"), &error)),
        }
        let mut file = file;
        std::io::Seek::rewind(&mut file)?;
        Ok(file)
    }

    async fn document(&self, place: &Reference) -> Result<(Vec<u8>, String)> {
        self.client
            .pull_manifest_raw(
                place,
                &self.auth,
                &[INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST],
            )
            .await
            .map(|(bytes, digest)| (bytes.to_vec(), digest))
            .map_err(|error| self.failed("fetch a manifest", &error))
    }

    fn parse(&self, bytes: &[u8], digest: &str) -> Result<Document> {
        Document::read(bytes).map_err(|why| {
            Error::malformed(
                format!("the manifest {digest} of {}", self.reference.whole()),
                why,
            )
        })
    }

    fn failed(&self, what: &str, error: &OciDistributionError) -> Error {
        refused(&self.reference.whole(), what, &Words(error))
    }
}

fn refused(reference: &str, what: &str, error: &dyn fmt::Display) -> Error {
    Error::Registry {
        reference: reference.to_owned(),
        what: what.to_owned(),
        detail: error.to_string(),
    }
}

/// The client's errors without addresses: those of redirected downloads carry signatures.
struct Words<'a>(&'a OciDistributionError);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            OciDistributionError::RequestError(error) => {
                let mut cause: &dyn std::error::Error = error;
                while let Some(deeper) = cause.source() {
                    cause = deeper;
                }
                if error.is_connect() {
                    write!(f, "no connection: {cause}")
                } else if error.is_timeout() {
                    f.write_str("it takes too long")
                } else {
                    write!(f, "the connection broke: {cause}")
                }
            }
            OciDistributionError::RegistryError { envelope, .. } => write!(f, "{envelope}"),
            OciDistributionError::ServerError { code, message, .. } => {
                write!(f, "the registry answers {code}: {message}")
            }
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => {
                f.write_str("the registry does not let us: `docker login` first")
            }
            other => write!(f, "{other}"),
        }
    }
}

/// Whether a registry is on this machine, by the host in front of its port.
fn is_loopback(registry: &str) -> bool {
    let host = registry
        .rsplit_once(':')
        .map_or(registry, |(host, _)| host)
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// User and password that `docker login` left for a registry; none if there are none.
///
/// # Errors
/// When what it left cannot be read, or is no password.
pub fn login(host: &str) -> Result<Option<(String, String)>> {
    match credentials(host)? {
        RegistryAuth::Basic(user, password) => Ok(Some((user, password))),
        RegistryAuth::Anonymous => Ok(None),
        RegistryAuth::Bearer(_) => Err(refused(
            host,
            "read the credentials of `docker login`",
            &"it left a token, and nodes take a user and a password",
        )),
    }
}

/// What `docker login` left for that registry.
fn credentials(host: &str) -> Result<RegistryAuth> {
    use docker_credential::{CredentialRetrievalError as Absent, DockerCredential};
    // Docker Hub's entry has kept the name of its first address.
    let name = if host == "index.docker.io" || host == "docker.io" {
        "https://index.docker.io/v1/"
    } else {
        host
    };
    match docker_credential::get_credential(name) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(RegistryAuth::Basic(user, password))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Bearer(token)),
        Err(Absent::ConfigNotFound | Absent::ConfigReadError | Absent::NoCredentialConfigured) => {
            Ok(RegistryAuth::Anonymous)
        }
        // What a helper printed may be the secret itself.
        Err(Absent::HelperFailure { helper, .. }) => {
            tracing::debug!(helper, "no credentials from the helper");
            Ok(RegistryAuth::Anonymous)
        }
        Err(error) => Err(refused(
            host,
            "read the credentials of `docker login`",
            &error,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for near in [
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "localhost",
        ] {
            assert!(is_loopback(near), "{near}");
        }
        for far in [
            "registry.invalid",
            "localhost.invalid:5000",
            "10.0.0.1:5000",
        ] {
            assert!(!is_loopback(far), "{far}");
        }
    }

    #[tokio::test]
    async fn a_registry_that_is_not_there_is_told_without_its_address_in_full() {
        // Nothing listens on the discard port.
        let registry = Registry::open("127.0.0.1:9/some/image:tag").unwrap();
        let error = registry.list().await.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:9/some/image:tag"), "{error}");
        assert!(error.contains("no connection"), "{error}");
        assert!(Registry::open("Not A Reference").is_err());
    }
}
