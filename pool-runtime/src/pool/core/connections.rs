//! What becomes of a connection that is up: its limit, its age, its end.

use tokio::time::Instant;

use super::effect::Effect;
use super::entry::Entry;
use super::{ConnectionId, Core};
use crate::pool::event::{CloseReason, ConnectionState};
use crate::pool::picker::Strategy;

impl<P, W> Core<P, W> {
    /// The peer changed how many streams it allows.
    pub(crate) fn limit_changed(
        &mut self,
        connection: ConnectionId,
        limit: u32,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) {
        let Some(index) = self.index_of(connection) else { return };
        let entry = &mut self.entries[index];
        entry.peer_limit = limit;
        entry.gate.set_limit(limit.min(self.policy.max_concurrent_streams));
        self.last_limit = Some(limit);
        self.serve(out);
        self.plan(now, out);
    }

    /// The peer takes no more streams (GOAWAY), or the holder of a lease says so. False if that is no news.
    ///
    /// A GOAWAY on a connection that was of no use counts like its loss: see [`Core::closed`]. If it only announces another,
    /// calls in flight may yet be answered, and the end of the connection is judged.
    pub(crate) fn going_away(
        &mut self,
        connection: ConnectionId,
        reason: CloseReason,
        announced: bool,
        now: Instant,
        random: f64,
        out: &mut Vec<Effect<W>>,
    ) -> bool {
        let Some(index) = self.index_of(connection) else {
            return false;
        };
        let is_news = self.entries[index].state != ConnectionState::Draining;
        self.entries[index].announced |= is_news && announced;
        if is_news && !announced && reason != CloseReason::Broken {
            self.judge_end(
                self.entries[index].is_useless(now, self.policy.backoff.base),
                now,
                random,
            );
        }
        self.replace(index, reason, out);
        self.plan(now, out);
        is_news
    }

    /// A connection's task is busy all the time, on a runtime with so many threads, or is not any more. Its streams may
    /// not be used up, but what it can do is.
    pub(crate) fn saturated(
        &mut self,
        connection: ConnectionId,
        is_it: bool,
        workers: usize,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) {
        let Some(index) = self.index_of(connection) else { return };
        self.entries[index].saturated = is_it;
        self.workers = workers;
        self.note_demand(now);
        self.plan(now, out);
    }

    /// It is doubted that a connection's peer is there, or that it reads: no call is sent there until something comes from
    /// it. False if that is no news.
    pub(crate) fn doubt(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) -> bool {
        let Some(index) = self
            .index_of(connection)
            .filter(|&index| self.entries[index].takes_calls())
        else {
            return false;
        };
        self.entries[index].doubted = Some(now);
        self.entries[index].set_apart();
        self.plan(now, out);
        true
    }

    /// Something has come from the peer of a connection that was doubted: it takes calls again, unless its replacement
    /// has taken its place.
    pub(crate) fn trust(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(index) = self.index_of(connection) else { return };
        if self.entries[index].doubted.take().is_none() {
            return;
        }
        if self.entries[index].is_in_use() {
            self.admit(connection, CloseReason::Surplus, out);
        }
        self.plan(now, out);
    }

    /// A call found the connection dead. It takes no more calls, so that the one that is sent again does not get it
    /// again; what its end means is judged when its task reports it.
    pub(crate) fn found_dead(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(index) = self.index_of(connection) else { return };
        self.entries[index].dead = true;
        self.entries[index].set_apart();
        self.plan(now, out);
    }

    /// A connection is gone, with every slot that was taken on it. Connections that die one after the other before they
    /// were of any use count as failed dials, so that a peer that accepts and hangs up is not dialled in a tight loop.
    /// The first of them does not: it is an accident, and the next call may connect at once. That a runtime went away
    /// says nothing of the endpoint.
    ///
    /// Gives the number of calls that were cut.
    pub(crate) fn closed(
        &mut self,
        connection: ConnectionId,
        reason: CloseReason,
        now: Instant,
        random: f64,
        out: &mut Vec<Effect<W>>,
    ) -> u32 {
        let Some(index) = self.index_of(connection) else {
            return 0;
        };
        let entry = self.entries.remove(index);
        // Whoever still finds it by its handles takes nothing from it.
        entry.gate.set_apart(true);
        let reading = entry.gate.read();
        self.totals.closed += 1;
        self.totals.cut += u64::from(reading.in_flight());
        self.totals.checkouts += reading.uses();
        self.totals.completed += reading.completed();
        let was_in_use = entry.state != ConnectionState::Draining;
        if (was_in_use || entry.announced) && reason != CloseReason::RuntimeGone {
            self.lost_in_use += usize::from(was_in_use && reading.in_flight() > 0);
            self.judge_end(entry.is_useless(now, self.policy.backoff.base), now, random);
        }
        self.plan(now, out);
        reading.in_flight()
    }

    /// The peer ended a connection. From the second in a row on that was of no use, it counts as a failed dial.
    fn judge_end(&mut self, was_useless: bool, now: Instant, random: f64) {
        if was_useless {
            self.useless = self.useless.saturating_add(1);
            if self.useless > 1 {
                self.count_failure(now, random);
            }
        }
    }

