//! Transports of the user's own: proxies, tunnels, in-memory pipes, sockets with options of their own.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::Target;
use crate::conn::error::BoxError;

/// A stream of bytes in both directions, as a [`Connector`] gives it. Implemented for everything that
/// qualifies.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

impl fmt::Debug for dyn Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Io")
    }
}

/// What a [`Connector`] gives at once: the connection to come.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// Opens the transport that a connection runs on, in place of the pool's own TCP and unix sockets.
///
/// The pool asks for one transport per connection, wraps it in TLS if the target says `https`, and speaks
/// HTTP/2 over it. The connect timeout covers all of it; a connector that is too late is dropped at any of
/// its awaits. Resolving names, choosing among addresses and setting socket options is the connector's
/// own business: a dial is one attempt.
///
/// A connector that fails or panics fails the dial, with its error or the panic's message as the reason. A transport
/// that panics later ends its connection.
///
/// A closure from a [`Target`] to a future is a connector:
///
/// ```
/// use pool_runtime::{Connector, Target};
/// use tokio::net::TcpStream;
///
/// fn through_a_proxy() -> impl Connector {
///     |target: Target| async move {
///         let stream = TcpStream::connect("127.0.0.1:3128").await?;
///         // Here it would ask the proxy for `target`.
///         # let _ = target;
///         Ok::<_, std::io::Error>(stream)
///     }
/// }
/// ```
pub trait Connector: Send + Sync + 'static {
    /// Starts to open a transport to `target`.
    fn connect(&self, target: &Target) -> Connecting;
}

impl<F, Fut, IO, E> Connector for F
where
    F: Fn(Target) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<IO, E>> + Send + 'static,
    IO: Io,
    E: Into<BoxError>,
{
    fn connect(&self, target: &Target) -> Connecting {
        let connecting = self(target.clone());
        Box::pin(async move {
            match connecting.await {
                Ok(io) => Ok(Box::new(io) as Box<dyn Io>),
                Err(error) => Err(into_io_error(error.into())),
            }
        })
    }
}

/// An I/O error stays what it is, with its kind; anything else becomes the cause of one.
fn into_io_error(error: BoxError) -> io::Error {
    match error.downcast() {
        Ok(error) => *error,
        Err(error) => io::Error::other(error),
    }
}

impl fmt::Debug for dyn Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}
