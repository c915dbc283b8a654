//! Every decision of the pool, and nothing else: inputs and `now` go in, [`Effect`]s come out.
//!
//! No clock, random number, lock, I/O or await in here, so that a test can drive it through any order of events.
//! The driver ([`super::shared`]) holds it in a mutex, feeds it and carries out the effects after letting go.
//!
//! A connection's way through the pool:
//!
//! ```text
//!            dialed                retire (lifetime)             replacement is up
//!   (dial) ----------> Serving ----------------------> Retiring --------------------> Draining --> gone
//!                         |                                                              ^
//!                         +--- idle, used up, GOAWAY, broken, resized, pool closed ------+
//! ```
//!
//! `Serving` and `Retiring` take calls; `Draining` lets those in flight finish. Any state ends at [`Core::closed`].
//!
//! Every input leaves the pool settled: nobody waits while a slot is free, and whoever waits has a connection or a
//! dial to wait for. As long as nobody waits, slots are taken and given back at the connections' [gates](super::gate)
//! past the core, which counts nothing itself: what it asks a gate may be another a moment later, except that a gate
//! whose flag it has set takes no call but through it. The calls are in this file, dials in [`dials`], what befalls a connection in [`connections`],
//! what befalls the pool in [`bounds`], questions in [`view`].

mod bounds;
mod connections;
mod demand;
mod dials;
mod effect;
mod entry;
mod resets;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use tokio::time::Instant;

use self::demand::Demand;
use self::dials::{Dial, Failing};
pub(crate) use self::effect::{Effect, Refusal};
pub(crate) use self::entry::{Entry, Opened};
pub(crate) use self::resets::MaxResets;
use self::view::Totals;
use super::avoid::Avoid;
use super::event::CloseReason;
use super::gate;
use super::picker::{self, Load};
use super::policy::Policy;
use super::waiters::{Waiter, WaiterId, Waiters};

/// A connection's number, unique in its pool and never used again.
pub(crate) type ConnectionId = u64;
/// A dial's number, unique in its pool.
pub(crate) type DialId = u64;

/// How many calls may be cut short on a connection in its life, at whatever pace.
///
/// h2 does not count cancellations themselves, but it soon forgets a stream that was cancelled, and counts the reset
/// with which it answers a frame that comes late for it; after `MAX_LATE_FRAMES` of those (`conn::handshake`) it ends the
/// connection, and every call on it.
const MAX_CUTS: u32 = 4_096;

/// A connection is not replaced for its resets before this age, or a server that is too slow for its callers would be
/// dialled as often as they give up.
const LEAST_AGE: Duration = Duration::from_millis(250);

/// The pool's state. See the module.
#[derive(Debug)]
pub(crate) struct Core<P, W> {
    policy: Policy,
    entries: Vec<Entry<P>>,
    dials: Vec<Dial>,
    waiters: Waiters<W>,
    failing: Option<Failing>,
    /// Streams per connection as the last SETTINGS had it.
    last_limit: Option<u32>,
    /// Connections in a row that the peer ended before it had answered a call on them.
    useless: u32,
    /// The gates say that callers wait.
    gates_wait: bool,
    lost_in_use: usize,
    demand: Demand,
    /// Threads of the runtime that drives the connections, as far as one has said.
    workers: usize,
    /// The numbers of connections that `ready(n)` callers wait for.
    floors: Vec<usize>,
    cursor: usize,
    /// Decides among equal connections: the state of an xorshift generator, or 0 for the oldest.
    ties: u64,
    dials_made: u64,
    closed: bool,
    totals: Totals,
}

impl<P, W> Core<P, W> {
    /// An empty pool. `ties` seeds the choice among equal connections; with 0 it is always the oldest.
    pub(crate) fn new(policy: Policy, ties: u64) -> Self {
        Self {
            policy,
            entries: Vec::new(),
            dials: Vec::new(),
            waiters: Waiters::new(),
            failing: None,
            last_limit: None,
            lost_in_use: 0,
            demand: Demand::new(),
            workers: 1,
            useless: 0,
            gates_wait: false,
            floors: Vec::new(),
            cursor: 0,
            ties,
            dials_made: 0,
            closed: false,
            totals: Totals::default(),
        }
    }

    /// Takes a slot if one is free and nobody has waited longer. The slot is the caller's from here on.
    pub(crate) fn try_take(&mut self, avoid: &Avoid, out: &mut Vec<Effect<W>>) -> Option<&Entry<P>> {
        if self.closed || !self.waiters.is_empty() {
            return None;
        }
        let index = self.take(avoid)?;
        self.retire_used_up(index, out);
        Some(&self.entries[index])
    }

    /// Puts a caller into the queue, or says why there is no point. Dials follow the need.
    pub(crate) fn enqueue(
        &mut self,
        waiter: Waiter<W>,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) -> Result<WaiterId, Refusal> {
        let refusal = if self.closed {
            Some(Refusal::Closed)
        } else if !waiter.patient && self.is_unreachable(now) {
            Some(Refusal::Unreachable)
        } else if self.waiters.len() >= self.policy.max_waiters {
            Some(Refusal::QueueFull)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.totals.refused += 1;
            return Err(refusal);
        }
        self.totals.waited += 1;
        let id = self.waiters.push(waiter);
        self.note_demand(now);
        self.queue_changed();
        // A slot may have come back before the gates knew that somebody waits.
        self.serve(out);
        self.plan(now, out);
        Ok(id)
    }