    /// A first response has begun on a connection: it is of use, and its peer is well.
    pub(crate) fn answered(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.entry_mut(connection) {
            entry.useful = true;
            self.useless = 0;
        }
    }

    /// Checks a connection's age and idleness, and the pool's needs: the connection's task has a runtime to dial on,
    /// which whoever took it out of use may not have had. Says when to look again.
    pub(crate) fn look_at(
        &mut self,
        connection: ConnectionId,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) -> Option<Instant> {
        let next = self
            .index_of(connection)
            .filter(|&index| self.entries[index].is_in_use())
            .and_then(|index| {
                let faded = self.entries[index].fade_faults(now);
                [self.check_age(index, now, out), faded].into_iter().flatten().min()
            });
        // After the check, so that a connection that closes now is not replaced first.
        self.plan(now, out);
        next
    }

    fn check_age(&mut self, index: usize, now: Instant, out: &mut Vec<Effect<W>>) -> Option<Instant> {
        self.entries[index].see_if_idle(now);
        self.note_demand(now);
        let entry = &self.entries[index];
        let is_spare = self.serving() > self.floor() || entry.doubted.is_some();
        let has_expired = entry.state == ConnectionState::Serving && entry.expires.is_some_and(|at| at <= now);
        let idle_at = self.idle_at(entry, now);
        let end = if has_expired && entry.in_flight() == 0 {
            Some(CloseReason::Lifetime)
        } else if idle_at.is_some_and(|at| at <= now) || self.is_unneeded(index) {
            Some(CloseReason::Idle)
        } else {
            None
        };
        if let (Some(reason), true) = (end, is_spare) {
            self.drain(index, reason, out);
            return None;
        }
        if has_expired {
            self.entries[index].state = ConnectionState::Retiring;
        }
        self.next_look(index, idle_at, now)
    }

    /// The others had room for twice the demand, over the whole idle timeout. Twice, because demand is only
    /// seen now and then. The other strategies choose the connections to use by themselves.
    fn is_unneeded(&self, index: usize) -> bool {
        let others = self.entries.iter().enumerate().filter(|&(other, _)| other != index);
        let room: usize = others
            .filter(|(_, entry)| entry.takes_calls())
            .map(|(_, entry)| entry.peer_limit.min(self.policy.max_concurrent_streams) as usize)
            .fold(0, usize::saturating_add);
        self.policy.strategy == Strategy::LeastLoaded
            && self.policy.idle_timeout.is_some()
            && self.entries[index].in_flight() == 0
            && room > 0
            && self.demand.most().is_some_and(|most| most.saturating_mul(2) <= room)
    }

    /// Notes how many streams are asked for. A connection whose task is always busy needs the others whatever that is.
    pub(super) fn note_demand(&mut self, now: Instant) {
        if let Some(period) = self.policy.idle_timeout {
            let streams = match self.entries.iter().any(|entry| entry.saturated) {
                true => usize::MAX,
                false => self.in_flight() + self.waiting(),
            };
            self.demand.note(streams, now, period);
        }
    }

    /// When a connection will have been without calls for the idle timeout.
    fn idle_at(&self, entry: &Entry<P>, now: Instant) -> Option<Instant> {
        // A timeout past what the clock can tell is none.
        entry.idle_since().unwrap_or(now).checked_add(self.policy.idle_timeout?)
    }

    fn next_look(&self, index: usize, idle_at: Option<Instant>, now: Instant) -> Option<Instant> {
        let expires = self.entries[index].expires.filter(|&at| at > now);
        let idle_at = idle_at.filter(|&at| at > now);
        let again = self.policy.idle_look().and_then(|after| now.checked_add(after));
        [expires, idle_at, again].into_iter().flatten().min()
    }

    /// Takes a connection out of use because it has come to its end; if it was in use, another is worth dialling.
    pub(super) fn replace(&mut self, index: usize, reason: CloseReason, out: &mut Vec<Effect<W>>) {
        if self.entries[index].takes_calls() {
            self.lost_in_use += usize::from(self.entries[index].in_flight() > 0);
        }
        self.drain(index, reason, out);
    }

    pub(super) fn drain(&mut self, index: usize, reason: CloseReason, out: &mut Vec<Effect<W>>) {
        let entry = &mut self.entries[index];
        if entry.state == ConnectionState::Draining {
            return;
        }
        entry.state = ConnectionState::Draining;
        entry.set_apart();
        // A connection that the pool or the peer merely recycles lets its calls finish, however long they take: a
        // stream that runs for hours must not fail because of it (R2, R15).
        let cut_after = (reason == CloseReason::Broken).then_some(self.policy.drain_timeout);
        out.push(Effect::Drain {
            connection: entry.id,
            reason,
            cut_after,
        });
    }

    /// A connection past the maximum closes as soon as it is given back and nobody waits. Tells whether it does.
    pub(super) fn drop_surplus(&mut self, index: usize, out: &mut Vec<Effect<W>>) -> bool {
        if !self.entries[index].surplus {
            return false;
        }
        let is_over = self.serving() > self.policy.max_connections;
        let closes = is_over && self.entries[index].in_flight() == 0;
        if closes {
            self.drain(index, CloseReason::Surplus, out);
        }
        self.entries[index].surplus = is_over;
        self.entries[index].set_apart();
        closes
    }
}
