//! The driver and the peers of the simulation, with books of their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use super::actions::ACTIONS;
use crate::pool::avoid::Avoid;
use crate::pool::backoff::Backoff;
use crate::pool::core::{ConnectionId, Core, DialId, Effect, MaxResets, Refusal};
use crate::pool::event::CloseReason;
use crate::pool::gate::Gate;
use crate::pool::picker::Strategy;
use crate::pool::policy::{Overflow, Policy};
use crate::pool::waiters::{Waiter, WaiterId};

/// How many of the last steps a failure shows.
const SHOWN: usize = 25;

/// How long a dial may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Threads of the runtime that drives the connections.
pub(super) const WORKERS: usize = 3;

/// A caller in the queue, as the books have it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) number: u64,
    pub(super) place: WaiterId,
    pub(super) patient: bool,
}

/// Where a dial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Ordered for at once or for the end of the backoff, and due then; not begun.
    Ordered { backoff: bool, due: Instant },
    /// Begun then.
    Running(Instant),
}

impl Stage {
    pub(super) fn is_running(self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Its runtime had time enough to start it, or to bring it to an end.
    pub(super) fn is_overdue(self, now: Instant) -> bool {
        match self {
            Self::Ordered { due, .. } => now > due + Duration::from_millis(100),
            Self::Running(since) => now > since + CONNECT_TIMEOUT + Duration::from_millis(100),
        }
    }
}

/// A connection, as the books have it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) limit: u32,
    /// Slots that callers hold.
    pub(super) held: u32,
    /// What `held` may not pass: the limit, or what was granted before the limit fell.
    pub(super) ceiling: u32,
    pub(super) uses: u64,
    /// A call on it was answered.
    pub(super) answered: bool,
    /// Its end was announced.
    pub(super) announced: bool,
    /// When streams were cut short from this side.
    pub(super) cuts: Vec<Instant>,
    /// Since when its peer is doubted.
    pub(super) doubted: Option<Instant>,
    /// It came up past the maximum.
    pub(super) surplus: bool,
    pub(super) draining: bool,
    /// A call found it dead; its task has not said so yet.
    pub(super) dead: bool,
    /// Its task is busy all the time.
    pub(super) saturated: bool,
    pub(super) opened: Instant,
    /// Since when the core knows that it has no call.
    pub(super) idle_since: Option<Instant>,
    /// When its task looks at it again.
    pub(super) look: Option<Instant>,
}

