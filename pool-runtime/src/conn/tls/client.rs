//! From a [`TlsConfig`] to a handshake: everything that can be wrong with the former is found here.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, KeyLogFile, RootCertStore};

use super::explain::{self, ClientCertificate};
use super::{Identity, TlsConfig};
use crate::Target;
use crate::conn::error::{BoxError, InvalidDial};
use crate::conn::io::Stream;

const ALPN_H2: &[u8] = b"h2";

/// Makes the TLS handshakes of one pool, with one name and one set of trust. Its sessions are remembered,
/// so that the second and every later connection is resumed where the server allows it.
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    /// For a client certificate that may change: a resumed session goes on with the one that it began with.
    without_resumption: Option<Arc<ClientConfig>>,
    client_certificate: Arc<ClientCertificate>,
    name: ServerName<'static>,
    assume_http2: bool,
}

impl TlsClient {
    /// The client for an `https` target, and `None` for the others.
    pub(crate) fn for_target(target: &Target, config: Option<TlsConfig>) -> Result<Option<Self>, InvalidDial> {
        match (target.is_https(), config) {
            (true, config) => Self::new(target, config.unwrap_or_default()).map(Some),
            (false, None) => Ok(None),
            // Whoever configured TLS must not find out later that everything went in the clear.
            (false, Some(_)) => Err(InvalidDial::new(
                "tls",
                "it has no effect without a target that starts with https://",
            )),
        }
    }

    fn new(target: &Target, config: TlsConfig) -> Result<Self, InvalidDial> {
        let name = server_name(target, &config)?;
        let mut client = match &config.rustls {
            Some(rustls) => from_rustls(&config, rustls)?,
            None => from_settings(&config)?,
        };
        client.alpn_protocols = vec![ALPN_H2.to_vec()];
        let client_certificate = Arc::new(ClientCertificate::new(client.client_auth_cert_resolver));
        client.client_auth_cert_resolver = client_certificate.clone();
        let without_resumption = config.rustls.is_some().then(|| {
            let mut config = client.clone();
            config.resumption = Resumption::disabled();
            Arc::new(config)
        });
        Ok(Self {
            config: Arc::new(client),
            without_resumption,
            client_certificate,
            name,
            assume_http2: config.assume_http2,
        })
    }

    /// Speaks TLS over `stream`, up to where HTTP/2 can begin.
    ///
    /// With TLS 1.3 a server judges the client's certificate only after this: its refusal arrives as an
    /// alert in place of the first bytes.
    pub(crate) async fn handshake(&self, stream: Stream) -> Result<Stream, BoxError> {
        let config = match &self.without_resumption {
            Some(config) if self.client_certificate.is_in_use() => config,
            _ => &self.config,
        };
        let stream = TlsConnector::from(config.clone())
            .connect(self.name.clone(), stream)
            .await
            .map_err(|error| explain::handshake(error, &self.client_certificate))?;
        match stream.get_ref().1.alpn_protocol() {
            Some(ALPN_H2) => {}
            None if self.assume_http2 => {}
            _ => {
                return Err("the peer did not agree to HTTP/2 (ALPN `h2`); \
                    if it speaks it anyway, set `assume_http2`"
                    .into());
            }
        }
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// Explains an error that came in place of the peer's SETTINGS: it may be the refusal of our certificate.
    pub(crate) fn explain_refusal(&self, error: BoxError) -> BoxError {
        explain::refusal_after_handshake(error, &self.client_certificate)
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient")
            .field("name", &self.name)
            .field("assume_http2", &self.assume_http2)
            .finish_non_exhaustive()
    }
}

fn server_name(target: &Target, config: &TlsConfig) -> Result<ServerName<'static>, InvalidDial> {
    let (field, name) = match &config.domain_name {
        Some(name) => ("tls.domain_name", name.as_str()),
        None => ("target", target.host().unwrap_or_default()),
    };
    ServerName::try_from(name.to_owned()).map_err(|error| {
        let problem = format!("`{name}` is not a name that a certificate can be for");
        InvalidDial::new(field, problem).because(error)
    })
}

