//! A pool of gRPC connections, driven directly on h2, and the call policy over it.
//!
//! Most users need three names: [`pooled_client`], which makes a typed client of a tonic client that `pool-build`
//! compiled; [`Pool`], which they set up with [`Pool::builder`]; and [`Error`], which they find in a failed call's
//! [`Status`](tonic::Status) with [`Error::of`].
//!
//! ```
//! use std::time::Duration;
//! use pool_runtime::{Pool, Strategy};
//!
//! // No I/O yet, and no runtime needed: connections are opened when calls need them.
//! let pool = Pool::builder("http://127.0.0.1:50051")
//!     .max_connections(4)
//!     .max_concurrent_streams(50)
//!     .strategy(Strategy::FillFirst)
//!     .keep_alive_interval(Duration::from_secs(30))
//!     .build()?;
//! println!("{}", pool.stats());
//! # Ok::<(), pool_runtime::Error>(())
//! ```
//!
//! # What a call goes through
//!
//! 1. It takes a **stream slot**: the right to have one stream in flight on one connection. A connection has as many
//!    as the smaller of [`max_concurrent_streams`](Builder::max_concurrent_streams) and what the peer allows at the
//!    moment. If none is free, the call waits in line, and connections are opened as the line needs them, up to
//!    [`max_connections`](Builder::max_connections).
//! 2. It is sent, and sent again on another slot for as long as the peer cannot have processed it: its connection was
//!    lost before a byte was written, the stream was refused, or a GOAWAY excluded it.
//! 3. It ends with the last byte of its response, its failure, its deadline, or when its future or its response is
//!    dropped. Then, and not before, the slot goes to the next in line.
//!
//! # Deadlines
//!
//! The client's, the RPC's and the call's own (`Request::set_timeout`): the shortest of those that are stated holds, and
//! for unary calls of annotated clients that state none, the pool's [`deadline`](Builder::deadline). It covers
//! everything from the method call to the last byte, and what is left of it when the request goes out is its
//! `grpc-timeout`.
//!
//! In the handler of a tonic server with an [`InheritLayer`], calls take no longer than what is left of the incoming
//! request's `grpc-timeout`, and are cancelled with it.
//!
//! # Failures
//!
//! Calls fail with a [`Status`](tonic::Status). Those that the server sent are passed on as they are; in those made here
//! [`Error::of`] finds what happened: the endpoint, the [`Phase`], the number of attempts, the cause, and whether the
//! request was sent.
//!
//! | what happened | code |
//! |---|---|
//! | the deadline passed, its own or an inherited one, in whatever phase | DEADLINE_EXCEEDED |
//! | the incoming call that it was made for was cancelled | CANCELLED |
//! | no connection could be opened; the connection was lost; the pool is closed | UNAVAILABLE |
//! | the queue is full, or `acquire_timeout` passed | RESOURCE_EXHAUSTED |
//! | the peer reset the stream | by its code, as gRPC's HTTP/2 mapping says |
//! | the answer is not gRPC | by its HTTP status, as gRPC's mapping says |
//!
//! # Cancel safety
//!
//! Every future here may be dropped at any point: a call that is dropped is cancelled (RST_STREAM), a caller that waits
//! leaves the line, and what either held goes to the next.
//!
//! # Runtimes
//!
//! A pool is made outside of any runtime. Its connections are tasks on the Tokio runtime (with time and I/O enabled)
//! that was current when a call needed them. When that runtime is shut down, they end with it, and the next call opens
//! new ones on its own runtime: a pool in a `static` serves tests that have a runtime each. A call on one runtime may
//! use a connection that another drives, and fails if that one is shut down under it.
//!
//! # Cargo features
//!
//! - `tls-ring` or `tls-aws-lc`: `https` targets, by rustls with that provider.
//! - `tls-native-roots`, `tls-webpki-roots`: trust what the system or Mozilla trusts.
//! - `gzip`, `deflate`, `zstd`: message compression, as in tonic.
//! - `serde`: `Serialize` for [`PoolStats`].

mod call;
mod client;
mod conn;
mod error;
mod method;
mod pool;
mod server;
mod service;
mod status;
mod target;
mod unary;

pub use call::{Inherited, ResponseBody};
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
pub use server::{Inherit, InheritBody, InheritFuture, InheritLayer};
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