/// Everything outside of the core.
pub(super) struct World {
    pub(super) core: Core<(), u64>,
    pub(super) rng: Rng,
    pub(super) now: Instant,
    pub(super) queue: VecDeque<Caller>,
    pub(super) dials: BTreeMap<DialId, Stage>,
    pub(super) peers: BTreeMap<ConnectionId, Peer>,
    /// Slots that were handed out so far.
    pub(super) checkouts: u64,
    /// Slots held, by connection; the connection may be gone.
    pub(super) slots: Vec<ConnectionId>,
    /// The gates of all connections there were.
    pub(super) gates: BTreeMap<ConnectionId, Arc<Gate>>,
    /// The connections that a thread remembers, which takes slots past the pool.
    pub(super) remembered: Vec<ConnectionId>,
    /// Slots that have come back, of which the core is yet to be told.
    pub(super) words: Vec<ConnectionId>,
    pub(super) gone: Vec<ConnectionId>,
    pub(super) floors: Vec<usize>,
    /// Attempts that failed since the last dial that came up.
    pub(super) failures: u32,
    pub(super) backoff_until: Option<Instant>,
    /// Connections in a row that were lost before they were of any use.
    pub(super) useless: u32,
    /// Connections lost in use and not made up for: what the core may count at most.
    pub(super) losses: usize,
    pub(super) last_limit: Option<u32>,
    pub(super) callers: u64,
    pub(super) closed: bool,
    /// A dial is being abandoned.
    pub(super) abandoning: bool,
    seed: u64,
    steps: u64,
    verbose: bool,
    odds: Vec<u32>,
    shown: VecDeque<(&'static str, u64)>,
}

fn policy(rng: &mut Rng) -> Policy {
    let base = Duration::from_millis(rng.u64(100..2_000));
    let max = if rng.u8(..16) == 0 {
        usize::MAX
    } else {
        rng.usize(1..=5)
    };
    Policy {
        min_connections: rng.usize(0..=2).min(max),
        max_connections: max,
        max_concurrent_streams: if rng.u8(..8) == 0 { u32::MAX } else { rng.u32(1..=4) },
        max_total_uses: (rng.u8(..3) == 0).then(|| rng.u64(1..=5)),
        overflow: match rng.usize(..6) {
            extra @ 1..=2 => Overflow::Loose { max_extra: extra },
            _ => Overflow::Strict,
        },
        max_waiters: rng.usize(0..=20),
        idle_timeout: (rng.u8(..4) > 0).then(|| Duration::from_secs(rng.u64(1..60))),
        drain_timeout: Duration::from_secs(30),
        connect_timeout: CONNECT_TIMEOUT,
        max_resets: MaxResets {
            count: rng.u32(20..200),
            per: Duration::from_secs(rng.u64(1..60)),
        },
        backoff: Backoff {
            base,
            max: base * rng.u32(1..100),
            ..Backoff::default()
        },
        strategy: [Strategy::LeastLoaded, Strategy::RoundRobin, Strategy::FillFirst][rng.usize(..3)],
    }
}

impl World {
    pub(super) fn new(seed: u64, verbose: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let policy = policy(&mut rng);
        if verbose {
            println!("{policy:#?}");
        }
        // Each schedule has its own odds, so that some are all failures and others all limits: together they reach
        // corners that even odds never reach.
        let odds = ACTIONS.iter().map(|(weight, _)| weight * rng.u32(0..4)).collect();
        Self {
            core: Core::new(policy, rng.u64(..)),
            rng,
            now: Instant::now(),
            queue: VecDeque::new(),
            dials: BTreeMap::new(),
            peers: BTreeMap::new(),
            checkouts: 0,
            slots: Vec::new(),
            gates: BTreeMap::new(),
            remembered: Vec::new(),
            words: Vec::new(),
            gone: Vec::new(),
            floors: Vec::new(),
            failures: 0,
            backoff_until: None,
            useless: 0,
            losses: 0,
            last_limit: None,
            callers: 0,
            closed: false,
            abandoning: false,
            seed,
            steps: 0,
            verbose,
            odds,
            shown: VecDeque::new(),
        }
    }

    /// One random step.
    pub(super) fn act(&mut self) {
        self.steps += 1;
        if self.rng.bool() {
            self.tell();
        }
        let sum = self.odds.iter().sum::<u32>();
        if sum == 0 {
            return;
        }
        let mut point = self.rng.u32(..sum);
        for (index, (_, action)) in ACTIONS.iter().enumerate() {
            if point < self.odds[index] {
                return action(self);
            }
            point -= self.odds[index];
        }
    }

    pub(super) fn show(&mut self, what: &'static str, which: u64) {
        if self.verbose {
            println!("{:>5} {:?} {what} {which}", self.steps, self.now);
        }
        self.shown.push_back((what, which));
        if self.shown.len() > SHOWN {
            self.shown.pop_front();
        }
    }

    /// An input of the core, and what it wants done for it.
    pub(super) fn input<R>(&mut self, step: impl FnOnce(&mut Core<(), u64>, &mut Vec<Effect<u64>>) -> R) -> R {
        self.input_booked(step, |_, _| {})
    }

    /// The same for a step whose result has to be in the books before its effects.
    pub(super) fn input_booked<R>(
        &mut self,
        step: impl FnOnce(&mut Core<(), u64>, &mut Vec<Effect<u64>>) -> R,
        book: impl FnOnce(&mut Self, &R),
    ) -> R {
        let mut effects = Vec::new();
        let result = step(&mut self.core, &mut effects);
        book(self, &result);
        self.carry_out(effects);
        result
    }

