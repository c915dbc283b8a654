//! What single inputs lead to, and the ways of the core that once went wrong.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::pool::backoff::Backoff;
use crate::pool::event::CloseReason;
use crate::pool::picker::Strategy;
use crate::pool::policy::Overflow;

/// No peer names a limit.
const NO_LIMIT: u32 = u32::MAX;
const SECOND: Duration = Duration::from_secs(1);
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
const LIFETIME: Duration = Duration::from_secs(600);

/// A core, its clock, and what it wants done. Callers are numbers.
struct Rig {
    core: Core<(), u32>,
    now: Instant,
    out: Vec<Effect<u32>>,
}

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
            backoff: Backoff {
                jitter: 0.0,
                ..Backoff::default()
            },
            strategy: Strategy::LeastLoaded,
        };
        change(&mut policy);
        Self {
            core: Core::new(policy),
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
        self.core.try_take(&mut self.out).map(|entry| entry.id)
    }

    fn queue(&mut self, caller: u32) -> Result<WaiterId, Refusal> {
        self.core.enqueue(caller, false, self.now, &mut self.out)
    }

    fn queue_patient(&mut self, caller: u32) -> Result<WaiterId, Refusal> {
        self.core.enqueue(caller, true, self.now, &mut self.out)
    }

    fn back(&mut self, connection: ConnectionId) {
        self.core.give_back(connection, self.now, &mut self.out);
    }

    fn up(&mut self, dial: DialId, limit: u32) -> Option<ConnectionId> {
        let expires = Some(self.now + LIFETIME);
        self.core.dialed(dial, (), limit, expires, self.now, &mut self.out)
    }

    fn fail(&mut self, dial: DialId) {
        self.core.dial_failed(dial, self.now, 0.5, &mut self.out);
    }

    fn lose(&mut self, connection: ConnectionId) {
        self.core.closed(connection, self.now, 0.5, &mut self.out);
    }

    fn limit(&mut self, connection: ConnectionId, limit: u32) {
        self.core.limit_changed(connection, limit, self.now, &mut self.out);
    }

    fn go_away(&mut self, connection: ConnectionId) {
        self.core
            .going_away(connection, CloseReason::GoAway, self.now, &mut self.out);
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

#[test]
fn dials_that_fail_together_count_as_one_failure() {
    let mut rig = Rig::with(|policy| policy.max_connections = 10);
    for caller in 0..20 {
        rig.queue(caller).unwrap();
    }
    assert_eq!(rig.core.dials(), 10);
    rig.done();
    for id in 1..10 {
        rig.fail(id);
        assert_eq!(rig.done(), [], "others are on their way");
    }
    rig.fail(10);
    assert_eq!(rig.done().len(), 20, "all have learnt of it");
    rig.pass(SECOND);
    assert_eq!(rig.queue(99), Ok(20), "the backoff of one failure is over");
    assert_eq!(rig.done(), [dial(11)]);
    rig.fail(11);
    assert_eq!(rig.queue(99), Err(Refusal::Unreachable));
    rig.pass(SECOND.mul_f64(1.6));
    assert_eq!(rig.queue(99), Ok(21), "the backoff of two failures is over");
}

#[test]
fn losing_the_last_connection_during_the_backoff_tells_those_who_do_not_wait_for_ready() {
    let ways: [fn(&mut Rig); 2] = [|rig| rig.lose(1), |rig| rig.go_away(1)];
    for lose in ways {
        let mut rig = Rig::new().open(1);
        assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
        rig.queue(7).unwrap();
        rig.queue_patient(8).unwrap();
        assert_eq!(rig.done(), [dial(2)]);
        rig.fail(2);
        let retry = rig.now + SECOND;
        assert_eq!(
            rig.done(),
            [dial_at(3, retry)],
            "a connection serves: there is still something to wait for"
        );
        lose(&mut rig);
        let told = rig
            .done()
            .into_iter()
            .filter(|effect| matches!(effect, Effect::Refuse { .. }));
        assert_eq!(told.collect::<Vec<_>>(), [refuse(7, Refusal::Unreachable)]);
    }
}

#[test]
fn a_connection_that_comes_up_past_a_lowered_maximum_is_not_kept() {
    let mut rig = Rig::new();
    for caller in 0..4 {
        rig.queue(caller).unwrap();
    }
    assert_eq!(rig.done(), [dial(1), dial(2)]);
    rig.resize(0, 1);
    rig.up(1, NO_LIMIT);
    assert_eq!(rig.done(), [grant(0, 1), grant(1, 1)]);
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [drain(2, CloseReason::Resized)]);
    assert_eq!((rig.core.serving(), rig.core.waiting()), (1, 2));
}

#[test]
fn a_connection_past_the_maximum_that_nobody_needs_any_more_is_not_kept() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 1;
        policy.overflow = Overflow::Loose { max_extra: 1 };
    })
    .open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [dial(2)]);
    rig.back(1);
    assert_eq!(rig.done(), [grant(0, 1)]);
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [drain(2, CloseReason::Surplus)]);
}

