//! Opening a transport: the steps in their order, each told to the [`Progress`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::connector::Connector;
use super::error::{ConnectError, InvalidDial};
use super::io::Transport;
use super::progress::{Phase, Progress};
use super::spread::{Claim, Spread};
use super::tls::{TlsClient, TlsConfig};
use super::{happy_eyeballs, resolve};
use crate::Target;
use crate::target::Place;

/// Opens the transports of one pool.
#[derive(Debug)]
pub(crate) struct Dialer {
    target: Target,
    tcp: TcpOptions,
    connector: Option<Arc<dyn Connector>>,
    tls: Option<TlsClient>,
    spread: Spread,
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
        })
    }

    /// What is dialled.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Opens one transport, TLS included. Takes as long as it takes: the caller bounds it, together with
    /// the HTTP/2 handshake that follows.
    pub(crate) async fn dial(&self, progress: &Progress) -> Result<Transport, ConnectError> {
        let transport = match (&self.connector, self.target.place()) {
            (Some(connector), _) => self.dial_custom(&**connector, progress).await?,
            (None, Place::Tcp { host, port }) => self.dial_tcp(host, *port, progress).await?,
            (None, Place::Unix(path)) => dial_unix(path, progress).await?,
        };
        let Some(tls) = &self.tls else {
            return Ok(transport);
        };
        let peer = transport.peer_addr();
        progress.enter(Phase::Tls, peer);
        transport
            .layer(|stream| tls.handshake(stream))
            .await
            .map_err(|error| ConnectError::new(Phase::Tls, peer, error))
    }

    async fn dial_custom(&self, connector: &dyn Connector, progress: &Progress) -> Result<Transport, ConnectError> {
        progress.enter(Phase::Connect, None);
        match connector.connect(&self.target).await {
            Ok(io) => Ok(Transport::custom(io)),
            Err(error) => Err(ConnectError::new(Phase::Connect, None, error)),
        }
    }

    async fn dial_tcp(&self, host: &str, port: u16, progress: &Progress) -> Result<Transport, ConnectError> {
        progress.enter(Phase::Resolve, None);
        let addresses = resolve::lookup(host, port)
            .await
            .map_err(|error| ConnectError::new(Phase::Resolve, None, error))?;
        progress.enter(Phase::Connect, None);
        let claimed = self
            .spread
            .claim(|load| resolve::order(addresses, load, fastrand::shuffle));
        self.race(claimed, progress).await
    }

    async fn race(
        &self,
        claimed: Option<(Vec<SocketAddr>, Claim)>,
        progress: &Progress,
    ) -> Result<Transport, ConnectError> {
        let (addresses, mut claim) = match claimed {
            Some((addresses, claim)) => (addresses, Some(claim)),
            None => (Vec::new(), None),
        };
        let connect = |address| {
            progress.try_address(address);
            connect_tcp(address, self.tcp)
        };
        let (address, stream) = happy_eyeballs::race(&addresses, connect)
            .await
            .map_err(ConnectError::unreachable)?;
        if let Some(claim) = &mut claim {
            claim.move_to(address);
        }
        Ok(Transport::tcp(stream, claim))
    }
}

async fn connect_tcp(address: SocketAddr, options: TcpOptions) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await.inspect_err(|error| {
        tracing::debug!(%address, %error, "the address did not take the connection");
    })?;
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
async fn dial_unix(path: &str, progress: &Progress) -> Result<Transport, ConnectError> {
    progress.enter(Phase::Connect, None);
    match tokio::net::UnixStream::connect(path).await {
        Ok(stream) => Ok(Transport::unix(stream)),
        Err(error) => Err(ConnectError::new(Phase::Connect, None, error)),
    }
}

#[cfg(not(unix))]
async fn dial_unix(_: &str, progress: &Progress) -> Result<Transport, ConnectError> {
    progress.enter(Phase::Connect, None);
    let unsupported = io::Error::from(io::ErrorKind::Unsupported);
    Err(ConnectError::new(Phase::Connect, None, unsupported))
}

#[cfg(test)]
mod tests;