    fn carry_out(&mut self, effects: Vec<Effect<u64>>) {
        let mut ask_again = Vec::new();
        let mut returned = Vec::new();
        let ordered = self.dials.len();
        for effect in effects {
            if self.verbose {
                println!("      -> {effect:?}");
            }
            match effect {
                Effect::Dial { id, at } => self.order(id, at),
                Effect::Grant { waiter, connection } => {
                    self.granted(waiter, connection);
                    // A caller that is dropped while its slot is on the way sends it back.
                    if self.rng.u8(..16) == 0 {
                        returned.push(connection);
                    }
                }
                Effect::Refuse { waiter, why } => ask_again.extend(self.refused(waiter, why)),
                Effect::Drain { connection, reason, .. } => self.drained(connection, reason),
            }
        }
        if self.dials.len() > ordered {
            self.check_dials();
        }
        for connection in returned {
            self.give_back(connection);
        }
        for patient in ask_again {
            self.enqueue(patient);
        }
    }

    fn order(&mut self, id: DialId, at: Option<Instant>) {
        self.check_order(at);
        let stage = Stage::Ordered {
            backoff: at.is_some(),
            due: at.unwrap_or(self.now),
        };
        self.dials.insert(id, stage);
    }

    fn granted(&mut self, waiter: u64, connection: ConnectionId) {
        let first = self.queue.pop_front().map(|caller| caller.number);
        assert_eq!(first, Some(waiter), "the longest-waiting live caller is served first");
        self.took(connection);
    }

    /// Books a slot that was handed out.
    pub(super) fn took(&mut self, connection: ConnectionId) {
        self.check_take(connection);
        let peer = self.peers.get_mut(&connection).expect("checked");
        peer.held += 1;
        peer.uses += 1;
        self.checkouts += 1;
        peer.idle_since = None;
        self.slots.push(connection);
    }

    fn refused(&mut self, waiter: u64, why: Refusal) -> Option<bool> {
        let position = self.queue.iter().position(|caller| caller.number == waiter);
        let position = position.expect("only a caller in the queue is refused, and once");
        let caller = self.queue.remove(position).expect("found");
        self.check_refusal(&caller, why);
        (why == Refusal::AskAgain).then_some(caller.patient)
    }

    fn drained(&mut self, connection: ConnectionId, reason: CloseReason) {
        let now = self.now;
        let peer = self.peers.get_mut(&connection).expect("only a connection drains");
        assert!(
            !peer.draining || reason == CloseReason::PoolClosed,
            "a connection drains once"
        );
        peer.draining = true;
        peer.look = Some(now);
        self.losses += usize::from(match reason {
            // By a call that may not be in the books yet.
            CloseReason::UsedUp => true,
            CloseReason::Resets | CloseReason::GoAway | CloseReason::TooManyPings | CloseReason::Broken => {
                peer.held > 0 && !peer.dead && peer.doubted.is_none()
            }
            _ => false,
        });
    }

    pub(super) fn enqueue(&mut self, patient: bool) {
        let number = self.callers;
        self.callers += 1;
        let now = self.now;
        let is_unreachable = self.is_unreachable();
        let is_full = self.queue.len() >= self.core.policy().max_waiters;
        let waiter = Waiter {
            notify: number,
            patient,
            avoid: self.some_to_avoid(),
        };
        let place = self.input_booked(
            |core, out| core.enqueue(waiter, now, out),
            |world, place| {
                let place = place.ok().map(|place| Caller { number, place, patient });
                world.queue.extend(place);
            },
        );
        let expected = match (self.closed, is_unreachable && !patient, is_full) {
            (true, _, _) => Some(Refusal::Closed),
            (_, true, _) => Some(Refusal::Unreachable),
            (_, _, true) => Some(Refusal::QueueFull),
            _ => None,
        };
        assert_eq!(place.err(), expected, "a caller is turned away at once, or taken in");
    }

