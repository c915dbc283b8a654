//! Against real servers on loopback, with certificates made for the test.

mod explained;
mod resumption;

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use super::*;
use crate::Target;
use crate::conn::dial::{DialOptions, Dialer};
use crate::conn::error::{ConnectError, InvalidDial};
use crate::conn::io::Transport;
use crate::conn::progress::Phase;

/// Longer than any dial of these tests takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The name in the servers' certificates.
const NAME: &str = "greeter.example";

/// An authority, which certifies servers and clients alike.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Authorities need names of their own: two with equal names would be taken for one whose key
        // does not fit, not for one that is unknown.
        let key = KeyPair::generate().unwrap();
        let name = key.serialize_pem().split_at(80).0.to_owned();
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A TLS server that takes one connection, greets with the number of certificates that the client has
/// shown, and says what became of it.
struct Server {
    target: Target,
    outcome: JoinHandle<std::io::Result<()>>,
}

/// What a server asks for and offers.
#[derive(Default)]
struct Offer<'a> {
    alpn: &'a [&'a str],
    clients_of: Option<&'a Authority>,
}

const H2: Offer<'static> = Offer {
    alpn: &["h2"],
    clients_of: None,
};

async fn serve(authority: &Authority, name: &str, offer: Offer<'_>) -> Server {
    let config = server_config(authority, name, offer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Server {
        target: format!("https://127.0.0.1:{port}").parse().unwrap(),
        outcome: tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut stream = TlsAcceptor::from(config).accept(stream).await?;
            let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
            stream.write_u8(shown as u8).await?;
            stream.shutdown().await
        }),
    }
}

fn server_config(authority: &Authority, name: &str, offer: Offer<'_>) -> Arc<ServerConfig> {
    server_config_of(authority.certify(name), offer, rustls::ALL_VERSIONS)
}

fn server_config_of(
    (certificate, key): (String, String),
    offer: Offer<'_>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = client::provider().unwrap();
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = match offer.clients_of {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = offer.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn dialer(target: &Target, tls: TlsConfig) -> Result<Dialer, InvalidDial> {
    let options = DialOptions {
        tls: Some(tls),
        ..DialOptions::default()
    };
    Dialer::new(target.clone(), options)
}

async fn dial(target: &Target, tls: TlsConfig) -> Result<Transport, ConnectError> {
    dialer(target, tls).unwrap().transport(LIMIT).await
}

/// Trust in `authority`, and the name that the servers have: they are dialled by address.
fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::new().ca_certificate(authority.pem()).domain_name(NAME)
}

/// The text of the error and of everything below it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        write!(text, ": {error}").unwrap();
        next = error.source();
    }
    text
}

/// Dials a server that must be refused, and gives the text of the error.
async fn refused(target: &Target, tls: TlsConfig) -> String {
    let error = dial(target, tls).await.expect_err("it was accepted");
    assert_eq!(error.phase(), Phase::Tls);
    let port = error.address().map(|address| address.port());
    assert_eq!(port, target.port());
    assert!(error.source().is_some());
    whole(&error)
}

