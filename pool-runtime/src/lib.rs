//! A pool of gRPC connections.

mod client;
mod method;

pub use pool_macros::pooled_client;

/// A pool of connections to one target.
#[derive(Debug, Clone)]
pub struct Pool;

/// Why a pool could not do what was asked of it.
#[derive(Debug)]
pub struct Error;

impl Pool {
    /// Connects.
    pub async fn connect(target: impl Into<String>) -> Result<Self, Error> {
        let _ = target.into();
        todo!()
    }

    /// Makes a pool without connecting.
    pub fn connect_lazy(target: impl Into<String>) -> Result<Self, Error> {
        let _ = target.into();
        todo!()
    }
}

/// The only names generated code may use. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::client::Client;
    pub use crate::method::{Deadline, Idempotency, Method, Shape};
    pub use crate::{Error, Pool};
    pub use pool_macros::__pooled_client_rpcs;
    pub use tonic;
}
