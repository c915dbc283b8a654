//! Opening a connection: the steps of each attempt in their order. Each is noted in the [`Progress`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::Link;
use super::connector::Connector;
use super::error::{BoxError, ConnectError, InvalidDial, explained};
use super::handshake::{Http2Settings, Ready, handshake};
use super::happy_eyeballs::race;
use super::io::Transport;
use super::progress::{Phase, Progress, Step};
use super::spread::{Candidate, Claim, Spread};
use super::tls::{TlsClient, TlsConfig};
use super::{protocol, resolve};
use crate::Target;
use crate::panic::catch_panic;
use crate::target::Place;

/// Opens the connections of one pool.
#[derive(Debug)]
pub(crate) struct Dialer {
    target: Target,
    tcp: TcpOptions,
    connector: Option<Arc<dyn Connector>>,
    tls: Option<TlsClient>,
    spread: Spread,
    /// Replaces the addresses of the name.
    #[cfg(test)]
    pub(crate) addresses: std::sync::OnceLock<Vec<SocketAddr>>,
}

/// A connection that has its peer's SETTINGS.
pub(crate) struct Opened {
    pub(crate) ready: Ready<Transport>,
    pub(crate) link: Arc<Link>,
}

/// What a user can say about how the transports of a pool are opened.
#[derive(Debug, Default)]
pub(crate) struct DialOptions {
    pub(crate) tcp: TcpOptions,
    /// Opens the transports instead of us.
    pub(crate) connector: Option<Arc<dyn Connector>>,
    /// For `https` only, where the default is to trust the roots that the cargo features bring.
    pub(crate) tls: Option<TlsConfig>,
}

/// Options of the TCP sockets that we open ourselves. TCP_NODELAY is always on: what is worth sending
/// together, the connection batches itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TcpOptions {
    /// SO_KEEPALIVE: how long a connection is idle before the kernel probes it. Off by default; HTTP/2
    /// PINGs find more.
    pub(crate) keepalive: Option<Duration>,
    /// TCP_USER_TIMEOUT, on Linux: how long sent data may stay unacknowledged. To be set to the timeout
    /// of the keepalive PINGs (R17): a PING that waits in a full send buffer is never answered either.
    pub(crate) user_timeout: Option<Duration>,
}

impl Dialer {
    /// Checks that `target` can be dialled with `options`; does not dial. It reads the system's root
    /// certificates, if those are wanted: a pool that could trust nobody fails here and not with its
    /// first call.
    pub(crate) fn new(target: Target, options: DialOptions) -> Result<Self, InvalidDial> {
        Ok(Self {
            tls: TlsClient::for_target(&target, options.tls)?,
            target,
            tcp: options.tcp,
            connector: options.connector,
            spread: Spread::default(),
            #[cfg(test)]
            addresses: std::sync::OnceLock::new(),
        })
    }

    /// What is dialled.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Opens one connection, the peer's SETTINGS included, within `limit`.
    pub(crate) async fn open(&self, limit: Duration, settings: &Http2Settings) -> Result<Opened, ConnectError> {
        self.dial(limit, &Http2 { dialer: self, settings }).await
    }

    /// A connection to this address was of no use: others are tried before it for a while.
    pub(crate) fn address_failed(&self, address: SocketAddr, now: Instant) {
        self.spread.failed(address, now);
    }

    /// Opens one transport within `limit`, TLS included, and lets `finish` make a connection of it. Each address
    /// is one attempt at all of that.
    async fn dial<F: Finish>(&self, limit: Duration, finish: &F) -> Result<F::Opened, ConnectError> {
        let progress = Progress::default();
        match timeout(limit, self.attempts(&progress, finish)).await {
            Ok(ended) => ended,
            Err(_) => {
                self.have_failed(progress.under_way());
                Err(progress.timed_out(limit))
            }
        }
    }

