//! A connection as the core sees it.

use std::sync::Arc;

use tokio::time::Instant;

use super::ConnectionId;
use crate::pool::event::ConnectionState;
use crate::pool::gate::Gate;

/// One connection. `P` is what the driver keeps with it; the core never looks at it.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) id: ConnectionId,
    pub(crate) payload: P,
    pub(crate) state: ConnectionState,
    /// Counts its slots. They are taken and given back past the core as well, at any time.
    pub(crate) gate: Arc<Gate>,
    pub(crate) peer_limit: u32,
    pub(crate) opened: Instant,
    /// When it was seen without calls, and how many it had had by then.
    pub(super) idle: (Instant, u64),
    pub(super) expires: Option<Instant>,
    pub(super) resets: u32,
    pub(super) surplus: bool,
    /// A call found it dead before its own task did.
    pub(super) dead: bool,
    /// Its task is busy all the time.
    pub(super) saturated: bool,
}

impl<P> Entry<P> {
    pub(crate) fn takes_calls(&self) -> bool {
        !self.dead && matches!(self.state, ConnectionState::Serving | ConnectionState::Retiring)
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.gate.read().in_flight()
    }

    pub(crate) fn total_uses(&self) -> u64 {
        self.gate.read().uses()
    }

    /// Since when it is known to have had no call.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let (since, uses) = self.idle;
        let reading = self.gate.read();
        (reading.in_flight() == 0 && reading.uses() == uses).then_some(since)
    }

    /// Sees whether it is without calls. That is not written down when a call ends, because looking at a clock then
    /// would cost more than all else that is done to give a slot back.
    pub(super) fn see_if_idle(&mut self, now: Instant) {
        let reading = self.gate.read();
        if reading.in_flight() == 0 && reading.uses() != self.idle.1 {
            self.idle = (now, reading.uses());
        }
    }

    /// Tells the gate whether the core has a say in each take and return.
    pub(super) fn set_apart(&self) {
        self.gate.set_apart(self.surplus || !self.takes_calls());
    }
}