#[tokio::test]
async fn a_server_of_the_own_authority_is_accepted() {
    let authority = Authority::new();
    let server = serve(&authority, NAME, H2).await;
    let mut transport = dial(&server.target, trusting(&authority)).await.unwrap();
    assert_eq!(transport.peer_addr().map(|peer| peer.port()), server.target.port());
    assert_eq!(transport.read_u8().await.unwrap(), 0);
    server.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_domain_name_the_host_of_the_target_is_what_counts() {
    let authority = Authority::new();
    let server = serve(&authority, "127.0.0.1", H2).await;
    let tls = TlsConfig::new().ca_certificate(authority.pem());
    dial(&server.target, tls).await.unwrap();
}

#[tokio::test]
async fn tls_runs_over_a_connector_of_the_users_own() {
    let authority = Authority::new();
    let server = serve(&authority, NAME, H2).await;
    let port = server.target.port().unwrap();
    let connect = move |_: Target| TcpStream::connect(("127.0.0.1", port));
    let options = DialOptions {
        connector: Some(Arc::new(connect)),
        tls: Some(TlsConfig::new().ca_certificate(authority.pem())),
        ..DialOptions::default()
    };
    let target = format!("https://{NAME}").parse().unwrap();
    let dialer = Dialer::new(target, options).unwrap();
    let mut transport = dialer.transport(LIMIT).await.unwrap();
    assert_eq!(transport.read_u8().await.unwrap(), 0);
    server.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let server = serve(&Authority::new(), NAME, H2).await;
    let text = refused(&server.target, trusting(&Authority::new())).await;
    assert!(text.contains("UnknownIssuer"), "{text}");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let authority = Authority::new();
    let server = serve(&authority, "other.example", H2).await;
    let text = refused(&server.target, trusting(&authority)).await;
    assert!(text.contains("not valid for name"), "{text}");
}

#[tokio::test]
async fn several_authorities_are_all_trusted() {
    let (one, two) = (Authority::new(), Authority::new());
    for authority in [&one, &two] {
        let server = serve(authority, NAME, H2).await;
        let together = TlsConfig::new().ca_certificate(format!("{}{}", one.pem(), two.pem()));
        let apart = TlsConfig::new().ca_certificates([one.pem(), two.pem()]);
        dial(&server.target, together.domain_name(NAME)).await.unwrap();
        let server = serve(authority, NAME, H2).await;
        dial(&server.target, apart.domain_name(NAME)).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_asks_for_it_sees_the_identity() {
    let authority = Authority::new();
    let offer = Offer {
        clients_of: Some(&authority),
        ..H2
    };
    let server = serve(&authority, NAME, offer).await;
    let (certificate, key) = authority.certify("client.example");
    let tls = trusting(&authority).identity(certificate, key);
    let mut transport = dial(&server.target, tls).await.unwrap();
    assert_eq!(transport.read_u8().await.unwrap(), 1);
    server.outcome.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_identity_a_server_that_asks_for_one_hangs_up() {
    let authority = Authority::new();
    let offer = Offer {
        clients_of: Some(&authority),
        ..H2
    };
    let server = serve(&authority, NAME, offer).await;
    let mut transport = dial(&server.target, trusting(&authority)).await.unwrap();
    let alert = transport.read_u8().await.unwrap_err();
    assert!(alert.to_string().contains("CertificateRequired"), "{alert}");
    assert!(server.outcome.await.unwrap().is_err());
}

#[tokio::test]
async fn a_server_that_does_not_agree_to_h2_is_refused_unless_told_otherwise() {
    let authority = Authority::new();
    let server = serve(&authority, NAME, Offer::default()).await;
    let text = refused(&server.target, trusting(&authority)).await;
    assert!(text.contains("did not agree to HTTP/2"), "{text}");
    assert!(text.contains("assume_http2"), "{text}");

    let server = serve(&authority, NAME, Offer::default()).await;
    let tls = trusting(&authority).assume_http2(true);
    dial(&server.target, tls).await.unwrap();

    let http1 = Offer {
        alpn: &["http/1.1"],
        clients_of: None,
    };
    let server = serve(&authority, NAME, http1).await;
    let text = refused(&server.target, trusting(&authority).assume_http2(true)).await;
    assert!(text.contains("NoApplicationProtocol"), "{text}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_with_bad_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}", listener.local_addr().unwrap());
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        // Held open until the client has read the answer.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    let text = refused(&target.parse().unwrap(), trusting(&Authority::new())).await;
    assert!(text.contains("the peer does not speak TLS"), "{text}");
    plain.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_given_up_is_known_as_one() {
    let (ours, _silent) = tokio::io::duplex(16 * 1024);
    let ours = std::sync::Mutex::new(Some(ours));
    let connect = move |_: Target| {
        let ours = ours.lock().unwrap().take();
        async move { ours.ok_or("there is only one") }
    };
    let options = DialOptions {
        connector: Some(Arc::new(connect)),
        tls: Some(trusting(&Authority::new())),
        ..DialOptions::default()
    };
    let dialer = Dialer::new("https://greeter.example".parse().unwrap(), options).unwrap();
    let error = dialer.transport(Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(error.to_string(), "the TLS handshake timed out after 20s");
}

#[tokio::test]
async fn a_configuration_of_rustls_takes_the_place_of_the_settings() {
    let authority = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(client::provider().unwrap())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsConfig::new().domain_name(NAME).rustls_config(config);

    let server = serve(&authority, NAME, H2).await;
    dial(&server.target, tls.clone()).await.unwrap();

    let (certificate, key) = authority.certify(NAME);
    for (setting, both) in [
        ("ca_certificate", tls.clone().ca_certificate(authority.pem())),
        ("identity", tls.clone().identity(certificate, key)),
        ("use_key_log", tls.clone().use_key_log()),
    ] {
        let error = dialer(&server.target, both).unwrap_err();
        assert_eq!(error.field, "tls.rustls_config");
        assert!(error.to_string().contains(setting), "{error}");
    }
}

#[test]
fn what_cannot_work_is_refused_with_the_field_at_fault() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(NAME);
    let (_, other_key) = authority.certify(NAME);
    let broken = authority.pem().replace("-----END", "-----FIN");
    let trust = || trusting(&authority);
    let rows = [
        // configuration, field, part of the text
        (
            TlsConfig::new().ca_certificate(""),
            "tls.ca_certificate",
            "holds no certificate",
        ),
        (
            TlsConfig::new().ca_certificate("plain text"),
            "tls.ca_certificate",
            "holds no certificate",
        ),
        (
            TlsConfig::new().ca_certificate(broken),
            "tls.ca_certificate",
            "not well-formed PEM",
        ),
        (
            TlsConfig::new().ca_certificate(key.clone()),
            "tls.ca_certificate",
            "holds no certificate",
        ),
        (
            trust().identity("", key.clone()),
            "tls.identity",
            "holds no certificate",
        ),
        (
            trust().identity(certificate.clone(), ""),
            "tls.identity",
            "holds no private key",
        ),
        (
            trust().identity(certificate.clone(), key.replace("-----END", "")),
            "tls.identity",
            "key is not well-formed",
        ),
        (trust().identity(certificate, other_key), "tls.identity", "do not fit"),
        (trust().domain_name("no name"), "tls.domain_name", "`no name`"),
    ];
    let target: Target = "https://greeter.example".parse().unwrap();
    for (tls, field, part) in rows {
        let error = dialer(&target, tls).unwrap_err();
        assert_eq!(error.field, field, "{error}");
        assert!(whole(&error).contains(part), "{}", whole(&error));
    }
}

#[test]
fn tls_for_a_target_without_it_is_refused() {
    let trust = trusting(&Authority::new());
    for target in ["http://greeter.example", "unix:/run/greeter.sock"] {
        let error = dialer(&target.parse().unwrap(), trust.clone()).unwrap_err();
        assert_eq!(error.field, "tls");
        assert!(error.to_string().contains("https://"), "{error}");
    }
}

#[cfg(feature = "tls-native-roots")]
#[test]
fn the_roots_of_the_system_are_trusted_where_there_are_any() {
    let present = rustls_native_certs::load_native_certs().certs.len();
    let tls = TlsConfig::new().with_native_roots();
    match client::roots(&tls) {
        Ok(roots) => assert!((1..=present).contains(&roots.len())),
        Err(error) => {
            assert_eq!(present, 0);
            assert!(error.to_string().contains("no root certificates to read"));
        }
    }
}

#[cfg(feature = "tls-webpki-roots")]
#[tokio::test]
async fn where_nothing_is_named_the_enabled_roots_are_trusted() {
    let server = serve(&Authority::new(), NAME, H2).await;
    let text = refused(&server.target, TlsConfig::new().domain_name(NAME)).await;
    assert!(text.contains("UnknownIssuer"), "{text}");
    Dialer::new(server.target, DialOptions::default()).unwrap();
}

#[cfg(not(any(feature = "tls-native-roots", feature = "tls-webpki-roots")))]
#[test]
fn a_pool_that_could_trust_nobody_is_refused_with_the_features_to_enable() {
    let target: Target = "https://greeter.example".parse().unwrap();
    for tls in [None, Some(TlsConfig::new().with_enabled_roots())] {
        let options = DialOptions {
            tls,
            ..DialOptions::default()
        };
        let error = Dialer::new(target.clone(), options).unwrap_err();
        assert_eq!(error.field, "tls");
        assert!(error.to_string().contains("`tls-webpki-roots`"), "{error}");
    }
}

#[test]
fn debug_shows_no_key() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(NAME);
    let config = trusting(&authority).identity(certificate, key.clone());
    let client = TlsClient::for_target(&"https://a".parse().unwrap(), Some(config.clone()));
    let text = format!("{config:?} {client:?}");
    for line in key.lines() {
        assert!(!text.contains(line), "{text}");
    }
    // Neither as bytes, which is how a `Vec<u8>` would be shown.
    assert!(!text.contains("45, 45"), "{text}");
    assert!(text.contains("identity: true"), "{text}");
}
