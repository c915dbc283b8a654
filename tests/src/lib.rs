//! What the tests of the public API stand on: servers that do as they are told and tell what they
//! saw.
//!
//! - [`server::TestServer`] is a working gRPC server for calls that are to succeed, be slow, fail
//!   with a status or lose their connection. It counts connections and streams by reading the
//!   frames on the wire, so a limit that a client oversteps for one moment is seen.
//! - [`tls::Authority`] makes the certificates for it.
//! - [`pb`] is the service it offers: each request carries the script of its own call.
//! - [`fault::FaultServer`] speaks HTTP/2 frame by frame as a script tells it, for all that a
//!   working server would never do.
//!
//! Everything listens on an ephemeral port of the loopback interface, waits for conditions and
//! not for time to pass, bounds each wait by [`PATIENCE`], and is gone once it is dropped. Being
//! test code it panics where a test would have to: on a loopback that cannot be bound and on a
//! condition that does not come about.

pub mod fault;
mod host;
pub mod server;
mod socket;
pub mod stats;
mod tap;
mod tasks;
pub mod tls;
pub mod wire;

/// The service `pooltest.TestService`, generated from `proto/testing.proto`.
pub mod pb {
    #![allow(missing_docs, unreachable_pub, reason = "generated code")]

    tonic::include_proto!("pooltest");
}

/// How long an awaiting helper waits for its condition before it fails the test.
///
/// Only a test that fails waits this long, so it is generous: a loaded machine with two cores
/// must not be mistaken for a lost wake-up.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Waits for `future`, and fails the test when that takes longer than [`PATIENCE`].
///
/// # Panics
///
/// When it does; the message names `what` was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: nothing for {PATIENCE:?}"),
    }
}