    /// Where a call failed before, if it did.
    pub(super) fn some_to_avoid(&mut self) -> Avoid {
        let mut avoid = Avoid::default();
        for &connection in self.peers.keys() {
            if self.rng.u8(..8) == 0 {
                avoid.add(connection, None);
            }
        }
        avoid
    }

    /// The peer ended a connection on which it had answered no call. Once is an accident.
    pub(super) fn ended_early(&mut self, opened: Instant, answered: bool, random: f64) {
        if !answered && self.now.duration_since(opened) < self.core.policy().backoff.base {
            self.useless += 1;
            if self.useless > 1 {
                self.fails(random);
            }
        }
    }

    /// A dial failed, or a connection was of no use: the backoff begins, if it does not run.
    pub(super) fn fails(&mut self, random: f64) {
        if self.backoff_until.is_none_or(|until| until <= self.now) {
            self.failures += 1;
            let delay = self.core.policy().backoff.delay(self.failures, random);
            self.backoff_until = Some(self.now + delay);
        }
    }

    pub(super) fn give_back(&mut self, connection: ConnectionId) {
        let position = self.slots.iter().position(|&slot| slot == connection);
        self.slots
            .swap_remove(position.expect("only slots that are held are given back"));
        if let Some(peer) = self.peers.get_mut(&connection) {
            if self.rng.bool() {
                self.useless = 0;
                peer.answered = true;
                self.core.answered(connection);
            }
            peer.held -= 1;
            peer.ceiling = peer.held.max(peer.limit);
        }
        if self.gates[&connection].give_back() {
            self.words.push(connection);
            // On another thread, what has come back may be used before the pool is told.
            if self.rng.u8(..8) > 0 {
                self.tell();
            }
        }
    }

    /// Those who gave slots back tell the pool.
    pub(super) fn tell(&mut self) {
        for connection in std::mem::take(&mut self.words) {
            let now = self.now;
            self.see_if_idle(connection);
            self.input(|core, out| core.returned(connection, now, out));
            self.check_surplus(connection);
        }
    }

    pub(super) fn see_if_idle(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&connection).filter(|peer| peer.held == 0) {
            peer.idle_since.get_or_insert(self.now);
        }
    }

    /// Dials that can be waited for.
    pub(super) fn live_dials(&self) -> usize {
        self.dials.values().filter(|stage| !stage.is_overdue(self.now)).count()
    }

    /// Nothing serves, nothing is being dialled, and the backoff runs: as the books have it.
    pub(super) fn is_unreachable(&self) -> bool {
        let waits = |stage: &Stage| stage.is_overdue(self.now) || matches!(stage, Stage::Ordered { backoff: true, .. });
        self.backoff_until.is_some_and(|until| until > self.now)
            && !self.peers.values().any(Peer::is_in_use)
            && self.dials.values().all(waits)
    }
}

impl Peer {
    pub(super) fn takes_calls(&self) -> bool {
        self.is_in_use() && self.doubted.is_none()
    }

    /// It takes calls, or would if its peer were not doubted.
    pub(super) fn is_in_use(&self) -> bool {
        !self.draining && !self.dead
    }

    pub(super) fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            held: 0,
            ceiling: limit,
            uses: 0,
            answered: false,
            announced: false,
            cuts: Vec::new(),
            doubted: None,
            surplus: false,
            draining: false,
            dead: false,
            saturated: false,
            opened: now,
            idle_since: Some(now),
            // Its task looks as soon as it runs.
            look: Some(now),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, steps, shown, .. } = self;
            println!("seed {seed} fails at step {steps}; its last steps:");
            for (what, which) in shown {
                println!("    {what} {which}");
            }
            println!("Replay it, every step and effect printed, with");
            println!("    POOL_SIMULATION_SEED={seed} cargo test -p pool-runtime --lib simulation -- --nocapture");
        }
    }
}
