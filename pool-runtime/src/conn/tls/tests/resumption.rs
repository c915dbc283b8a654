//! Sessions are resumed, but never past a change of the client's certificate.

use std::sync::Mutex;

use tokio::sync::mpsc;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{HandshakeKind, SignatureScheme};

use super::*;

/// A client's certificate that can be replaced, as those of short-lived identities are.
#[derive(Debug)]
struct Rotating(Mutex<Option<Arc<CertifiedKey>>>);

impl Rotating {
    fn rotate(&self, to: Option<(String, String)>) {
        *self.0.lock().unwrap() = to.map(|(certificate, key)| {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            let provider = client::provider().unwrap();
            Arc::new(CertifiedKey::from_der(vec![certificate], key, &provider).unwrap())
        });
    }
}

impl ResolvesClientCert for Rotating {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.lock().unwrap().clone()
    }

    fn has_certs(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

/// The server's view of a connection: the kind of its handshake, and the client's certificate.
type SeenConnection = (HandshakeKind, Option<CertificateDer<'static>>);

/// A server that resumes sessions, and greets with a byte, behind which its tickets have come.
async fn serve_many(config: Arc<ServerConfig>) -> (Target, mpsc::UnboundedReceiver<SeenConnection>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (seen, connections) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = TlsAcceptor::from(config.clone()).accept(stream).await.unwrap();
            let tls = stream.get_ref().1;
            let certificate = tls.peer_certificates().map(|chain| chain[0].clone().into_owned());
            seen.send((tls.handshake_kind().unwrap(), certificate)).unwrap();
            stream.write_u8(0).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    (target, connections)
}

/// Takes whatever certificate the client shows, or none.
fn asking(authority: &Authority, version: &'static rustls::SupportedProtocolVersion) -> Arc<ServerConfig> {
    let provider = client::provider().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let (certificate, key) = authority.certify(NAME);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// Opens a connection and gives the server's view of it.
async fn connect(dialer: &Dialer, seen: &mut mpsc::UnboundedReceiver<SeenConnection>) -> SeenConnection {
    let mut transport = dialer.transport(LIMIT).await.unwrap();
    transport.read_u8().await.unwrap();
    seen.recv().await.unwrap()
}

fn rustls_config(authority: &Authority, resolver: Arc<Rotating>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    ClientConfig::builder_with_provider(client::provider().unwrap())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(resolver)
}

#[tokio::test]
async fn a_rotated_certificate_is_used_at_once() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new();
        let resolver = Arc::new(Rotating(Mutex::default()));
        let (target, mut seen) = serve_many(asking(&authority, version)).await;
        let tls = TlsConfig::new()
            .domain_name(NAME)
            .rustls_config(rustls_config(&authority, resolver.clone()));
        let dialer = dialer(&target, tls).unwrap();
        // The first identities come when the pool is in use already, and go.
        let identities = [
            None,
            Some(authority.certify("one.example")),
            Some(authority.certify("two.example")),
            None,
        ];
        for identity in identities {
            let expected = identity
                .as_ref()
                .map(|(certificate, _)| CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap());
            resolver.rotate(identity);
            for _ in 0..2 {
                let (_, shown) = connect(&dialer, &mut seen).await;
                assert_eq!(shown, expected, "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_fixed_identity_is_resumed() {
    let authority = Authority::new();
    let (target, mut seen) = serve_many(asking(&authority, &rustls::version::TLS13)).await;
    let (certificate, key) = authority.certify("client.example");
    let without = Arc::new(Rotating(Mutex::default()));
    let rows = [
        trusting(&authority),
        trusting(&authority).identity(certificate, key),
        TlsConfig::new()
            .domain_name(NAME)
            .rustls_config(rustls_config(&authority, without)),
    ];
    for (row, tls) in rows.into_iter().enumerate() {
        let dialer = dialer(&target, tls).unwrap();
        let (first, shown) = connect(&dialer, &mut seen).await;
        assert_ne!(first, HandshakeKind::Resumed, "row {row}");
        let (second, shown_again) = connect(&dialer, &mut seen).await;
        assert_eq!(second, HandshakeKind::Resumed, "row {row}");
        assert_eq!(shown, shown_again, "row {row}");
    }
}
