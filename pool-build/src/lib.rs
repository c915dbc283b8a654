//! Compiles `.proto` files into tonic clients that `#[pooled_client]` can wrap.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     pool_build::compile_protos(&["proto/helloworld.proto"], &["proto"])?;
//!     Ok(())
//! }
//! ```
//!
//! The output is what tonic-prost-build writes, and is included in the same way:
//!
//! ```text
//! pub mod helloworld { tonic::include_proto!("helloworld"); }
//!
//! #[pooled_client(helloworld::greeter_client::GreeterClient)]
//! pub struct Greeter;
//! ```
//!
//! # Why not tonic-prost-build alone
//!
//! An attribute sees the item it stands on and nothing else. It can't open the generated file: a
//! macro that reads files misses changes, and it would not know where the file of another crate is. So
//! the list of RPCs has to come to the attribute by a way that the compiler itself resolves. pool-build
//! adds to each client module a hidden `macro_rules!` that holds the list and hands it on to whoever
//! calls it. It has the client's own name, as a macro and a type may share one, so the attribute finds it by the path the
//! user wrote. That works for clients of the same crate and of other crates, and what the compiler can't find it reports
//! at the user's own path.
//!
//! The list is read from the client that tonic-prost-build has just written, not from the descriptor:
//! whatever was configured (other codecs, extern paths, comments left out), the pooled methods have the
//! types, docs and paths of tonic's methods.
//!
//! # Names of RPCs
//!
//! An RPC's method has the name that prost gives it: `SayHello` is `say_hello`, and `Type` is `r#type`.
//! Names that the generated client has for itself get an underscore at the end: in tonic's client
//! `new_`, `connect_`, `with_origin_`, `with_interceptor_`, `send_compressed_`, `accept_compressed_`,
//! `max_decoding_message_size_` and `max_encoding_message_size_` (tonic alone does not compile such
//! an RPC); the pooled client adds `connect_lazy_`, `pool_`, `pool_builder_`, `with_deadline_` and `clone_`. The server's
//! trait keeps the plain names. Two RPCs of a service that come out with the same name are an error.
//!
//! # Clients that were compiled without pool-build
//!
//! The attribute takes their RPCs by hand. Where a crate exports the descriptor set of its .proto files, as tonic-health
//! does, [`Builder::compile_encoded_fds`] generates a client over that crate's messages instead.
//!
//! # Including the output
//!
//! A file may be included once in a crate; everybody else in the crate names it by path or re-exports
//! it. The reason is the `#[macro_export]` that makes clients usable from other crates: Rust knows such
//! macros by one crate-wide name. Where a file has to be included twice,
//! [`Builder::cross_crate(false)`](Builder::cross_crate) leaves that attribute out.

mod builder;
mod config;
mod descriptor;
mod emit;
mod error;
mod generator;
mod policy;
mod service;

use std::path::Path;

pub use builder::{Builder, configure};
pub use config::UnknownNames;
pub use error::Error;

// The types that `Builder::tonic`, `Builder::prost` and `Builder::compile_fds` take, so that a build
// script needs no dependency of its own to name them.
pub use prost_build;
pub use prost_types::FileDescriptorSet;
pub use tonic_prost_build;

/// Compiles `protos`, looking for what they import in `includes`, with all settings at their defaults.
///
/// The Rust files are written to `OUT_DIR`, one per package, as `tonic::include_proto!` expects them.
/// Short for [`configure()`]`.compile_protos(protos, includes)`.
///
/// # Errors
///
/// When a file can't be read or is not valid; the error names file, line and column.
pub fn compile_protos<P, I>(protos: &[P], includes: &[I]) -> Result<(), Error>
where
    P: AsRef<Path>,
    I: AsRef<Path>,
{
    configure().compile_protos(protos, includes)
}