    async fn attempts<F: Finish>(&self, progress: &Progress, finish: &F) -> Result<F::Opened, ConnectError> {
        let candidates = match (&self.connector, self.target.place()) {
            (None, Place::Tcp { host, port }) => {
                let addresses = self
                    .lookup(host, *port)
                    .await
                    .map_err(|error| ConnectError::new(Phase::Resolve, None, error))?;
                let order =
                    |standing: &dyn Fn(&SocketAddr) -> _| resolve::order(addresses, standing, fastrand::shuffle);
                self.spread
                    .candidates(Instant::now(), order)
                    .into_iter()
                    .map(Some)
                    .collect()
            }
            // One place, one attempt.
            _ => vec![None],
        };
        let attempt = |candidate| self.attempt(candidate, progress, finish);
        race(candidates, attempt).await.ok_or_else(|| progress.failed())
    }

    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(addresses) = self.addresses.get() {
            return Ok(addresses.clone());
        }
        resolve::lookup(host, port).await
    }

    /// One attempt; its failure goes to the progress.
    async fn attempt<F: Finish>(
        &self,
        candidate: Option<Candidate>,
        progress: &Progress,
        finish: &F,
    ) -> Option<F::Opened> {
        let address = candidate.as_ref().map(|candidate| candidate.address);
        let step = progress.begin(address);
        let claim = candidate.map(|candidate| self.spread.use_of(candidate));
        // The connector, and the verifiers and resolvers of a `rustls_config`, are the user's code.
        let attempt = catch_panic(async {
            let transport = self.connect(address, claim).await?;
            finish.finish(self.secure(transport, step).await?, step).await
        });
        match attempt.await.unwrap_or_else(|panicked| Err(panicked.into())) {
            Ok(opened) => {
                address.inspect(|address| self.spread.succeeded(*address));
                self.have_failed(step.overtaken());
                Some(opened)
            }
            Err(error) => {
                tracing::debug!(address = address.map(tracing::field::display), %error, "an attempt to connect failed");
                self.have_failed(address);
                step.fail(error);
                None
            }
        }
    }

    fn have_failed(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let now = Instant::now();
        for address in addresses {
            self.spread.failed(address, now);
        }
    }

    async fn connect(&self, address: Option<SocketAddr>, claim: Option<Claim>) -> Result<Transport, BoxError> {
        match (&self.connector, self.target.place(), address) {
            (Some(connector), ..) => Ok(Transport::custom(connector.connect(&self.target).await?)),
            (None, Place::Unix(path), _) => Ok(dial_unix(path).await?),
            (None, _, Some(address)) => Ok(Transport::tcp(connect_tcp(address, self.tcp).await?, claim)),
            (None, _, None) => Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into()),
        }
    }

    async fn secure(&self, transport: Transport, step: Step<'_>) -> Result<Transport, BoxError> {
        let Some(tls) = &self.tls else {
            return Ok(transport);
        };
        step.enter(Phase::Tls);
        transport.layer(|stream| tls.handshake(stream)).await
    }
}

/// Makes a connection of a transport: the last step of an attempt.
trait Finish: Sync {
    type Opened: Send;

    fn finish(
        &self,
        transport: Transport,
        step: Step<'_>,
    ) -> impl Future<Output = Result<Self::Opened, BoxError>> + Send;
}

/// The HTTP/2 handshake.
struct Http2<'a> {
    dialer: &'a Dialer,
    settings: &'a Http2Settings,
}

impl Finish for Http2<'_> {
    type Opened = Opened;

    async fn finish(&self, transport: Transport, step: Step<'_>) -> Result<Opened, BoxError> {
        let link = Arc::new(Link::new(transport.peer_addr()));
        step.enter_settings(&link.pace);
        match handshake(transport, self.settings, &link.pace).await {
            Ok(ready) => Ok(Opened { ready, link }),
            Err(error) => Err(self.explain(error, &link)),
        }
    }
}

impl Http2<'_> {
    /// Adds why the peer's SETTINGS did not come, where that is known.
    fn explain(&self, error: BoxError, link: &Link) -> BoxError {
        match (protocol::explain(&link.pace.first_bytes()), &self.dialer.tls) {
            (Some(explanation), _) => explained(explanation, error),
            (None, Some(tls)) => tls.explain_refusal(error),
            (None, None) => error,
        }
    }
}

async fn connect_tcp(address: SocketAddr, options: TcpOptions) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A socket without its options still works, and some systems refuse them when the peer has already
    // hung up, which the handshake will tell with a better reason.
    if let Err(error) = configure(&stream, options) {
        tracing::debug!(%address, %error, "a TCP option could not be set");
    }
    Ok(stream)
}

fn configure(stream: &TcpStream, options: TcpOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    if let Some(idle) = options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    Ok(())
}

#[cfg(unix)]
async fn dial_unix(path: &str) -> io::Result<Transport> {
    tokio::net::UnixStream::connect(path).await.map(Transport::unix)
}

#[cfg(not(unix))]
async fn dial_unix(_: &str) -> io::Result<Transport> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
pub(crate) mod tests;