fn from_rustls(config: &TlsConfig, rustls: &ClientConfig) -> Result<ClientConfig, InvalidDial> {
    let settings = [
        ("ca_certificate", !config.ca_certificates.is_empty()),
        ("roots", config.native_roots || config.webpki_roots),
        ("identity", config.identity.is_some()),
        ("use_key_log", config.key_log),
    ];
    match settings.into_iter().find(|(_, set)| *set) {
        None => Ok(rustls.clone()),
        Some((setting, _)) => Err(InvalidDial::new(
            "tls.rustls_config",
            format!("it replaces `{setting}`, which is set as well; say it in one of the two"),
        )),
    }
}

fn from_settings(config: &TlsConfig) -> Result<ClientConfig, InvalidDial> {
    let provider = provider().ok_or_else(|| {
        InvalidDial::new(
            "tls",
            "there is no cryptography to use: enable pool-runtime's feature `tls-ring` or \
             `tls-aws-lc`, or install a default provider for rustls",
        )
    })?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidDial::new("tls", "the provider supports no version of TLS").because(error))?
        .with_root_certificates(roots(config)?);
    let mut client = match &config.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.parse()?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| identity_problem("they do not fit").because(error))?
        }
    };
    if config.key_log {
        client.key_log = Arc::new(KeyLogFile::new());
    }
    Ok(client)
}

/// The process' own choice, and else the one that the features bring; ring before AWS-LC, as in tonic.
pub(super) fn provider() -> Option<Arc<CryptoProvider>> {
    CryptoProvider::get_default().cloned().or_else(|| {
        #[cfg(feature = "tls-ring")]
        let built_in = Some(Arc::new(rustls::crypto::ring::default_provider()));
        #[cfg(all(feature = "tls-aws-lc", not(feature = "tls-ring")))]
        let built_in = Some(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        #[cfg(not(any(feature = "tls-ring", feature = "tls-aws-lc")))]
        let built_in = None;
        built_in
    })
}

pub(super) fn roots(config: &TlsConfig) -> Result<RootCertStore, InvalidDial> {
    let mut roots = RootCertStore::empty();
    for pem in &config.ca_certificates {
        add_authority(&mut roots, pem)?;
    }
    let none_named = config.ca_certificates.is_empty() && !config.native_roots && !config.webpki_roots;
    #[cfg(feature = "tls-native-roots")]
    if config.native_roots || none_named {
        add_native(&mut roots);
    }
    #[cfg(feature = "tls-webpki-roots")]
    if config.webpki_roots || none_named {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if !roots.is_empty() {
        return Ok(roots);
    }
    let enabled = cfg!(any(feature = "tls-native-roots", feature = "tls-webpki-roots"));
    Err(InvalidDial::new(
        "tls",
        match enabled && (none_named || config.native_roots || config.webpki_roots) {
            true => "no server can be trusted: this system has no root certificates to read",
            false => {
                "no server can be trusted: set `ca_certificate`, or enable pool-runtime's feature \
                 `tls-native-roots` or `tls-webpki-roots`"
            }
        },
    ))
}

fn add_authority(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), InvalidDial> {
    let field = "tls.ca_certificate";
    for certificate in certificates(field, pem)? {
        roots
            .add(certificate)
            .map_err(|error| InvalidDial::new(field, "it is not the certificate of an authority").because(error))?;
    }
    Ok(())
}

/// Adds what the system trusts. One unreadable certificate among hundreds is normal and harmless.
#[cfg(feature = "tls-native-roots")]
fn add_native(roots: &mut RootCertStore) {
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        tracing::debug!(%error, "a root certificate of the system could not be read");
    }
    roots.add_parsable_certificates(loaded.certs);
}

impl Identity {
    fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), InvalidDial> {
        let chain = certificates("tls.identity", &self.certificates)?;
        // The error is described in our words only: nothing of a key may end up in a log.
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            identity_problem(match error {
                pem::Error::NoItemsFound => "its key holds no private key (PKCS#8, PKCS#1 or SEC1, not encrypted)",
                _ => "its key is not well-formed PEM",
            })
        })?;
        Ok((chain, key))
    }
}

fn identity_problem(problem: &str) -> InvalidDial {
    InvalidDial::new("tls.identity", problem)
}

fn certificates(field: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, InvalidDial> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| InvalidDial::new(field, "its certificates are not well-formed PEM").because(error))?;
    match certificates.is_empty() {
        true => Err(InvalidDial::new(field, "it holds no certificate in PEM form")),
        false => Ok(certificates),
    }
}
