//! Dials: when one is wanted, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::effect::{Effect, Refusal};
use super::entry::{Entry, Opened};
use super::resets::Resets;
use super::{ConnectionId, Core, DialId};
use crate::pool::event::{CloseReason, ConnectionState};
use crate::pool::gate::Gate;
use crate::pool::scale::{self, Situation};

/// In place of a time that the clock cannot tell: thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A dial that has not begun this long after its time, or has not ended this long after `connect_timeout`, sits on a
/// runtime that nobody runs. It no longer keeps others from dialling.
pub(super) const OVERDUE: Duration = Duration::from_millis(100);

/// For so long a connection that is doubted counts like one that is being dialled: a peer that is well answers a PING
/// within a round trip. RFC 8305 gives a connection attempt as long before the next.
pub(super) const DOUBT_GRACE: Duration = Duration::from_millis(250);

/// How many dials may be overdue beyond the number of connections.
const MOST_OVERDUE: usize = 16;

#[derive(Debug)]
pub(super) struct Dial {
    pub(super) id: DialId,
    /// It waits, or waited, for the end of the backoff.
    pub(super) scheduled: bool,
    /// When it begins, or began.
    pub(super) at: Instant,
    /// It is on the network.
    pub(super) begun: bool,
}

impl Dial {
    /// By now it should have begun or ended.
    fn is_overdue(&self, now: Instant, connect_timeout: Duration) -> bool {
        let takes = if self.begun { connect_timeout } else { Duration::ZERO };
        now.saturating_duration_since(self.at) > takes.saturating_add(OVERDUE)
    }
}

/// The dials that failed since the last one that came up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failing {
    pub(super) failures: u32,
    pub(super) retry_at: Instant,
}

impl<P, W> Core<P, W> {
    /// A dial's time has come. False if nobody needs it any more.
    pub(crate) fn dial_starts(&mut self, id: DialId, now: Instant) -> bool {
        let Some(position) = self.dials.iter().position(|dial| dial.id == id) else {
            return false;
        };
        let dial = self.dials.remove(position);
        let may_be_late = dial.scheduled || dial.is_overdue(now, self.policy.connect_timeout);
        if self.closed || (may_be_late && scale::dials_wanted(self.situation(now)) == 0) {
            return false;
        }
        self.dials.push(Dial {
            at: now,
            begun: true,
            ..dial
        });
        true
    }

    /// A dial came up, SETTINGS included. `None` if the pool was closed meanwhile: drop the connection.
    pub(crate) fn dialed(
        &mut self,
        id: DialId,
        opened: Opened,
        payload: impl FnOnce(ConnectionId, &Arc<Gate>) -> P,
        now: Instant,
        random: f64,
        out: &mut Vec<Effect<W>>,
    ) -> Option<ConnectionId> {
        let Opened {
            peer,
            peer_limit,
            expires,
        } = opened;
        self.dials.retain(|dial| dial.id != id);
        if self.closed {
            return None;
        }
        match peer_limit {
            // A peer that allows no stream may do so at all addresses. The first such connection is followed by the next
            // at once, the others as after failed dials.
            0 if self.is_stalled() => self.count_failure(now, random),
            0 => {}
            _ => self.failing = None,
        }
        self.lost_in_use = self.lost_in_use.saturating_sub(1);
        self.last_limit = Some(peer_limit);
        self.totals.opened += 1;
        let connection = self.totals.opened;
        let limit = self.policy.max_concurrent_streams.min(peer_limit);
        let gate = Arc::new(Gate::new(limit, self.most_uses(), self.gates_wait));
        self.entries.push(Entry {
            id: connection,
            payload: payload(connection, &gate),
            peer,
            state: ConnectionState::Serving,
            gate,
            peer_limit,
            opened: now,
            idle: (now, 0),
            expires,
            resets: Resets::new(now),
            cuts: 0,
            surplus: false,
            dead: false,
            doubted: None,
            saturated: false,
            announced: false,
            useful: false,
            faded: now,
        });
        if let Some(oldest) = self.find(|entry| entry.takes_calls() && entry.state == ConnectionState::Retiring) {
            self.drain(oldest, CloseReason::Lifetime, out);
        }
        self.admit(connection, CloseReason::Resized, out);
        self.plan(now, out);
        Some(connection)
    }

    /// Puts a connection to use that is new, or no longer doubted. The maximum may have been lowered meanwhile, or another
    /// have taken its place, and the callers it was dialled for may have been served by another.
    pub(super) fn admit(&mut self, connection: ConnectionId, too_many: CloseReason, out: &mut Vec<Effect<W>>) {
        let over = self.serving().saturating_sub(self.policy.max_connections);
        let Some(index) = self.index_of(connection) else { return };
        if over > self.policy.max_extra() {
            self.drain(index, too_many, out);
        }
        self.entries[index].surplus = over > 0;
        self.entries[index].set_apart();
        self.serve(out);
        self.drop_surplus(index, out);
    }

    /// A dial failed.
    pub(crate) fn dial_failed(&mut self, id: DialId, now: Instant, random: f64, out: &mut Vec<Effect<W>>) {
        self.dials.retain(|dial| dial.id != id);
        self.totals.failed_dials += 1;
        // Nobody asked for a replacement but the pool itself: it is dialled again when somebody does.
        self.lost_in_use = 0;
        self.count_failure(now, random);
        self.plan(now, out);
    }

