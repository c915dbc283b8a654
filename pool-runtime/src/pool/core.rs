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

use std::time::Duration;

use tokio::time::Instant;

use super::event::{CloseReason, ConnectionState};
use super::picker::{self, Load};
use super::policy::{Overflow, Policy};
use super::scale::{self, Situation};
use super::waiters::{Waiter, WaiterId, Waiters};

/// A connection's number, unique in its pool and never used again.
pub(crate) type ConnectionId = u64;
/// A dial's number, unique in its pool.
pub(crate) type DialId = u64;

/// h2 ends a connection after 1,024 resets of its own making; a connection retires well before that.
const MAX_RESETS: u32 = 512;

/// A stream id is 31 bits and odd for clients: a connection retires long before they run out.
const MAX_STREAMS: u64 = 1 << 29;

/// What the driver has to do. `W` is how a waiter is told.
#[derive(Debug)]
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

/// One connection. `P` is what the driver keeps with it; the core never looks at it.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) id: ConnectionId,
    pub(crate) payload: P,
    pub(crate) state: ConnectionState,
    pub(crate) in_flight: u32,
    pub(crate) total_uses: u64,
    pub(crate) peer_limit: u32,
    pub(crate) opened: Instant,
    pub(crate) idle_since: Option<Instant>,
    expires: Option<Instant>,
    resets: u32,
    surplus: bool,
    /// A call found it dead before its own task did.
    dead: bool,
}

/// Sums over the life of the pool.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) failed_dials: u64,
    pub(crate) checkouts: u64,
    pub(crate) waited: u64,
    pub(crate) refused: u64,
    /// Calls that were in flight on a connection when it ended.
    pub(crate) cut: u64,
}

#[derive(Debug)]
struct Dial {
    id: DialId,
    /// Waiting for its time; not on the network yet.
    scheduled: bool,
}

/// The dials that failed since the last one that came up.
#[derive(Debug, Clone, Copy)]
struct Failing {
    failures: u32,
    retry_at: Instant,
}

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
    lost_in_use: usize,
    /// The numbers of connections that `ready(n)` callers wait for.
    floors: Vec<usize>,
    cursor: usize,
    dials_made: u64,
    closed: bool,
    totals: Totals,
}

