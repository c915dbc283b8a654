//! One connection: from a [`Target`](crate::Target) to bytes that go both ways.
//!
//! ```text
//! Dialer::dial   resolve -> spread -> happy_eyeballs -> tls     -> io::Transport
//!                (or the user's own connector        -> tls)
//! ```
//!
//! A dial knows nothing of pools: it takes no lock of theirs, has no time limit of its own (the caller
//! wraps it in the connect timeout and asks [`Progress`](progress::Progress) how far it came) and gives up
//! everything it holds when it is dropped.

pub(crate) mod connector;
pub(crate) mod dial;
pub(crate) mod error;
mod happy_eyeballs;
pub(crate) mod io;
pub(crate) mod progress;
mod resolve;
mod spread;
#[cfg(feature = "_tls")]
pub(crate) mod tls;
#[cfg(not(feature = "_tls"))]
#[path = "tls_absent.rs"]
pub(crate) mod tls;
