//! Errors name the setting that mends them.

use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::*;
use crate::conn::handshake::Http2Settings;

/// Serves HTTP/2 on each connection.
async fn serve_http2(config: Arc<ServerConfig>) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let config = config.clone();
            tokio::spawn(async move {
                let stream = TlsAcceptor::from(config).accept(stream).await.ok()?;
                let mut server = h2::server::handshake(stream).await.ok()?;
                server.accept().await.map(drop)
            });
        }
    });
    target
}

/// Opens a connection that must be refused, and gives the text of the error.
async fn refused_by(config: Arc<ServerConfig>, tls: TlsConfig) -> String {
    let target = serve_http2(config).await;
    let dialer = dialer(&target, tls).unwrap();
    let opened = dialer.open(LIMIT, &Http2Settings::default()).await;
    whole(&opened.err().expect("it was accepted"))
}

#[tokio::test]
async fn a_refused_client_names_identity() {
    let (authority, other) = (Authority::new(), Authority::new());
    let offer = || Offer {
        clients_of: Some(&authority),
        ..H2
    };
    let stranger = {
        let (certificate, key) = other.certify("client.example");
        trusting(&authority).identity(certificate, key)
    };
    for versions in [&[&rustls::version::TLS13], &[&rustls::version::TLS12]] {
        let config = || server_config_of(authority.certify(NAME), offer(), versions);
        let text = refused_by(config(), trusting(&authority)).await;
        assert!(text.contains("set `TlsConfig::identity`"), "{text}");
        let text = refused_by(config(), stranger.clone()).await;
        assert!(text.contains("check `TlsConfig::identity`"), "{text}");
    }
}

#[derive(Debug)]
struct Panics;

impl ResolvesClientCert for Panics {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        panic!("as told")
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_panicking_resolver_is_a_failed_attempt() {
    let authority = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(client::provider().unwrap())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(Panics));
    let offer = Offer {
        clients_of: Some(&authority),
        ..H2
    };
    let tls = TlsConfig::new().domain_name(NAME).rustls_config(config);
    let text = refused_by(server_config(&authority, NAME, offer), tls).await;
    assert!(text.contains("the TLS handshake with 127.0.0.1:"), "{text}");
    assert!(text.contains("it panicked: as told"), "{text}");
}

#[tokio::test]
async fn a_wrong_name_names_domain_name() {
    let authority = Authority::new();
    let text = refused_by(server_config(&authority, "other.example", H2), trusting(&authority)).await;
    for part in ["`TlsConfig::domain_name`", "other.example", NAME] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_authority_names_ca_certificate() {
    let config = server_config(&Authority::new(), NAME, H2);
    let text = refused_by(config, trusting(&Authority::new())).await;
    assert!(text.contains("`TlsConfig::ca_certificate`"), "{text}");
}

#[tokio::test]
async fn validity_is_shown_as_dates() {
    let authority = Authority::new();
    let rows = [
        ((2001, 2002), "expired at 2002-01-01T00:00:00Z; the clock here is at 2"),
        (
            (4001, 4002),
            "is valid from 4001-01-01T00:00:00Z; the clock here is at 2",
        ),
    ];
    for ((from, to), part) in rows {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let certificate = params.signed_by(&key, &authority.0).unwrap();
        let identity = (certificate.pem(), key.serialize_pem());
        let config = server_config_of(identity, H2, rustls::ALL_VERSIONS);
        let text = refused_by(config, trusting(&authority)).await;
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_peer_without_tls_names_the_scheme() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\u{4}\0\0\0\0\0", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Target = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = Vec::new();
            stream.read_buf(&mut hello).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut hello).await;
        });
        let text = refused(&target, trusting(&Authority::new())).await;
        let expected = match answer {
            "" => "it may not speak TLS",
            _ => "the target must start with http://",
        };
        assert!(text.contains(expected), "{text}");
    }
}
