//! TLS, as tonic users know how to configure it, with rustls.
//!
//! Two things differ from tonic, because their failure is hard to understand: a configuration that names
//! no roots trusts those that the cargo features bring (with tonic it trusts nobody), and what can't work
//! is an error when the pool is built, naming the setting, and not a failed handshake.

mod client;
mod explain;

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;

pub(crate) use client::TlsClient;

/// How TLS is spoken to an `https` target.
///
/// The server's certificate is checked against
/// - the certificates of [`ca_certificate`](Self::ca_certificate),
/// - the roots asked for with [`with_enabled_roots`](Self::with_enabled_roots) or its two siblings,
/// - and, if neither is given, every kind of roots that the cargo features `tls-native-roots` and
///   `tls-webpki-roots` bring. A pool that could trust nobody is refused when it is built.
///
/// HTTP/2 must be agreed on in the handshake (ALPN `h2`), else no connection is opened.
///
/// ```
/// # fn pem(_: &str) -> Vec<u8> { Vec::new() }
/// use pool_runtime::TlsConfig;
///
/// let tls = TlsConfig::new()
///     .ca_certificate(pem("ca.pem"))
///     .identity(pem("client.pem"), pem("client.key"))
///     .domain_name("greeter.internal");
/// # let _ = tls;
/// ```
///
/// One process default, if installed, decides which cryptography is used
/// (`rustls::crypto::CryptoProvider::install_default`); otherwise it is ring with the feature `tls-ring`,
/// and AWS-LC with `tls-aws-lc` alone.
#[derive(Clone, Default)]
#[must_use]
pub struct TlsConfig {
    domain_name: Option<String>,
    ca_certificates: Vec<Vec<u8>>,
    native_roots: bool,
    webpki_roots: bool,
    identity: Option<Identity>,
    assume_http2: bool,
    key_log: bool,
    rustls: Option<Arc<ClientConfig>>,
}

/// A certificate chain and its private key, both as PEM.
#[derive(Clone)]
struct Identity {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

impl TlsConfig {
    /// A configuration with the defaults: the host of the target as name, the enabled roots, no identity.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name that the server's certificate must be for, and that is sent as SNI. By default it is the
    /// host of the target; to be set where the target is an address and the certificate names a host.
    pub fn domain_name(mut self, name: impl Into<String>) -> Self {
        self.domain_name = Some(name.into());
        self
    }

    /// Trusts servers with a certificate of this authority: one or more PEM blocks. Adds to those given
    /// before.
    pub fn ca_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates.push(pem.into());
        self
    }

    /// [`ca_certificate`](Self::ca_certificate) for each of several PEM files.
    pub fn ca_certificates<P: Into<Vec<u8>>>(mut self, pems: impl IntoIterator<Item = P>) -> Self {
        self.ca_certificates.extend(pems.into_iter().map(P::into));
        self
    }

    /// Trusts what the operating system trusts, as of when the pool is built.
    #[cfg(feature = "tls-native-roots")]
    pub fn with_native_roots(mut self) -> Self {
        self.native_roots = true;
        self
    }

    /// Trusts Mozilla's root certificates, as of when the `webpki-roots` crate was released.
    #[cfg(feature = "tls-webpki-roots")]
    pub fn with_webpki_roots(mut self) -> Self {
        self.webpki_roots = true;
        self
    }

    /// Trusts the roots of every `tls-*-roots` feature that is enabled. The default where nothing else is
    /// trusted, so this is for use beside [`ca_certificate`](Self::ca_certificate).
    pub fn with_enabled_roots(mut self) -> Self {
        self.native_roots = cfg!(feature = "tls-native-roots");
        self.webpki_roots = cfg!(feature = "tls-webpki-roots");
        self
    }

    /// Presents a certificate to servers that ask for one (mutual TLS): the chain, the client's own
    /// certificate first, and its private key (PKCS#8, PKCS#1 or SEC1, not encrypted), both as PEM.
    ///
    /// It stays the same for the life of the pool. For one that is replaced (short-lived certificates), see
    /// [`rustls_config`](Self::rustls_config).
    pub fn identity(mut self, certificates_pem: impl Into<Vec<u8>>, key_pem: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(Identity {
            certificates: certificates_pem.into(),
            key: key_pem.into(),
        });
        self
    }

    /// Whether to go on with HTTP/2 when the server takes no part in ALPN. Off by default; for servers
    /// behind a TLS terminator that does not know of it.
    pub fn assume_http2(mut self, assume: bool) -> Self {
        self.assume_http2 = assume;
        self
    }

    /// Writes the session keys to the file that the environment variable `SSLKEYLOGFILE` names, so that
    /// a packet capture can be read.
    pub fn use_key_log(mut self) -> Self {
        self.key_log = true;
        self
    }

    /// Replaces everything about certificates and cryptography by a configuration of rustls, for what
    /// the other settings cannot say: verifiers of one's own, identities that change, revocation lists.
    /// Its ALPN protocols are set to `h2`.
    ///
    /// An identity that changes is a resolver (`with_client_cert_resolver`) that gives the certificate as of now.
    /// Each new connection shows that one: with a resolver that has certificates, sessions are not resumed, because
    /// a resumed session keeps the certificate it began with. Connections that are up keep theirs until
    /// [`max_lifetime`](crate::Builder::max_lifetime).
    ///
    /// A resumed session does not verify the server again either. For a verifier whose trust changes, set the
    /// configuration's `resumption` to `Resumption::disabled()`.
    ///
    /// Together with authorities, roots, an identity or a key log it is refused when the pool is built.
    pub fn rustls_config(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.rustls = Some(config.into());
        self
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("domain_name", &self.domain_name)
            .field("ca_certificates", &self.ca_certificates.len())
            .field("native_roots", &self.native_roots)
            .field("webpki_roots", &self.webpki_roots)
            .field("identity", &self.identity.is_some())
            .field("assume_http2", &self.assume_http2)
            .field("key_log", &self.key_log)
            .field("rustls_config", &self.rustls.is_some())
            .finish()
    }
}

#[cfg(test)]
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
mod tests;
