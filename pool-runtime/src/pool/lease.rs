//! A stream slot checked out by hand.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::event::CloseReason;
use super::shared::Shared;
use super::slot::Slot;

/// A stream slot on one connection, from [`Pool::acquire`](crate::Pool::acquire). Given back when it is dropped, by
/// whatever way.
///
/// It is a [`GrpcService`](tonic::client::GrpcService), so a plain tonic client can be made over it. It carries one
/// call at a time: a call that begins while another's response is still being received waits for its end, within its
/// own deadline. A call on a lease is never moved to another connection. A response that outlives the lease keeps
/// the slot until it ends.
///
/// The lease may outlive the pool; its connection then closes when it is dropped, or at the end of `drain_timeout`.
pub struct Lease {
    connection: u64,
    opened: Instant,
    held: Held,
}

/// A lease's slot. What it takes to share it is made when a call first does: many leases are over before that.
enum Held {
    Alone(Slot),
    /// Calls take turns on it.
    InTurns(Arc<Shared>, Arc<Mutex<Slot>>),
    /// While one becomes the other, which nobody sees.
    Neither,
}

impl Lease {
    pub(crate) fn new(slot: Slot) -> Self {
        Self {
            connection: slot.id(),
            opened: slot.connection().opened,
            held: Held::Alone(slot),
        }
    }

    fn shared(&self) -> Option<&Arc<Shared>> {
        match &self.held {
            Held::Alone(slot) => Some(slot.shared()),
            Held::InTurns(shared, _) => Some(shared),
            Held::Neither => None,
        }
    }

    /// The number of the connection, unique in its pool.
    pub fn connection_id(&self) -> u64 {
        self.connection
    }

    /// The time since the connection was opened.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Says that the connection is not to be used again: it drains from now on, calls in flight on it finish, and it
    /// is replaced. Saying it again changes nothing.
    pub fn mark_broken(&self) {
        if let Some(shared) = self.shared() {
            shared.going_away(self.connection, CloseReason::Broken);
        }
    }

    /// What a call over the lease needs of it.
    pub(crate) fn parts(&mut self) -> Option<(Arc<Shared>, Arc<Mutex<Slot>>)> {
        self.held = match std::mem::replace(&mut self.held, Held::Neither) {
            Held::Alone(slot) => Held::InTurns(slot.shared().clone(), Arc::new(Mutex::new(slot))),
            held => held,
        };
        match &self.held {
            Held::InTurns(shared, slot) => Some((shared.clone(), slot.clone())),
            _ => None,
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("endpoint", &self.shared().map(|shared| &shared.endpoint))
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