#[test]
fn a_connection_past_the_maximum_closes_when_it_is_given_back() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 1;
        policy.overflow = Overflow::Loose { max_extra: 1 };
    })
    .open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    rig.queue(1).unwrap();
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [dial(2), grant(0, 2), grant(1, 2)]);
    rig.back(2);
    assert_eq!(rig.done(), [], "a call is still on it");
    rig.back(2);
    assert_eq!(rig.done(), [drain(2, CloseReason::Surplus)]);
}

#[test]
fn those_who_wait_are_dialled_for_when_a_connection_comes_to_its_end() {
    let ways: [(&str, fn(&mut Rig)); 4] = [
        ("used up", |rig| rig.back(1)),
        ("too many resets", |rig| {
            for _ in 0..MAX_RESETS {
                rig.core.stream_cut(1, rig.now, &mut rig.out);
            }
        }),
        ("expired, with no stream allowed", |rig| {
            rig.limit(1, 0);
            rig.back(1);
            rig.pass(LIFETIME);
            rig.look(1);
        }),
        ("idle, with no stream allowed", |rig| {
            rig.limit(1, 0);
            rig.back(1);
            rig.pass(IDLE_TIMEOUT);
            rig.look(1);
        }),
    ];
    for (what, end) in ways {
        let mut rig = Rig::with(|policy| {
            policy.max_connections = 1;
            policy.max_concurrent_streams = 1;
            policy.max_total_uses = Some(2);
        })
        .open(1);
        assert_eq!(rig.take(), Some(1));
        rig.queue(0).unwrap();
        rig.queue(1).unwrap();
        assert_eq!(rig.done(), [], "{what}");
        end(&mut rig);
        assert!(rig.done().contains(&dial(2)), "{what}");
    }
}

#[test]
fn a_connection_past_its_lifetime_that_cannot_be_replaced_still_closes_when_idle() {
    let mut rig = Rig::new().open(1);
    rig.take();
    rig.pass(LIFETIME);
    let next = rig.look(1);
    assert_eq!(next, Some(rig.now + IDLE_TIMEOUT));
    assert_eq!(rig.done(), [dial(2)], "its replacement");
    rig.fail(2);
    assert_eq!(rig.done(), [dial_at(3, rig.now + SECOND)]);
    rig.back(1);
    rig.pass(IDLE_TIMEOUT);
    assert_eq!(rig.look(1), None);
    assert_eq!(rig.done(), [drain(1, CloseReason::Idle)]);
    assert!(!rig.core.dial_starts(3), "nobody needs a replacement any more");
}

#[test]
fn times_past_what_the_clock_can_tell_are_no_times() {
    let mut rig = Rig::with(|policy| {
        policy.idle_timeout = Some(Duration::MAX);
        policy.backoff.base = Duration::MAX;
        policy.backoff.max = Duration::MAX;
    })
    .open(1);
    assert_eq!(rig.look(1), Some(rig.now + LIFETIME));
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    rig.fail(2);
    rig.lose(1);
    assert_eq!(rig.queue(1), Err(Refusal::Unreachable));
}

#[test]
fn a_loss_that_leaves_the_pool_at_its_maximum_is_not_made_up_for_later() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 1;
        policy.overflow = Overflow::Loose { max_extra: 1 };
    })
    .open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    rig.up(2, NO_LIMIT);
    rig.back(1);
    assert_eq!(rig.done(), [dial(2), grant(0, 2)]);
    rig.lose(2);
    assert_eq!(rig.done(), [], "one serves, and one is the maximum");
    rig.back(1);
    rig.pass(IDLE_TIMEOUT);
    rig.look(1);
    assert_eq!(rig.done(), [drain(1, CloseReason::Idle)], "nobody asks for another");
}

#[test]
fn connections_for_few_uses_are_dialled_as_many_as_that_takes() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 8;
        policy.max_concurrent_streams = 100;
        policy.max_total_uses = Some(2);
    });
    for caller in 0..6 {
        rig.queue(caller).unwrap();
    }
    assert_eq!(rig.done(), [dial(1), dial(2), dial(3)]);
}

#[test]
fn a_peer_that_allowed_no_stream_and_is_gone_holds_up_nobody() {
    let mut rig = Rig::with(|policy| policy.max_connections = 3).open(2);
    assert_eq!([rig.take(), rig.take(), rig.take()], [Some(1), Some(2), Some(1)]);
    rig.limit(2, 0);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [], "the newest peer allows nothing");
    rig.back(2);
    rig.go_away(2);
    let reason = CloseReason::GoAway;
    assert_eq!(rig.done(), [drain(2, reason), dial(3)]);
    rig.up(3, 1);
    rig.queue(1).unwrap();
    assert_eq!(rig.done(), [grant(0, 3), dial(4)]);
}