    /// A dial ended without a verdict on the endpoint: its runtime went away.
    pub(crate) fn dial_abandoned(&mut self, id: DialId, out: &mut Vec<Effect<W>>) {
        let before = self.dials.len();
        self.dials.retain(|dial| dial.id != id);
        if self.dials.len() < before {
            self.totals.abandoned_dials += 1;
            self.refuse_where(|_| true, Refusal::AskAgain, out);
        }
    }

    /// Has a pool without any connection open one, for a caller that does not wait.
    pub(crate) fn prod(&mut self, now: Instant, out: &mut Vec<Effect<W>>) {
        if self.serving() == 0 {
            self.lost_in_use = self.lost_in_use.max(1);
            self.plan(now, out);
        }
    }

    /// Looks at the queue again: turns away those who wait in vain, and dials what the others need. Every input that
    /// can change that ends here.
    pub(crate) fn plan(&mut self, now: Instant, out: &mut Vec<Effect<W>>) {
        if self.closed {
            return;
        }
        if self.is_unreachable(now) {
            // They learn of it at once, whether a dial failed or the last connection went while the backoff runs (R4).
            self.refuse_where(|waiter| !waiter.patient, Refusal::Unreachable, out);
        }
        let mut situation = self.situation(now);
        situation.lost_in_use = scale::worth_replacing(situation);
        self.lost_in_use = situation.lost_in_use;
        let at = self.failing.map(|failing| failing.retry_at).filter(|&at| at > now);
        // A runtime that nobody runs gets no more of them than this.
        let most = self.policy.max_connections.saturating_add(MOST_OVERDUE);
        let room = most.saturating_sub(self.dials.len());
        for _ in 0..scale::dials_wanted(situation).min(room) {
            self.dials_made += 1;
            let id = self.dials_made;
            self.dials.push(Dial {
                id,
                scheduled: at.is_some(),
                at: at.unwrap_or(now),
                begun: false,
            });
            out.push(Effect::Dial { id, at });
        }
    }

    pub(super) fn floor(&self) -> usize {
        let asked = self.floors.iter().copied().max().unwrap_or(0);
        self.policy.min_connections.max(asked)
    }

    /// How many callers one more connection is expected to serve at once.
    fn streams_each(&self) -> u32 {
        let uses = self.policy.max_total_uses.unwrap_or(u64::MAX);
        let mine = u32::try_from(uses)
            .unwrap_or(u32::MAX)
            .min(self.policy.max_concurrent_streams);
        let peer = match self.last_limit {
            // Another connection may well have streams: to other addresses, or later.
            Some(0) => self
                .entries
                .iter()
                .rev()
                .find(|entry| entry.takes_calls() && entry.peer_limit > 0)
                .map(|entry| entry.peer_limit),
            limit => limit,
        };
        peer.unwrap_or(mine).min(mine)
    }

    /// There are connections, and none of their peers allows a stream.
    fn is_stalled(&self) -> bool {
        let mut serving = self.entries.iter().filter(|entry| entry.takes_calls()).peekable();
        serving.peek().is_some() && serving.all(|entry| entry.peer_limit == 0)
    }

    /// Connections that would be in use if their peers were not doubted.
    pub(super) fn doubted(&self) -> impl Iterator<Item = Instant> {
        let in_use = self.entries.iter().filter(|entry| entry.is_in_use());
        in_use.filter_map(|entry| entry.doubted)
    }

    /// Those of which it may be known in a moment that they are well.
    fn freshly_doubted(&self, now: Instant) -> usize {
        self.doubted()
            .filter(|&since| now.saturating_duration_since(since) < DOUBT_GRACE)
            .count()
    }

    /// Dials that can be waited for.
    fn live_dials(&self, now: Instant) -> impl Iterator<Item = &Dial> {
        let connect_timeout = self.policy.connect_timeout;
        self.dials
            .iter()
            .filter(move |dial| !dial.is_overdue(now, connect_timeout))
    }

    /// A dial is on the network, not only scheduled.
    pub(crate) fn is_dialing(&self, now: Instant) -> bool {
        self.live_dials(now).any(|dial| dial.begun || !dial.scheduled)
    }

    /// Every connection's task is busy all the time, and there is a thread for one more.
    fn is_saturated(&self) -> bool {
        let mut serving = self.entries.iter().filter(|entry| entry.takes_calls());
        (1..self.workers).contains(&self.serving()) && serving.all(|entry| entry.saturated)
    }

    fn situation(&self, now: Instant) -> Situation {
        Situation {
            serving: self.serving(),
            saturated: self.is_saturated(),
            retiring: self
                .entries
                .iter()
                .filter(|entry| entry.takes_calls() && entry.state == ConnectionState::Retiring)
                .count(),
            dials: self.live_dials(now).count() + self.freshly_doubted(now),
            doubted: self.doubted().count(),
            waiting: self.waiters.len(),
            streams_each: self.streams_each() as usize,
            stalled: self.is_stalled(),
            floor: self.floor(),
            lost_in_use: self.lost_in_use,
            max: self.policy.max_connections,
            max_extra: self.policy.max_extra(),
            failing: self.failing.is_some(),
        }
    }

    /// Starts the backoff; [`Core::plan`] tells those who have nothing else to wait for.
    ///
    /// A failure while it runs belongs to the attempt that started it: ten dials that were under way together must
    /// not make the wait that of ten failures in a row.
    pub(super) fn count_failure(&mut self, now: Instant, random: f64) {
        if self.is_backing_off(now) {
            return;
        }
        let failures = self.failing.map_or(0, |failing| failing.failures).saturating_add(1);
        let delay = self.policy.backoff.delay(failures, random);
        let retry_at = now.checked_add(delay).unwrap_or(now + FAR);
        self.failing = Some(Failing { failures, retry_at });
    }
}