impl<P, W> Core<P, W> {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            entries: Vec::new(),
            dials: Vec::new(),
            waiters: Waiters::new(),
            failing: None,
            last_limit: None,
            lost_in_use: 0,
            floors: Vec::new(),
            cursor: 0,
            dials_made: 0,
            closed: false,
            totals: Totals::default(),
        }
    }

    // ----- calls -----

    /// Takes a slot if one is free and nobody has waited longer. The slot is the caller's from here on.
    pub(crate) fn try_take(&mut self, out: &mut Vec<Effect<W>>) -> Option<&Entry<P>> {
        if self.closed || !self.waiters.is_empty() {
            return None;
        }
        let index = self.take()?;
        self.retire_used_up(index, out);
        Some(&self.entries[index])
    }

    /// Puts a caller into the queue, or says why there is no point. Dials follow the need.
    pub(crate) fn enqueue(
        &mut self,
        notify: W,
        patient: bool,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) -> Result<WaiterId, Refusal> {
        let refusal = if self.closed {
            Some(Refusal::Closed)
        } else if !patient && self.is_unreachable(now) {
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
        let id = self.waiters.push(Waiter { notify, patient });
        self.plan(now, out);
        Ok(id)
    }

    /// A caller gave up. Nothing to do if it was served or refused meanwhile.
    pub(crate) fn give_up(&mut self, waiter: WaiterId) {
        self.waiters.remove(waiter);
    }

    /// A slot comes back.
    pub(crate) fn give_back(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) {
        // The connection may be gone already, and its slots with it.
        let Some(index) = self.index_of(connection) else { return };
        let entry = &mut self.entries[index];
        debug_assert!(
            entry.in_flight > 0,
            "connection {connection} gets back a slot that was never taken"
        );
        entry.in_flight = entry.in_flight.saturating_sub(1);
        if entry.in_flight == 0 {
            entry.idle_since = Some(now);
        }
        self.serve(out);
        self.drop_surplus(connection, out);
    }

    /// A stream was cut short from this side: one reset of h2's allowance.
    pub(crate) fn stream_cut(&mut self, connection: ConnectionId, out: &mut Vec<Effect<W>>) {
        let Some(index) = self.index_of(connection) else { return };
        let entry = &mut self.entries[index];
        entry.resets += 1;
        if entry.resets >= MAX_RESETS {
            self.replace(index, CloseReason::Resets, out);
        }
    }

    // ----- connections -----

    /// A dial's time has come. False if nobody needs it any more.
    pub(crate) fn dial_starts(&mut self, id: DialId) -> bool {
        let Some(position) = self.dials.iter().position(|dial| dial.id == id) else {
            return false;
        };
        let dial = self.dials.remove(position);
        if self.closed || (dial.scheduled && scale::dials_wanted(self.situation()) == 0) {
            return false;
        }
        self.dials.push(Dial { id, scheduled: false });
        true
    }

    /// A dial came up, SETTINGS included. `None` if the pool was closed meanwhile: drop the connection.
    pub(crate) fn dialed(
        &mut self,
        id: DialId,
        payload: P,
        peer_limit: u32,
        expires: Option<Instant>,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) -> Option<ConnectionId> {
        self.dials.retain(|dial| dial.id != id);
        if self.closed {
            return None;
        }
        self.failing = None;
        self.lost_in_use = self.lost_in_use.saturating_sub(1);
        self.last_limit = Some(peer_limit);
        self.totals.opened += 1;
        let connection = self.totals.opened;
        self.entries.push(Entry {
            id: connection,
            payload,
            state: ConnectionState::Serving,
            in_flight: 0,
            total_uses: 0,
            peer_limit,
            opened: now,
            idle_since: Some(now),
            expires,
            resets: 0,
            surplus: false,
            dead: false,
        });
        if let Some(oldest) = self.find(|entry| entry.state == ConnectionState::Retiring) {
            self.drain(oldest, CloseReason::Lifetime, out);
        }
        let surplus = self.serving() > self.policy.max_connections;
        if let Some(entry) = self.entries.last_mut() {
            entry.surplus = surplus;
        }
        self.serve(out);
        self.plan(now, out);
        Some(connection)
    }

    /// A dial failed.
    pub(crate) fn dial_failed(&mut self, id: DialId, now: Instant, random: f64, out: &mut Vec<Effect<W>>) {
        self.dials.retain(|dial| dial.id != id);
        self.totals.failed_dials += 1;
        // Nobody asked for a replacement but the pool itself: it is dialled again when somebody does.
        self.lost_in_use = 0;
        self.count_failure(now, random, out);
        self.plan(now, out);
    }

    /// A dial ended without a verdict on the endpoint: its runtime went away.
    pub(crate) fn dial_abandoned(&mut self, id: DialId, out: &mut Vec<Effect<W>>) {
        let before = self.dials.len();
        self.dials.retain(|dial| dial.id != id);
        if self.dials.len() < before {
            self.refuse_where(|_| true, Refusal::AskAgain, out);
        }
    }

    /// The peer changed how many streams it allows.
    pub(crate) fn limit_changed(
        &mut self,
        connection: ConnectionId,
        limit: u32,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) {
        let Some(index) = self.index_of(connection) else { return };
        self.entries[index].peer_limit = limit;
        self.last_limit = Some(limit);
        self.serve(out);
        self.plan(now, out);
    }

    /// The peer takes no more streams (GOAWAY), or the holder of a lease says so. False if that is no news.
    pub(crate) fn going_away(
        &mut self,
        connection: ConnectionId,
        reason: CloseReason,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) -> bool {
        let Some(index) = self.index_of(connection) else { return false };
        let is_news = self.entries[index].state != ConnectionState::Draining;
        self.replace(index, reason, out);
        self.plan(now, out);
        is_news
    }

    /// A call found the connection dead. It takes no more calls, so that the one that is sent again does not get it
    /// again; what its end means is judged when its task reports it.
    pub(crate) fn found_dead(&mut self, connection: ConnectionId, now: Instant, out: &mut Vec<Effect<W>>) {
        let Some(index) = self.index_of(connection) else { return };
        self.entries[index].dead = true;
        self.plan(now, out);
    }

    /// A connection is gone, with every slot that was taken on it. One that dies before it was of any use counts as
    /// a failed dial, so that a peer that accepts and hangs up is not dialled in a tight loop.
    pub(crate) fn closed(&mut self, connection: ConnectionId, now: Instant, random: f64, out: &mut Vec<Effect<W>>) {
        let Some(index) = self.index_of(connection) else { return };
        let entry = self.entries.remove(index);
        self.totals.closed += 1;
        self.totals.cut += u64::from(entry.in_flight);
        if entry.state != ConnectionState::Draining {
            self.lost_in_use += usize::from(entry.in_flight > 0);
            if now.duration_since(entry.opened) < self.policy.backoff.base
                && entry.total_uses <= u64::from(entry.in_flight)
            {
                self.count_failure(now, random, out);
            }
        }
        self.plan(now, out);
    }

    /// Checks a connection's age and idleness. Says when to look again.
    pub(crate) fn look_at(
        &mut self,
        connection: ConnectionId,
        now: Instant,
        out: &mut Vec<Effect<W>>,
    ) -> Option<Instant> {
        let index = self.index_of(connection)?;
        if self.entries[index].state != ConnectionState::Serving {
            return None;
        }
        let floor = self.floor();
        let others = self.serving() - 1;
        let entry = &mut self.entries[index];
        if entry.expires.is_some_and(|at| at <= now) {
            if entry.in_flight == 0 && others >= floor {
                self.drain(index, CloseReason::Lifetime, out);
            } else {
                entry.state = ConnectionState::Retiring;
                self.plan(now, out);
            }
            return None;
        }
        let idle_at = self
            .policy
            .idle_timeout
            .map(|timeout| entry.idle_since.unwrap_or(now) + timeout);
        if idle_at.is_some_and(|at| at <= now) && others >= floor {
            self.drain(index, CloseReason::Idle, out);
            return None;
        }
        // One that is kept as part of the minimum is looked at again after a whole timeout.
        let idle_at = idle_at.map(|at| {
            if at <= now {
                now + self.policy.idle_timeout.unwrap_or_default()
            } else {
                at
            }
        });
        [entry.expires, idle_at].into_iter().flatten().min()
    }

    // ----- the pool -----

    /// Changes the bounds (R2). Raising dials by need; lowering drains the surplus, idle connections first, and
    /// cuts nothing.
    pub(crate) fn resize(&mut self, min: usize, max: usize, now: Instant, out: &mut Vec<Effect<W>>) {
        self.policy.min_connections = min;
        self.policy.max_connections = max;
        while self.serving() > max {
            let least = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.takes_calls())
                .min_by_key(|(_, entry)| entry.in_flight)
                .map(|(index, _)| index);
            let Some(index) = least else { break };
            self.drain(index, CloseReason::Resized, out);
        }
        self.plan(now, out);
    }

    /// Asks for `n` connections until [`Core::unwarm`].
    pub(crate) fn warm(&mut self, n: usize, now: Instant, out: &mut Vec<Effect<W>>) {
        self.floors.push(n);
        self.plan(now, out);
    }

    pub(crate) fn unwarm(&mut self, n: usize) {
        if let Some(position) = self.floors.iter().position(|&floor| floor == n) {
            self.floors.swap_remove(position);
        }
    }

    /// Has a pool without any connection open one, for a caller that does not wait.
    pub(crate) fn prod(&mut self, now: Instant, out: &mut Vec<Effect<W>>) {
        if self.serving() == 0 {
            self.lost_in_use = self.lost_in_use.max(1);
            self.plan(now, out);
        }
    }

    /// Looks whether there is something to dial; for drivers that could not dial when the need arose.
    pub(crate) fn plan(&mut self, now: Instant, out: &mut Vec<Effect<W>>) {
        if self.closed {
            return;
        }
        let at = self.failing.map(|failing| failing.retry_at).filter(|&at| at > now);
        for _ in 0..scale::dials_wanted(self.situation()) {
            self.dials_made += 1;
            let id = self.dials_made;
            self.dials.push(Dial {
                id,
                scheduled: at.is_some(),
            });
            out.push(Effect::Dial { id, at });
        }
    }

    /// Closes the pool: nothing new, waiters are told, what is in flight may finish. Again is the same.
    pub(crate) fn close(&mut self, cut_after: Duration, out: &mut Vec<Effect<W>>) {
        self.closed = true;
        self.refuse_where(|_| true, Refusal::Closed, out);
        for entry in &mut self.entries {
            entry.state = ConnectionState::Draining;
            out.push(Effect::Drain {
                connection: entry.id,
                reason: CloseReason::PoolClosed,
                cut_after: Some(cut_after),
            });
        }
    }

    // ----- questions -----

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn entries(&self) -> &[Entry<P>] {
        &self.entries
    }

    pub(crate) fn entry_mut(&mut self, connection: ConnectionId) -> Option<&mut Entry<P>> {
        self.entries.iter_mut().find(|entry| entry.id == connection)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn dials(&self) -> usize {
        self.dials.len()
    }

    /// A dial is on the network, not only scheduled.
    pub(crate) fn is_dialing(&self) -> bool {
        self.dials.iter().any(|dial| !dial.scheduled)
    }

    /// Connections that take calls.
    pub(crate) fn serving(&self) -> usize {
        self.entries.iter().filter(|entry| entry.takes_calls()).count()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.entries.iter().map(|entry| entry.in_flight as usize).sum()
    }

    /// TRANSIENT_FAILURE: nothing serves, nothing is being dialled, and the backoff runs.
    pub(crate) fn is_unreachable(&self, now: Instant) -> bool {
        self.failing.is_some_and(|failing| failing.retry_at > now) && self.serving() == 0 && !self.is_dialing()
    }

    // ----- parts -----

    fn index_of(&self, connection: ConnectionId) -> Option<usize> {
        self.find(|entry| entry.id == connection)
    }

    fn find(&self, wanted: impl FnMut(&Entry<P>) -> bool) -> Option<usize> {
        self.entries.iter().position(wanted)
    }

    fn floor(&self) -> usize {
        let asked = self.floors.iter().copied().max().unwrap_or(0);
        self.policy.min_connections.max(asked)
    }

    fn situation(&self) -> Situation {
        let mine = self.policy.max_concurrent_streams;
        Situation {
            serving: self.serving(),
            retiring: self
                .entries
                .iter()
                .filter(|entry| entry.state == ConnectionState::Retiring)
                .count(),
            dials: self.dials.len(),
            waiting: self.waiters.len(),
            streams_each: self.last_limit.map_or(mine, |peer| peer.min(mine)) as usize,
            floor: self.floor(),
            lost_in_use: self.lost_in_use,
            max: self.policy.max_connections,
            max_extra: match self.policy.overflow {
                Overflow::Strict => 0,
                Overflow::Loose { max_extra } => max_extra,
            },
            failing: self.failing.is_some(),
        }
    }

    fn take(&mut self) -> Option<usize> {
        let limit = self.policy.max_concurrent_streams;
        let loads = self.entries.iter().map(|entry| Load {
            in_flight: entry.in_flight,
            has_room: entry.takes_calls() && entry.in_flight < limit.min(entry.peer_limit),
        });
        let index = picker::pick(self.policy.strategy, loads, &mut self.cursor)?;
        self.totals.checkouts += 1;
        let entry = &mut self.entries[index];
        entry.in_flight += 1;
        entry.total_uses += 1;
        entry.idle_since = None;
        Some(index)
    }

    /// After its last allowed use a connection takes no more calls. Comes after the grant of that use, which still
    /// needs the connection.
    fn retire_used_up(&mut self, index: usize, out: &mut Vec<Effect<W>>) {
        let most = self.policy.max_total_uses.unwrap_or(MAX_STREAMS).min(MAX_STREAMS);
        if self.entries[index].total_uses >= most {
            self.replace(index, CloseReason::UsedUp, out);
        }
    }

    /// Serves those who wait, in order, as far as slots are free.
    fn serve(&mut self, out: &mut Vec<Effect<W>>) {
        while !self.waiters.is_empty() {
            let Some(index) = self.take() else { return };
            let connection = self.entries[index].id;
            if let Some(Waiter { notify, .. }) = self.waiters.pop() {
                out.push(Effect::Grant {
                    waiter: notify,
                    connection,
                });
            }
            self.retire_used_up(index, out);
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
    }

    /// Takes a connection out of use because it has come to its end; if it was in use, another is worth dialling.
    fn replace(&mut self, index: usize, reason: CloseReason, out: &mut Vec<Effect<W>>) {
        if self.entries[index].takes_calls() {
            self.lost_in_use += usize::from(self.entries[index].in_flight > 0);
        }
        self.drain(index, reason, out);
    }

    fn drain(&mut self, index: usize, reason: CloseReason, out: &mut Vec<Effect<W>>) {
        let entry = &mut self.entries[index];
        if entry.state == ConnectionState::Draining {
            return;
        }
        entry.state = ConnectionState::Draining;
        // A connection that the pool or the peer merely recycles lets its calls finish, however long they take: a
        // stream that runs for hours must not fail because of it (R2, R15).
        let cut_after = (reason == CloseReason::Broken).then_some(self.policy.drain_timeout);
        out.push(Effect::Drain {
            connection: entry.id,
            reason,
            cut_after,
        });
    }

    /// A connection past the maximum closes as soon as it is given back and nobody waits.
    fn drop_surplus(&mut self, connection: ConnectionId, out: &mut Vec<Effect<W>>) {
        let over = self.serving() > self.policy.max_connections;
        let Some(index) = self.index_of(connection) else { return };
        let entry = &mut self.entries[index];
        if !over {
            entry.surplus = false;
        } else if entry.surplus && entry.in_flight == 0 {
            self.drain(index, CloseReason::Surplus, out);
        }
    }

    /// Starts the backoff. Those who have nothing else to wait for learn of the failure at once.
    fn count_failure(&mut self, now: Instant, random: f64, out: &mut Vec<Effect<W>>) {
        let failures = self.failing.map_or(0, |failing| failing.failures).saturating_add(1);
        let retry_at = now + self.policy.backoff.delay(failures, random);
        self.failing = Some(Failing { failures, retry_at });
        if self.serving() == 0 && !self.is_dialing() {
            self.refuse_where(|waiter| !waiter.patient, Refusal::Unreachable, out);
        }
    }
}

impl<P> Entry<P> {
    pub(crate) fn takes_calls(&self) -> bool {
        !self.dead && matches!(self.state, ConnectionState::Serving | ConnectionState::Retiring)
    }
}
