//! Certificates for one test, made when it runs.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// A certificate authority that nobody but this test trusts.
///
/// # Panics
///
/// Its methods panic when a certificate cannot be made, which has no cause outside of this file.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its private key, as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new authority, with a key of its own.
    #[expect(clippy::new_without_default, reason = "two of them are not equal")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, new_key()).expect("a CA needs no more than this"))
    }

    /// The authority's certificate, for clients that are to trust it, as PEM.
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a client to show to a server that asks for one.
    pub fn client(&self) -> Identity {
        let (certificate, key) = self.issue(&[], ExtendedKeyUsagePurpose::ClientAuth);
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// What a server of one's own needs to speak TLS as `localhost`, and to agree to these protocols (ALPN); to none of
    /// them, if there are none.
    pub fn acceptor(&self, alpn: &[&str]) -> tokio_rustls::TlsAcceptor {
        let mut config = ServerConfig::clone(&self.server(&["localhost"], false));
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config).into()
    }

    /// The configuration of a server: a certificate for `names`, and the authority itself where
    /// clients have to show a certificate.
    pub(crate) fn server(&self, names: &[&str], clients_certified: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ClientCertVerifier> = if clients_certified {
            let mut roots = RootCertStore::empty();
            roots.add(self.0.der().clone()).expect("it is a CA's certificate");
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
            verifier.build().expect("there is a root")
        } else {
            Arc::new(NoClientAuth)
        };
        let (certificate, key) = self.issue(names, ExtendedKeyUsagePurpose::ServerAuth);
        let certificate: CertificateDer<'static> = certificate.into();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key)
            .expect("the key is the certificate's");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    fn issue(&self, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names and addresses in ASCII");
        params.extended_key_usages = vec![purpose];
        let key = new_key();
        let certificate = params.signed_by(&key, &self.0).expect("the CA may sign");
        (certificate, key)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system has random bytes")
}
