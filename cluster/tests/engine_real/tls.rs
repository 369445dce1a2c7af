//! An engine on TCP, with TLS and both sides' certificates checked.

use std::path::Path;

use kcluster_cluster::engine::{Endpoint, EngineError, ExecSpec, connect};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

use crate::support::{Corner, Dockerd, free_port, needs};

/// An authority, and a folder as the docker command wants it.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Writes `ca.pem`, `cert.pem` and `key.pem`.
    fn issue(&self, folder: &Path, usage: ExtendedKeyUsagePurpose) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::create_dir_all(folder).unwrap();
        for (name, pem) in [
            ("ca.pem", self.0.pem()),
            ("cert.pem", certificate.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(folder.join(name), pem).unwrap();
        }
    }
}

#[tokio::test]
async fn an_engine_is_used_through_tls_and_strangers_are_not_let_in() {
    needs!("dockerd");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let authority = Authority::new();
    authority.issue(&at("server"), ExtendedKeyUsagePurpose::ServerAuth);
    authority.issue(&at("client"), ExtendedKeyUsagePurpose::ClientAuth);
    Authority::new().issue(&at("stranger"), ExtendedKeyUsagePurpose::ClientAuth);
    let port = free_port();
    let file =
        |option: &str, name: &str| format!("--{option}={}", at("server").join(name).display());
    let dockerd = Dockerd::in_host_network(&[
        "-H".to_owned(),
        format!("tcp://127.0.0.1:{port}"),
        "--tlsverify".to_owned(),
        file("tlscacert", "ca.pem"),
        file("tlscert", "cert.pem"),
        file("tlskey", "key.pem"),
    ]);
    let endpoint = |certs: &str| -> Endpoint {
        let text = format!("tcp://127.0.0.1:{port}?certs={}", at(certs).display());
        text.parse().unwrap()
    };
    let engine = connect(&endpoint("client")).await.unwrap();
    let info = engine.info().await.unwrap();
    assert_eq!(info.endpoint, endpoint("client").to_string());

    // Streams both ways: an image in, a command's input to its end, and files.
    if let Some(corner) = Corner::of(engine).await {
        let node = corner.started(0).await;
        let spec = ExecSpec {
            stdin: Some(b"through TLS\n".repeat(50_000)),
            ..ExecSpec::new(["sh", "-c", "cat | wc -l"])
        };
        let output = corner.engine.exec(&node, spec, None).await.unwrap();
        assert_eq!(output.stdout.trim(), "50000");
        corner.clear().await;
    }

    let stranger = connect(&endpoint("stranger")).await.err().unwrap();
    assert!(
        matches!(stranger, EngineError::Unreachable { .. }),
        "{stranger}"
    );
    let missing = connect(&endpoint("nowhere"))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        missing.contains("ca.pem") && missing.contains("must hold"),
        "{missing}"
    );
    let plain: Endpoint = format!("tcp://127.0.0.1:{port}").parse().unwrap();
    let plain = connect(&plain).await.err().unwrap();
    assert!(plain.to_string().contains("HTTPS"), "{plain}");
    drop(dockerd);
}
