//! What a call holds while its stream is open: a slot of its own, or the turn on a lease.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use crate::conn::Link;
use crate::pool::slot::Slot;

/// Gives the stream's slot back when it is dropped. Whoever holds a handle of the stream holds this, and drops it last.
#[derive(Debug)]
pub(crate) enum Hold {
    /// A slot that was checked out for this call.
    Slot(Slot),
    /// A lease that the user keeps; the guard is this call's turn on it.
    Lease(OwnedMutexGuard<Slot>),
    /// Shared with the task that sends the request's body: the stream is open until both are done.
    Shared(Arc<Hold>),
}

impl Hold {
    pub(crate) fn slot(&self) -> &Slot {
        match self {
            Self::Slot(slot) => slot,
            Self::Lease(guard) => guard,
            Self::Shared(hold) => hold.slot(),
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.slot().connection().link
    }

    /// Two holds of the same slot.
    pub(crate) fn share(self) -> (Self, Self) {
        let shared = Arc::new(self);
        (Self::Shared(shared.clone()), Self::Shared(shared))
    }

    /// Tells the pool that the stream is cut short from this side.
    pub(crate) fn cut_short(&self) {
        self.slot().cut_short();
    }
}
