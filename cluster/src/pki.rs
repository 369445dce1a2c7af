//! The cluster's certificate authority, made before anything runs, and what it signs.
//!
//! Because every node knows it from the start, joins need no discovery of it.
//! kubeadm signs with it what is not there already.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

use crate::archive::File;

/// Where kubeadm has certificates and keys.
pub(crate) const FOLDER: &str = "/etc/kubernetes/pki";
/// As long as kubeadm's.
const VALID: Duration = Duration::days(365);

/// A certificate and its key, both PEM.
pub(crate) struct Authority {
    /// The certificate.
    pub(crate) certificate: String,
    /// Its private key; goes to control planes only.
    pub(crate) key: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(…)")
    }
}

impl Authority {
    /// Both as files, by their path without `.crt` and `.key`.
    pub(crate) fn files(&self, path: &str) -> [File; 2] {
        [
            File::public(format!("{path}.crt"), self.certificate.as_str()),
            File::secret(format!("{path}.key"), self.key.as_str()),
        ]
    }
}

/// What kubeadm would copy from one control plane to the next.
pub(crate) struct Shared {
    /// Signs the certificates of etcd's members.
    pub(crate) etcd: Authority,
    /// Signs for the API server's own extension servers.
    pub(crate) front_proxy: Authority,
    /// Signs the tokens of service accounts: public and private key.
    pub(crate) accounts: (String, String),
}

/// All that control planes share beside the cluster's authority.
pub(crate) fn shared() -> Result<Shared, rcgen::Error> {
    let accounts = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok(Shared {
        etcd: authority("etcd-ca")?,
        front_proxy: authority("front-proxy-ca")?,
        accounts: (accounts.public_key_pem(), accounts.serialize_pem()),
    })
}

/// A new authority, valid for ten years, and since an hour ago for clocks that are late.
pub(crate) fn authority(name: &str) -> Result<Authority, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyCertSign,
    ];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::HOUR;
    params.not_after = now + Duration::days(3650);
    let certificate = params.self_signed(&key)?;
    Ok(Authority {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// A certificate and its key, signed by `authority`.
pub(crate) fn issue(
    authority: &Authority,
    user: &str,
    group: Option<&str>,
    names: &[String],
    uses: &[ExtendedKeyUsagePurpose],
) -> Result<Authority, rcgen::Error> {
    let signer = KeyPair::from_pem(&authority.key)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, signer)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.distinguished_name.push(DnType::CommonName, user);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.extended_key_usages = uses.to_vec();
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::HOUR;
    params.not_after = now + VALID;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Authority {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_authority_is_its_own_and_can_sign() {
        let (one, other) = (authority("a").unwrap(), authority("a").unwrap());
        assert_ne!(one.certificate, other.certificate);
        let key = KeyPair::from_pem(&one.key).unwrap();
        let issuer = rcgen::Issuer::from_ca_cert_pem(&one.certificate, key).unwrap();
        assert!(issuer.key_usages().contains(&KeyUsagePurpose::KeyCertSign));
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
