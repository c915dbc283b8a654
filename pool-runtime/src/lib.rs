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
//! 2. It is sent. If the peer cannot have processed it, it is sent again, to another address or connection if one has a free
//!    stream: until the deadline if nothing of it had left, or if a GOAWAY of a connection that had answered others excluded it;
//!    else once, if the stream was refused, or excluded by a connection that had answered nobody (gRFC A6).
//! 3. If it fails before its response begins, and its policy says so, it is made again: see below.
//! 4. It ends with the last byte of its response, its failure, its deadline, or when its future or its response is
//!    dropped. Then, and not before, the slot goes to the next in line.
//!
//! # Deadlines
//!
//! The client's, the RPC's, the service configs' and the call's own (`Request::set_timeout`): the shortest of those that
//! are stated holds, and for unary calls of annotated clients of which none is stated, the pool's
//! [`deadline`](Builder::deadline). It covers everything from the method call to the last byte, and what is left of it
//! when the request goes out is its `grpc-timeout`.
//!
//! # Precedence
//!
//! The same things can be said of a call in several places. Of whether it waits for ready, and of attempts beyond the
//! first, the nearest word holds, each for itself:
//!
//! 1. the call: [`CallOptions`] in the request's extensions;
//! 2. the attribute, of the RPC: `some_rpc(retry, wait_for_ready)`;
//! 3. the attribute, of the client: `wait_for_ready`, `retry = "none"`;
//! 4. the running pool's service config (`Builder::service_config`, `Pool::set_service_config`);
//! 5. the service config that pool-build was given;
//! 6. the .proto: an RPC with an `idempotency_level`, or that the attribute calls `idempotent`, is retried by
//!    [`RetryPolicy::IDEMPOTENT`]. Others fail at once while the endpoint cannot be reached, and are never repeated once
//!    the peer may have processed them.
//!
//! "None" is a word as well: `retry = "none"` and [`CallOptions::no_retry`] hide what is said further down. Deadlines and
//! limits of message sizes are there to protect somebody: of those the smallest holds, wherever it is stated, and a
//! default (30 s, and 4 MiB for a response) only where none is. Within a service config, the entry of the method hides
//! that of its service, and that the default.
//!
//! What concerns the pool: the `retryThrottling` of the running service config holds, else what the [`Builder`] was told,
//! where `Name::pool_builder` of an annotated client starts with that of pool-build's. Of the limits on connections the
//! smallest holds, where the running config's `connectionScaling` takes the place of pool-build's.
//!
//! # Retries and hedging
//!
//! A call that may have been processed is made again only if that is stated: by the RPC's retry or hedging policy (gRFC
//! A6), or by its being idempotent (`idempotency_level` in the .proto, `idempotent` on the attribute), for which there are
//! three attempts at most, about 100 and 200 ms apart, while the server is UNAVAILABLE.
//!
//! - **Retries** come one after the other. A call is committed once its response begins: a failure after that is final. The
//!   request is kept for the next attempt, a streamed one up to 256 KiB and all of a pool's up to 16 MiB, past which the
//!   call is committed too.
//! - **Hedges** run side by side, and the first to be answered wins. Only calls with one request message are hedged, and
//!   none over a [`Lease`]. A hedge takes a slot only if one is free at once.
//! - The deadline spans all attempts, and each tells the server what is left of it. A retry that would begin past it is not
//!   waited for.
//! - The server can override the delay: `grpc-retry-pushback-ms` moves the next attempt, by at most two minutes, or forbids it, and
//!   `grpc-previous-rpc-attempts` tells it how many there were.
//! - [`retry_throttling`](Builder::retry_throttling) bounds the load that retries put on an endpoint that fails.
//!
//! The caller gets what the last attempt failed with, and finds the number of attempts in [`Error::attempts`].
//!
//! In the handler of a tonic server with an [`InheritLayer`], calls take no longer than what is left of the incoming
//! request's `grpc-timeout`, and are cancelled with it.
//!
//! # Failures
//!
//! Calls fail with a [`Status`](tonic::Status). Those that the server sent are passed on as they are; in those made here
//! [`Error::of`] finds what happened: the endpoint, the [`Phase`], the number of attempts, the cause, and whether the
//! request was sent. In a status of the server's it finds an error only if there was more than one attempt, or if the
//! deadline left no time for another ([`Error::is_answer`]).
//!
//! | what happened | code |
//! |---|---|
//! | the deadline passed, its own or an inherited one, in whatever phase | DEADLINE_EXCEEDED |
//! | the incoming call that it was made for was cancelled | CANCELLED |
//! | no connection could be opened; the connection was lost, whichever side ended it; the pool is closed | UNAVAILABLE |
//! | the queue is full, or `acquire_timeout` passed | RESOURCE_EXHAUSTED |
//! | the peer reset the stream | by its code, as gRPC's HTTP/2 mapping says |
//! | the answer is not gRPC | by its HTTP status, as gRPC's mapping says |
//! | a message, or the headers or trailers, are over their limit | RESOURCE_EXHAUSTED |
//! | a method that answers with one message sent none, or two | UNIMPLEMENTED |
//! | the response has no status, or two | UNKNOWN |
//! | a message is compressed in a way that was not asked for, or cannot be decoded | INTERNAL |
//!
//! A status UNIMPLEMENTED without a message gets one that names the method and the server. A status CANCELLED that comes
//! when the call's deadline has passed is DEADLINE_EXCEEDED. A plain tonic client over a [`Pool`] or a [`Lease`] counts the
//! messages itself, and checks their size: no message is INTERNAL, the first of two is taken, and an oversize one is OUT_OF_RANGE.
//!
//! # Panics
//!
//! Nothing that a peer, a setting or an argument can cause panics. Code of yours that panics inside of a call harms that
//! call alone, and its stream is reset and its slot given back:
//!
//! | what panics | the call |
//! |---|---|
//! | a request stream; the encoder of a call that streams, or of a codec other than prost's | fails with INTERNAL, which has the text of the panic |
//! | a decoder, an interceptor, the encoder of a unary call of prost messages | unwinds to its caller, in whose task they run |
//!
//! An interceptor that has panicked is called again by the next call.
//!
//! # Cancel safety
//!
//! Every future here may be dropped at any point: a call that is dropped is cancelled (RST_STREAM), a caller that waits
//! leaves the line, and what either held goes to the next.
//!
//! # Runtimes
//!
//! A pool is made outside of any runtime. Its connections are tasks on a Tokio runtime, with time and I/O enabled: the one
//! that was given to [`Builder::runtime`], or else the one that was current when a call needed them.
//!
//! A connection ends with the runtime that drives it. The next call opens another on its own runtime, so a pool in a
//! `static` serves runtimes one after the other. If several runtimes use a pool at the same time, as parallel tests with a
//! runtime each do, calls on one may use a connection that another drives, and fail with UNAVAILABLE when that one is shut
//! down; those that had not been sent are sent again. Give such a pool a runtime of its own.
//!
//! A runtime must be run: on a current-thread runtime that nobody blocks on, connections stand still, and so do calls on
//! them. A connection that is to be opened there keeps nobody waiting for longer than a moment: callers on other
//! runtimes open another. A call on a runtime that is shutting down fails with UNAVAILABLE if it needs a new connection.
//!
//! # Tests with a paused clock
//!
//! Tokio's paused clock (`#[tokio::test(start_paused = true)]`) jumps to the next timer whenever no task can run. While
//! bytes are on their way through a real socket no task can run, so deadlines, `connect_timeout` and keepalive run out
//! before the answer arrives. In such tests connect through memory: a [`Connector`] gives the pool one end of a pipe, and
//! the server the other.
//!
//! ```
//! use std::io;
//! use pool_runtime::{Pool, Target};
//! use tokio::sync::mpsc;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), pool_runtime::Error> {
//! let (server_ends, mut incoming) = mpsc::unbounded_channel();
//! let pool = Pool::builder("http://in.memory")
//!     .connector(move |_: Target| {
//!         let (ours, servers) = tokio::io::duplex(64 << 10);
//!         let sent = server_ends.send(io::Result::Ok(servers));
//!         std::future::ready(sent.map(|()| ours).map_err(io::Error::other))
//!     })
//!     .build()?;
//!
//! // tonic's server takes them as a stream:
//! //   tokio::spawn(Server::builder().add_service(service)
//! //       .serve_with_incoming(UnboundedReceiverStream::new(incoming)));
//! # tokio::spawn(async move {
//! #     while let Some(Ok(end)) = incoming.recv().await {
//! #         tokio::spawn(async move {
//! #             let mut server = h2::server::handshake(end).await.expect("a client");
//! #             while server.accept().await.is_some() {}
//! #         });
//! #     }
//! # });
//! pool.ready(1).await?;
//! # Ok(())
//! # }
//! ```
//!
//! `examples/in_memory.rs` has the whole of it.
//!
//! A process that forks leaves the tasks of its runtimes behind: in the child, the first call over a connection of the
//! parent runs into its deadline, the error names the fork, and later calls open connections of the child's own. Build a pool after the
//! fork, or connect after it, to be spared that.
//!
//! # How many connections
//!
//! The pool opens another connection when calls wait for a stream, and when the tasks of all its connections are busy all
//! the time, which is when a core is used up and not the streams; on a runtime with one thread the latter never happens.
//! So with many cores, leave [`max_connections`](Builder::max_connections) at about their number.
//!
//! A connection that was lost with calls in flight is redialled once without being asked for, because its callers will
//! come back. A connection that the others did not need for a whole [`idle_timeout`](Builder::idle_timeout) is closed.
//!
//! Messages of any size go at full speed over a local network with the defaults: frames of 1 MiB, windows of 2 MiB for a
//! stream and 5 MiB for a connection. A window is what may be under way: a single stream gets no more than its window in
//! a round trip, 2 MiB in 100 ms being 20 MB/s. Over a long network with more bandwidth than that, raise
//! [`initial_stream_window_size`](Builder::initial_stream_window_size) to bandwidth times round trip, and the connection's
//! with it. Messages over 4 MiB are refused unless the client is told otherwise (`max_decoding_message_size`).
//!
//! # Cargo features
//!
//! - `tls-ring` or `tls-aws-lc`: `https` targets, by rustls with that provider.
//! - `tls-native-roots`, `tls-webpki-roots`: trust what the system or Mozilla trusts.
//! - `gzip`, `deflate`, `zstd`: message compression, as in tonic.
//! - `serde`: `Serialize` for [`PoolStats`].
//! - `service-config`: gRPC's service config in JSON, at run time. (What pool-build was given needs no feature.)

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod __fuzz;
mod call;
mod call_options;
mod client;
mod conn;
mod error;
mod hints;
mod limit;
mod method;
mod panic;
mod pool;
mod precedence;
mod server;
mod service;
mod status;
mod target;
mod unary;

