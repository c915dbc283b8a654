//! Every test of the public API, in one binary: it links once.

#![allow(
    clippy::unwrap_used,
    reason = "clippy spares #[test] functions, but not their helpers"
)]

mod calls;
mod faults;
mod policy;
mod pool;
mod support;
