//! What the core tells its driver to do.

use std::time::Duration;

use tokio::time::Instant;

use super::{ConnectionId, DialId};
use crate::pool::event::CloseReason;

/// What the driver has to do. `W` is how a waiter is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect<W> {
    /// Dial, at once or at a time.
    Dial { id: DialId, at: Option<Instant> },
    /// Hand the waiter the slot that was taken for it.
    Grant { waiter: W, connection: ConnectionId },
    /// Tell the waiter that it waits in vain.
    Refuse { waiter: W, why: Refusal },
    /// Take the connection out of use; cut what is left after the given time, if one is given.
    Drain {
        connection: ConnectionId,
        reason: CloseReason,
        cut_after: Option<Duration>,
    },
}

/// Why a caller gets no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The pool is closed.
    Closed,
    /// The queue is full.
    QueueFull,
    /// The endpoint cannot be reached; the pool has the last dial's error.
    Unreachable,
    /// The dial died with the runtime it ran on: ask again, on this one.
    AskAgain,
}
