//! A connection as the core sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ConnectionId;
use super::resets::Resets;
use crate::pool::event::ConnectionState;
use crate::pool::gate::Gate;

/// The time after which half of a connection's faults are forgotten. A server that fails at once is offered about as many
/// calls in a second as its neighbours have in flight; one that has recovered is back among its equals within a few.
const FAULT_HALF_LIFE: Duration = Duration::from_millis(500);

/// One connection. `P` is what the driver keeps with it; the core never looks at it.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) id: ConnectionId,
    pub(crate) payload: P,
    pub(crate) state: ConnectionState,
    /// Counts its slots. They are taken and given back past the core as well, at any time.
    pub(crate) gate: Arc<Gate>,
    /// The other end, where it has an address.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) peer_limit: u32,
    pub(crate) opened: Instant,
    /// When it was seen without calls, and how many it had had by then.
    pub(super) idle: (Instant, u64),
    pub(super) expires: Option<Instant>,
    pub(super) resets: Resets,
    /// Streams that were cut short from this side so far.
    pub(super) cuts: u32,
    pub(super) surplus: bool,
    /// A call found it dead before its own task did.
    pub(super) dead: bool,
    /// Since when it is doubted that the peer is still there, or reads: until something comes from it.
    pub(super) doubted: Option<Instant>,
    /// Its task is busy all the time.
    pub(super) saturated: bool,
    /// Its peer has announced its end, and not answered a call by then.
    pub(super) announced: bool,
    /// A response has begun on it.
    pub(super) useful: bool,
    /// When its faults last faded.
    pub(super) faded: Instant,
}

/// The facts of a connection that comes up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    /// The other end, where it has an address.
    pub(crate) peer: Option<SocketAddr>,
    /// Streams that the peer allows.
    pub(crate) peer_limit: u32,
    /// The end of its lifetime.
    pub(crate) expires: Option<Instant>,
}

impl<P> Entry<P> {
    pub(crate) fn takes_calls(&self) -> bool {
        self.doubted.is_none() && self.is_in_use()
    }

    /// It takes calls, or will again once it is no longer doubted.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.dead && matches!(self.state, ConnectionState::Serving | ConnectionState::Retiring)
    }

    /// It would take calls if its peer were not doubted.
    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted.is_some() && self.is_in_use()
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

    /// It is younger than `young`, and no response has begun on it.
    pub(crate) fn is_useless(&self, now: Instant, young: Duration) -> bool {
        !self.useful && now.duration_since(self.opened) < young
    }

    /// Has the faults of its calls fade. Gives the time of the next step, if some are left.
    pub(super) fn fade_faults(&mut self, now: Instant) -> Option<Instant> {
        if now.duration_since(self.faded) >= FAULT_HALF_LIFE {
            self.faded = now;
            self.gate.halve_faults();
        }
        (self.gate.faults() > 0).then(|| self.faded + FAULT_HALF_LIFE)
    }

    /// Tells the gate whether the core has a say in each take and return.
    pub(super) fn set_apart(&self) {
        self.gate.set_apart(self.surplus || !self.takes_calls());
    }
}
