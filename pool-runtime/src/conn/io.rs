//! The bytes of one connection, whatever carries them.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(feature = "_tls")]
use tokio_rustls::client::TlsStream;

use super::connector::Io;
use super::spread::Claim;

/// An open transport, ready for HTTP/2.
///
/// It holds the pool's use of its address: a connection counts towards the spread over the addresses for
/// exactly as long as its socket lives.
pub(crate) struct Transport {
    stream: Stream,
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    _claim: Option<Claim>,
}

/// What is below HTTP/2. The kinds are told apart statically: a pool has one kind for all its life, so
/// the branch is always predicted, while a call through a vtable would keep the socket's own code from
/// being inlined into h2's read and write loops.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Custom(Box<dyn Io>),
    /// Boxed for its size, which is a kilobyte of session state; the stream inside is one of the others.
    #[cfg(feature = "_tls")]
    Tls(Box<TlsStream<Stream>>),
}

impl Transport {
    pub(super) fn tcp(stream: TcpStream, claim: Option<Claim>) -> Self {
        Self {
            local: stream.local_addr().ok(),
            peer: stream.peer_addr().ok(),
            stream: Stream::Tcp(stream),
            _claim: claim,
        }
    }

    #[cfg(unix)]
    pub(super) fn unix(stream: UnixStream) -> Self {
        Self::without_addresses(Stream::Unix(stream))
    }

    pub(super) fn custom(io: Box<dyn Io>) -> Self {
        Self::without_addresses(Stream::Custom(io))
    }

    fn without_addresses(stream: Stream) -> Self {
        Self {
            stream,
            local: None,
            peer: None,
            _claim: None,
        }
    }

    /// Puts another layer over the stream. A failure drops everything, the claim included.
    pub(super) async fn layer<F, E>(self, layer: impl FnOnce(Stream) -> F) -> Result<Self, E>
    where
        F: Future<Output = Result<Stream, E>>,
    {
        Ok(Self {
            stream: layer(self.stream).await?,
            ..self
        })
    }

    /// The address of this end; `None` for a unix socket and for a user's own transport.
    #[cfg(test)]
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    /// The address of the other end; `None` for a unix socket and for a user's own transport.
    pub(crate) fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.stream {
            Stream::Tcp(_) => "tcp",
            #[cfg(unix)]
            Stream::Unix(_) => "unix",
            Stream::Custom(_) => "custom",
            #[cfg(feature = "_tls")]
            Stream::Tls(_) => "tls",
        };
        f.debug_struct("Transport")
            .field("kind", &kind)
            .field("local", &self.local)
            .field("peer", &self.peer)
            .finish()
    }
}

/// Does the same with whatever stream it is.
macro_rules! with_stream {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($io) => $call,
            #[cfg(unix)]
            Stream::Unix($io) => $call,
            Stream::Custom($io) => $call,
            #[cfg(feature = "_tls")]
            Stream::Tls($io) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with_stream!(self.get_mut(), io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        with_stream!(self.get_mut(), io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        with_stream!(self, io => io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
