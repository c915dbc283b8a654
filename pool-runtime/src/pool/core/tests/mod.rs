//! The core, one input at a time: a rig for it, and the tests by what they are about.

mod callers;
mod regressions;
mod states;
mod totals;

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::pool::avoid::Avoid;
use crate::pool::backoff::Backoff;
use crate::pool::event::CloseReason;
use crate::pool::picker::Strategy;
use crate::pool::policy::Overflow;

/// No peer names a limit.
const NO_LIMIT: u32 = u32::MAX;
const SECOND: Duration = Duration::from_secs(1);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const IDLE_LOOK: Duration = Duration::from_millis(7_500);
const MAX_RESETS: MaxResets = MaxResets {
    count: 50,
    per: Duration::from_secs(30),
};
const LIFETIME: Duration = Duration::from_secs(600);

/// A core, its clock, and what it wants done. Callers are numbers.
struct Rig {
    core: Core<(), u32>,
    now: Instant,
    out: Vec<Effect<u32>>,
}

/// Something that happens to the core.
type Input = fn(&mut Rig);

impl Rig {
    /// Two connections of two streams at most, and what `change` makes of that.
    fn with(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy {
            min_connections: 0,
            max_connections: 2,
            max_concurrent_streams: 2,
            max_total_uses: None,
            overflow: Overflow::Strict,
            max_waiters: 100,
            idle_timeout: Some(IDLE_TIMEOUT),
            drain_timeout: 30 * SECOND,
            connect_timeout: 10_000 * SECOND,
            max_resets: MAX_RESETS,
            backoff: Backoff {
                jitter: 0.0,
                ..Backoff::default()
            },
            strategy: Strategy::LeastLoaded,
        };
        change(&mut policy);
        Self {
            core: Core::new(policy, 0),
            now: Instant::now(),
            out: Vec::new(),
        }
    }

    fn new() -> Self {
        Self::with(|_| {})
    }

    /// The effects since the last time.
    fn done(&mut self) -> Vec<Effect<u32>> {
        std::mem::take(&mut self.out)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn take(&mut self) -> Option<ConnectionId> {
        self.core
            .try_take(&Avoid::default(), &mut self.out)
            .map(|entry| entry.id)
    }

    fn queue(&mut self, caller: u32) -> Result<WaiterId, Refusal> {
        self.wait(caller, false)
    }

    fn queue_patient(&mut self, caller: u32) -> Result<WaiterId, Refusal> {
        self.wait(caller, true)
    }

    fn wait(&mut self, notify: u32, patient: bool) -> Result<WaiterId, Refusal> {
        let avoid = Avoid::default();
        let waiter = Waiter { notify, patient, avoid };
        self.core.enqueue(waiter, self.now, &mut self.out)
    }

    /// A call on the connection is answered.
    fn answer(&mut self, connection: ConnectionId) {
        self.core.answered(connection);
        self.back(connection);
    }

    fn back(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.core.entry_mut(connection) {
            // It may ask for no word; word that nobody needs changes nothing.
            let _ = entry.gate.give_back();
        }
        self.core.returned(connection, self.now, &mut self.out);
    }

    fn up(&mut self, dial: DialId, limit: u32) -> Option<ConnectionId> {
        let opened = Opened {
            peer: None,
            peer_limit: limit,
            expires: Some(self.now + LIFETIME),
        };
        self.core.dialed(dial, opened, |_, _| (), self.now, 0.5, &mut self.out)
    }

    fn fail(&mut self, dial: DialId) {
        self.core.dial_failed(dial, self.now, 0.5, &mut self.out);
    }

    fn lose(&mut self, connection: ConnectionId) {
        self.end(connection, CloseReason::Lost);
    }

    fn end(&mut self, connection: ConnectionId, reason: CloseReason) -> u32 {
        self.core.closed(connection, reason, self.now, 0.5, &mut self.out)
    }

    fn limit(&mut self, connection: ConnectionId, limit: u32) {
        self.core.limit_changed(connection, limit, self.now, &mut self.out);
    }

    fn go_away(&mut self, connection: ConnectionId) {
        self.core
            .going_away(connection, CloseReason::GoAway, false, self.now, 0.5, &mut self.out);
    }

    fn look(&mut self, connection: ConnectionId) -> Option<Instant> {
        self.core.look_at(connection, self.now, &mut self.out)
    }

    fn resize(&mut self, min: usize, max: usize) {
        self.core.resize(min, max, self.now, &mut self.out);
    }

    /// Opens `n` connections without a call; their numbers are 1 to `n`. Forgets the effects.
    fn open(mut self, n: usize) -> Self {
        self.core.warm(n, self.now, &mut self.out);
        for effect in self.done() {
            if let Effect::Dial { id, .. } = effect {
                self.up(id, NO_LIMIT);
            }
        }
        self.core.unwarm(n);
        assert_eq!(self.core.serving(), n, "the rig opened its connections");
        self.out.clear();
        self
    }
}

fn dial(id: DialId) -> Effect<u32> {
    Effect::Dial { id, at: None }
}

fn dial_at(id: DialId, at: Instant) -> Effect<u32> {
    Effect::Dial { id, at: Some(at) }
}

fn grant(waiter: u32, connection: ConnectionId) -> Effect<u32> {
    Effect::Grant { waiter, connection }
}

fn refuse(waiter: u32, why: Refusal) -> Effect<u32> {
    Effect::Refuse { waiter, why }
}

fn drain(connection: ConnectionId, reason: CloseReason) -> Effect<u32> {
    Effect::Drain {
        connection,
        reason,
        cut_after: None,
    }
}
