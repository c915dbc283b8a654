//! A gRPC server on real sockets that tells what it saw and ends connections on demand.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tests::pb::{TestRequest, test_service_client::TestServiceClient};
//! use tests::server::TestServer;
//!
//! let server = TestServer::builder().max_concurrent_streams(10).start().await;
//! let channel = tonic::transport::Endpoint::from_shared(server.uri())?.connect().await?;
//! let mut client = TestServiceClient::new(channel);
//! client.unary(TestRequest::default()).await?;
//! server.until(|stats| stats.streams_now == 0).await;
//! assert_eq!(server.stats().streams_total, 1);
//! # Ok(())
//! # }
//! ```
//!
//! The server runs on the runtime it was started on and goes with it; a test of two runtimes
//! starts it on the one that lives longer.

mod builder;
mod connection;
mod service;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

pub use self::builder::Builder;
use self::connection::{Connections, Order};
use crate::host::Host;
use crate::stats::Stats;
use crate::tasks::Tasks;

/// A running server. Dropping it closes its listener and all its connections.
pub struct TestServer {
    host: Host,
    connections: Arc<Connections>,
}

impl TestServer {
    /// Options for a server.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A server with default options.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    async fn start_with(builder: Builder) -> Self {
        let tasks = Tasks::new();
        let connections = Connections::new(builder.routes, builder.manner, tasks.clone());
        let connections = Arc::new(connections);
        let host = Host::start(builder.address, tasks, Arc::clone(&connections)).await;
        Self { host, connections }
    }

    /// The target to connect to: `http://127.0.0.1:port`, `https://127.0.0.1:port` or
    /// `unix:/path`.
    pub fn uri(&self) -> String {
        self.host
            .uri(if self.connections.have_tls() { "https" } else { "http" })
    }

    /// The TCP address, if the server has one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.host.address()
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

    /// Refuses new connections once this returns. The accepted ones stay; those that the server
    /// had not got round to accepting are reset, as everywhere when a listener is closed.
    pub async fn close_listener(&self) {
        self.host.close_listener().await;
    }

    /// Accepts connections again, on the same address.
    ///
    /// # Panics
    ///
    /// When somebody else has taken the address meanwhile.
    pub async fn reopen_listener(&self) {
        self.host.reopen_listener(Arc::clone(&self.connections)).await;
    }

    /// Shuts every open connection down gracefully: GOAWAY, and the calls in flight finish.
    pub fn drain_all(&self) {
        self.connections.order_all(Order::Drain);
    }

    /// Shuts one connection down gracefully.
    pub fn drain(&self, connection: usize) {
        self.connections.order(connection, Order::Drain);
    }

    /// Closes every open connection at once, in the middle of its calls and without GOAWAY.
    pub fn cut_all(&self) {
        self.connections.order_all(Order::Cut);
    }

    /// Closes one connection at once.
    pub fn cut(&self, connection: usize) {
        self.connections.order(connection, Order::Cut);
    }

    /// Ends every open connection with a TCP reset.
    pub fn reset_all(&self) {
        self.connections.order_all(Order::Reset);
    }

    /// Ends one connection with a TCP reset.
    pub fn reset(&self, connection: usize) {
        self.connections.order(connection, Order::Reset);
    }

    /// Stops the server and waits until its last task is gone.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("uri", &self.uri())
            .field("stats", &self.stats())
            .finish()
    }
}