    /// A caller gave up. Nothing to do if it was served or refused meanwhile.
    pub(crate) fn give_up(&mut self, waiter: WaiterId) {
        self.waiters.remove(waiter);
        self.queue_changed();
    }

    /// A slot has come back to a gate that asked for word of it.
    pub(crate) fn returned(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) {
        // The connection may be gone already, and its slots with it.
        let Some(index) = self.index_of(connection) else { return };
        self.entries[index].see_if_idle(now);
        let used_up = self.serve(out);
        if self.drop_surplus(index, out) | used_up {
            self.plan_for_waiting(now, out);
        }
    }

    /// A stream was cut short from this side. Past the bounds on those the connection is replaced.
    pub(crate) fn stream_cut(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(index) = self.index_of(connection) else { return };
        let entry = &mut self.entries[index];
        entry.cuts = entry.cuts.saturating_add(1);
        let is_full = entry.resets.add(self.policy.max_resets, now);
        let is_old = now.saturating_duration_since(entry.opened) >= LEAST_AGE;
        if (is_full && is_old) || entry.cuts >= MAX_CUTS {
            self.replace(index, CloseReason::Resets, out);
            self.plan_for_waiting(now, out);
        }
    }

    /// The first call failed on a connection that had no faults: they fade from now on, by [`Core::look_at`].
    pub(crate) fn faults_begin(&mut self, connection: ConnectionId, now: Instant) {
        if let Some(entry) = self.entry_mut(connection) {
            entry.faded = now;
        }
    }

    fn index_of(&self, connection: ConnectionId) -> Option<usize> {
        self.find(|entry| entry.id == connection)
    }

    fn find(&self, wanted: impl FnMut(&Entry<P>) -> bool) -> Option<usize> {
        self.entries.iter().position(wanted)
    }

    fn take(&mut self, avoid: &Avoid) -> Option<usize> {
        loop {
            let loads = self.entries.iter().map(|entry| {
                let reading = entry.gate.read();
                Load {
                    in_flight: reading.in_flight(),
                    faults: entry.gate.faults(),
                    has_room: entry.takes_calls() && entry.gate.has_room(reading),
                    objection: avoid.objection(entry.id, entry.peer),
                }
            });
            let ties = xorshift(&mut self.ties);
            let index = picker::pick(self.policy.strategy, loads, &mut self.cursor, ties)?;
            // Fails only if others have taken what was left there since.
            if self.entries[index].gate.take() {
                return Some(index);
            }
        }
    }

    /// After its last allowed use a connection takes no more calls; tells whether this was it. Comes after the grant
    /// of that use, which still needs the connection.
    fn retire_used_up(&mut self, index: usize, out: &mut Vec<Effect<W>>) -> bool {
        let used_up = self.entries[index].total_uses() >= self.most_uses();
        if used_up {
            self.replace(index, CloseReason::UsedUp, out);
        }
        used_up
    }

    fn most_uses(&self) -> u64 {
        self.policy.max_total_uses.unwrap_or(gate::MAX_USES).min(gate::MAX_USES)
    }

    /// Serves those who wait, in order, as far as slots are free. Tells whether that used a connection up.
    fn serve(&mut self, out: &mut Vec<Effect<W>>) -> bool {
        let mut used_up = false;
        while let Some(waiter) = self.waiters.first() {
            // Most callers avoid nothing: then nothing is copied.
            let avoid = waiter.avoid.clone();
            let Some(index) = self.take(&avoid) else { break };
            let connection = self.entries[index].id;
            if let Some(Waiter { notify, .. }) = self.waiters.pop() {
                out.push(Effect::Grant {
                    waiter: notify,
                    connection,
                });
            }
            used_up |= self.retire_used_up(index, out);
        }
        self.queue_changed();
        used_up
    }

    /// Plans after a step of a caller's took a connection out of use, if others wait. If nobody does, its replacement
    /// can wait until the connection's own task looks ([`Core::look_at`]), whose runtime lasts longer than the caller.
    fn plan_for_waiting(&mut self, now: Instant, out: &mut Vec<Effect<W>>) {
        if !self.waiters.is_empty() {
            self.plan(now, out);
        }
    }

    fn refuse_where(&mut self, gives_up: impl FnMut(&Waiter<W>) -> bool, why: Refusal, out: &mut Vec<Effect<W>>) {
        for waiter in self.waiters.drain_where(gives_up) {
            self.totals.refused += 1;
            out.push(Effect::Refuse {
                waiter: waiter.notify,
                why,
            });
        }
        self.queue_changed();
    }

    /// Tells the gates whether callers wait. Comes after every change of the queue.
    fn queue_changed(&mut self) {
        let waits = !self.waiters.is_empty();
        if std::mem::replace(&mut self.gates_wait, waits) != waits {
            for entry in &self.entries {
                entry.gate.set_waiting(waits);
            }
        }
    }
}

/// The next state of an xorshift generator (Marsaglia, 2003); 0 stays 0.
fn xorshift(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
