//! One HTTP/2 connection, from a [`Target`](crate::Target) to streams, driven directly on h2. Knows no pool and no
//! protobuf.
//!
//! ```text
//! Dialer::open   resolve -> spread -> happy_eyeballs, of attempts:
//!                  TCP (or a unix socket, or the user's connector) -> tls -> io::Transport
//!                  -> handshake: pace::Paced -> h2 -> the peer's SETTINGS -> Opened
//! Driver         the connection, until it ends
//! ```
//!
//! A dial takes no lock of the pool's, ends within its limit (then [`Progress`](progress::Progress) has how far each
//! attempt came) and gives up everything it holds when it is dropped.
//!
//! A connection is one task ([`driver`]) and any number of handles ([`connection`]): callers open streams on it from
//! their own tasks and poll the responses themselves. When the last handle is gone, h2 says GOAWAY and closes.

pub(crate) mod blocks;
mod connection;
pub(crate) mod connector;
pub(crate) mod control;
pub(crate) mod dial;
pub(crate) mod driver;
pub(crate) mod error;
pub(crate) mod goaway;
pub(crate) mod handshake;
mod happy_eyeballs;
pub(crate) mod io;
pub(crate) mod keepalive;
mod load;
pub(crate) mod pace;
pub(crate) mod progress;
pub(crate) mod protocol;
pub(crate) mod resets;
mod resolve;
pub(crate) mod silence;
mod spread;
#[cfg(feature = "_tls")]
pub(crate) mod tls;
#[cfg(not(feature = "_tls"))]
#[path = "tls_absent.rs"]
pub(crate) mod tls;
mod unflushed;

pub(crate) use self::connection::{Connection, Link};
