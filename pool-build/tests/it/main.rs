//! pool-build from outside: what it writes, what it refuses, what its settings do.

#![allow(clippy::unwrap_used, reason = "clippy sees no tests in what is shared by tests")]

mod errors;
mod golden;
mod service_config;
mod settings;
mod support;