pub use call::{Inherited, ResponseBody};
pub use call_options::CallOptions;
pub use conn::connector::{Connecting, Connector, Io};
// Not `_tls`: rustc quotes the condition to who looks for the type without a feature.
#[cfg(any(
    feature = "tls-ring",
    feature = "tls-aws-lc",
    feature = "tls-native-roots",
    feature = "tls-webpki-roots"
))]
pub use conn::tls::TlsConfig;
pub use error::{Error, Phase};
pub use pool::backoff::Backoff;
pub use pool::builder::Builder;
pub use pool::event::{CloseReason, ConnectionState, Event, Observer};
pub use pool::lease::Lease;
pub use pool::picker::Strategy;
pub use pool::policy::Overflow;
pub use pool::stats::{ConnectFailure, ConnectionStats, PoolState, PoolStats};
pub use pool::{Pool, ShutdownReport};
pub use pool_call_policy::{Codes, HedgingPolicy, InvalidPolicy, RetryPolicy};
pub use pool_macros::pooled_client;
pub use server::{Inherit, InheritBody, InheritFuture, InheritLayer};
pub use service::ResponseFuture;
pub use target::{InvalidTarget, Target};
#[cfg(any(
    feature = "tls-ring",
    feature = "tls-aws-lc",
    feature = "tls-native-roots",
    feature = "tls-webpki-roots"
))]
pub use tokio_rustls::rustls;

/// The only names generated code may use. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::client::Client;
    pub use crate::hints::{CompiledByPoolBuild, IntoPool, compiled_by_pool_build};
    pub use crate::method::{Deadline, Idempotency, Method, PoolConfig, PoolDefaults, Shape, pool_builder};
    pub use crate::{Builder, Error, Pool};
    pub use pool_call_policy::{Attempts, Codes, HedgingPolicy, MethodConfig, RetryPolicy, RetryThrottling};
    pub use pool_macros::{__pooled_client_missing, __pooled_client_rpcs};
    pub use tonic;
    pub use tonic_prost::ProstCodec;
}
