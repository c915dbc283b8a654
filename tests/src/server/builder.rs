//! The options of a server.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio_rustls::rustls::ServerConfig;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::codegen::Service;
use tonic::server::NamedService;
use tonic::service::Routes;

use super::TestServer;
use super::service::Scripted;
use crate::pb::test_service_server::TestServiceServer;
use crate::socket::Address;
use crate::tls::Authority;

/// What the server's certificate is for.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Options of a [`TestServer`]. What is left alone behaves as tonic's server does by default.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    pub(super) address: Address,
    pub(super) routes: Routes,
    pub(super) manner: Manner,
}

/// How each connection is treated.
#[derive(Debug, Clone, Default)]
pub(super) struct Manner {
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) silent: bool,
    pub(super) max_concurrent_streams: Option<u32>,
    pub(super) max_connection_age: Option<Duration>,
    pub(super) max_calls_per_connection: Option<usize>,
    pub(super) tolerated_resets: Option<usize>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            address: Address::Tcp(([127, 0, 0, 1], 0).into()),
            // Gzip is for those who send or ask for it; the others do not notice.
            routes: Routes::new(
                TestServiceServer::new(Scripted::default())
                    .accept_compressed(CompressionEncoding::Gzip)
                    .send_compressed(CompressionEncoding::Gzip),
            ),
            manner: Manner::default(),
        }
    }

    /// Offers a further service beside `pooltest.TestService`.
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes = self.routes.add_service(service);
        self
    }

    /// Listens on a unix socket at `path` instead of a TCP port.
    pub fn unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.address = Address::Unix(path.into());
        self
    }

    /// Speaks TLS, with a certificate that `authority` issues for `localhost` and 127.0.0.1.
    pub fn tls(mut self, authority: &Authority) -> Self {
        self.manner.tls = Some(authority.server(&NAMES, false));
        self
    }

    /// Like [`tls`](Self::tls), and takes only clients with a certificate of the same authority.
    pub fn mutual_tls(mut self, authority: &Authority) -> Self {
        self.manner.tls = Some(authority.server(&NAMES, true));
        self
    }

    /// Announces SETTINGS_MAX_CONCURRENT_STREAMS, and refuses what goes beyond it.
    pub fn max_concurrent_streams(mut self, limit: u32) -> Self {
        self.manner.max_concurrent_streams = Some(limit);
        self
    }

    /// Shuts each connection down gracefully, with GOAWAY, when it has reached this age.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.manner.max_connection_age = Some(age);
        self
    }

    /// Shuts each connection down gracefully after this many calls, as recycling proxies do.
    pub fn max_calls_per_connection(mut self, calls: usize) -> Self {
        self.manner.max_calls_per_connection = Some(calls);
        self
    }

    /// How many streams a client may have reset before they were looked at; h2 takes more than
    /// 20 for an attack and ends the connection.
    pub fn tolerate_resets(mut self, resets: usize) -> Self {
        self.manner.tolerated_resets = Some(resets);
        self
    }

    /// Accepts connections and never says a word on them, TLS handshake included.
    pub fn silent(mut self) -> Self {
        self.manner.silent = true;
        self
    }

    /// Starts the server on the current runtime.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub async fn start(self) -> TestServer {
        TestServer::start_with(self).await
    }
}
