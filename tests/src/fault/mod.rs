//! A server that speaks HTTP/2 frame by frame, as a script tells it.
//!
//! A working server cannot be made to misbehave, and what a client does about a peer that does is
//! half of its job. Here a script has each connection in its hands, with nothing between it and
//! the socket but the cutting of frames:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use tests::fault::{Conn, FaultServer};
//! use tests::wire::setting;
//!
//! let server = FaultServer::start(|mut conn: Conn| async move {
//!     conn.handshake(&[(setting::MAX_CONCURRENT_STREAMS, 1)]).await?;
//!     let request = conn.next_request().await?;
//!     conn.respond(request.stream).await?;
//!     conn.abort()
//! })
//! .await;
//! # let _ = server.uri();
//! # }
//! ```
//!
//! The ready-made scripts are in [`cases`]. What the client sent is in
//! [`Stats::connections`], streams counted as everywhere and each frame as it was read.

pub mod cases;
mod conn;
mod flow;
mod frame;
mod request;
mod respond;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

pub use self::conn::Conn;
pub use self::frame::Frame;
pub use self::request::Request;
use crate::host::{self, Guest, Host, Serve};
use crate::socket::{Address, Io};
use crate::stats::Stats;
use crate::tasks::Tasks;

/// What is done with each connection. Every `Fn(Conn) -> impl Future` is one.
///
/// A script that ends in an error has met its client's end, or a client that broke the protocol:
/// that is kept as the connection's `violation`.
pub trait Script: Send + Sync + 'static {
    /// The script under way.
    type Run: Future<Output = io::Result<()>> + Send + 'static;

    /// Starts the script on a connection.
    fn run(&self, conn: Conn) -> Self::Run;
}

impl<F, R> Script for F
where
    F: Fn(Conn) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<()>> + Send + 'static,
{
    type Run = R;

    fn run(&self, conn: Conn) -> R {
        self(conn)
    }
}

/// A running fault server. Dropping it closes its listener and all its connections.
pub struct FaultServer {
    host: Host,
    scripted: Arc<Scripted>,
}

impl FaultServer {
    /// Starts a server on the current runtime that runs `script` on each connection.
    ///
    /// # Panics
    ///
    /// When the loopback cannot be bound.
    pub async fn start(script: impl Script) -> Self {
        let scripted = Arc::new(Scripted(Box::new(move |conn| Box::pin(script.run(conn)))));
        let address = Address::Tcp(([127, 0, 0, 1], 0).into());
        let host = Host::start(address, Tasks::new(), Arc::clone(&scripted)).await;
        Self { host, scripted }
    }

    /// The target to connect to.
    pub fn uri(&self) -> String {
        self.host.uri("http")
    }

    /// A way into the server that needs no socket: on a paused clock, which would run ahead of what a socket has yet to
    /// deliver, this is the only one.
    pub fn entrance(&self) -> Entrance {
        Entrance {
            host: self.host.entrance(),
            scripted: Arc::clone(&self.scripted),
        }
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.host.address().expect("a fault server listens on TCP")
    }

    /// What the server has seen so far.
    pub fn stats(&self) -> Stats {
        self.host.stats()
    }

    /// Waits until what the server has seen meets `condition`, and returns it.
    ///
    /// # Panics
    ///
    /// When that takes longer than [`PATIENCE`](crate::PATIENCE).
    pub async fn until(&self, condition: impl FnMut(&Stats) -> bool) -> Stats {
        self.host.until(condition).await
    }

    /// Refuses new connections once this returns; the accepted ones stay.
    pub async fn close_listener(&self) {
        self.host.close_listener().await;
    }

    /// Accepts connections again, on the same address.
    ///
    /// # Panics
    ///
    /// When somebody else has taken the address meanwhile.
    pub async fn reopen_listener(&self) {
        self.host.reopen_listener(Arc::clone(&self.scripted)).await;
    }

    /// Stops the server and waits until its last task is gone.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

impl fmt::Debug for FaultServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultServer")
            .field("uri", &self.uri())
            .field("stats", &self.stats())
            .finish()
    }
}

/// See [`FaultServer::entrance`]. Closed with the server.
#[derive(Clone)]
pub struct Entrance {
    host: host::Entrance,
    scripted: Arc<Scripted>,
}

impl Entrance {
    /// Runs the script on this transport.
    pub fn take(&self, io: impl Io) {
        self.host.take(io, &*self.scripted);
    }

    /// Runs the script on a pipe that holds so many bytes in either direction, and returns its other end.
    pub fn pipe(&self, bytes: usize) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(bytes);
        self.take(theirs);
        ours
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance").finish_non_exhaustive()
    }
}

type Run = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// The script of a server.
struct Scripted(Box<dyn Fn(Conn) -> Run + Send + Sync>);

impl Serve for Scripted {
    fn serve(&self, guest: Guest) -> impl Future<Output = ()> + Send + 'static {
        let notes = guest.page.notes();
        let run = (self.0)(Conn::new(guest));
        async move {
            if let Err(error) = run.await
                && !conn::is_end(&error)
            {
                notes.violated(error.to_string());
            }
        }
    }
}
