//! One HTTP/2 connection, driven directly on h2. Knows no pool and no protobuf.
//!
//! A connection is one task ([`driver`]) and any number of handles ([`connection`]): callers open streams on it from
//! their own tasks and poll the responses themselves. When the last handle is gone, h2 says GOAWAY and closes.

pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod driver;
pub(crate) mod handshake;
pub(crate) mod keepalive;
pub(crate) mod pace;

pub(crate) use self::connection::{Connection, Link};
