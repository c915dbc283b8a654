//! A stream slot checked out by hand.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::slot::Slot;

/// A stream slot on one connection, from [`Pool::acquire`](crate::Pool::acquire). Given back when it is dropped, by
/// whatever way.
///
/// It is a [`GrpcService`](tonic::client::GrpcService), so a plain tonic client can be made over it. It carries one
/// call at a time: a call that begins while another's response is still being received waits for its end, within its
/// own deadline. A call on a lease is never moved to another connection.
///
/// The lease may outlive the pool; its connection then closes when it is dropped, or at the end of `drain_timeout`.
pub struct Lease {
    slot: Arc<Mutex<Slot>>,
    connection: u64,
    acquired: Instant,
    opened: Instant,
}
