//! A pool of gRPC connections, driven directly on h2, and the call policy over it.

mod call;
mod client;
mod conn;
mod error;
mod method;
mod pool;
mod service;
mod status;
mod target;

pub use call::ResponseBody;
pub use conn::connector::{Connecting, Connector, Io};
#[cfg(feature = "_tls")]
pub use conn::tls::TlsConfig;
pub use error::{Error, Phase};
pub use pool::backoff::Backoff;
pub use pool::builder::Builder;
pub use pool::event::{CloseReason, ConnectionState, Event, Observer};
pub use pool::lease::Lease;
pub use pool::picker::Strategy;
pub use pool::policy::Overflow;
pub use pool::stats::{ConnectionStats, PoolState, PoolStats};
pub use pool::{Pool, ShutdownReport};
pub use pool_macros::pooled_client;
pub use service::ResponseFuture;
pub use target::{InvalidTarget, Target};
#[cfg(feature = "_tls")]
pub use tokio_rustls::rustls;

/// The only names generated code may use. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::client::Client;
    pub use crate::method::{Deadline, Idempotency, Method, Shape};
    pub use crate::{Error, Pool};
    pub use pool_macros::__pooled_client_rpcs;
    pub use tonic;
}
