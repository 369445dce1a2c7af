//! The cluster's certificate authority, made before anything runs.
//!
//! Because every node knows it from the start, joins need no discovery of it.
//! kubeadm signs all other certificates with it.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use time::{Duration, OffsetDateTime};

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
