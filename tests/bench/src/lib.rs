//! What a pooled call costs, measured beside what a user would otherwise pick.
//!
//! Nothing here is timed on its own. A figure is a ratio to a bare tonic `Channel` in the same run, against the same
//! server, which is a process of its own: its work is not counted as the client's.

#![cfg(feature = "peers")]

pub mod chart;
pub mod checkout;
pub mod client;
pub mod compare;
pub mod load;
pub mod process;
pub mod server;
pub mod stats;
pub mod table;

/// The client, the server and the messages that pool-build made of `helloworld.proto`.
#[allow(missing_docs, reason = "generated")]
pub mod helloworld {
    tonic::include_proto!("helloworld");
}

/// Whatever went wrong: a benchmark that fails says so and ends.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
