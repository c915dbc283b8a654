//! A driver of the core that is small enough for loom: callers take, wait and give back as they do in pool-runtime
//! (`Shared`, `shortcut` and `Slot`), and what the core orders is written down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::pool::avoid::Avoid;
use crate::pool::backoff::Backoff;
use crate::pool::core::{ConnectionId, Core, Effect, MaxResets, Opened};
use crate::pool::event::CloseReason;
use crate::pool::gate::Gate;
use crate::pool::picker::Strategy;
use crate::pool::policy::{Overflow, Policy};
use crate::pool::waiters::Waiter;

/// What a waiting caller is told: the connection on which it has a slot, 0 before.
pub(crate) type Answer = Arc<AtomicUsize>;
type Effects = Vec<Effect<Answer>>;

/// What came of a caller.
#[derive(Debug)]
pub(crate) enum Caller {
    Has(ConnectionId),
    Waits(Answer),
}

impl Caller {
    /// The connection on which it has a slot by now.
    pub(crate) fn slot(&self) -> Option<ConnectionId> {
        match self {
            Self::Has(connection) => Some(*connection),
            Self::Waits(answer) => Some(answer.load(Acquire) as u64).filter(|&connection| connection > 0),
        }
    }
}

/// A pool whose connections are numbers.
pub(crate) struct Driver {
    core: Mutex<State>,
    gates: BTreeMap<ConnectionId, (Arc<Gate>, Streams)>,
    now: Instant,
}

/// What a peer sees, counted beside the pool.
struct Streams {
    now: AtomicUsize,
    limit: usize,
}

struct State {
    core: Core<(), Answer>,
    drained: Vec<(ConnectionId, CloseReason)>,
}

/// One connection of so many streams, and a maximum of one.
pub(crate) fn policy(streams: u32) -> Policy {
    Policy {
        min_connections: 0,
        max_connections: 1,
        max_concurrent_streams: streams,
        max_total_uses: None,
        overflow: Overflow::Strict,
        max_waiters: 10,
        idle_timeout: None,
        drain_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        max_resets: MaxResets {
            count: 100,
            per: Duration::from_secs(30),
        },
        backoff: Backoff::default(),
        strategy: Strategy::LeastLoaded,
    }
}

impl Driver {
    /// A pool with an open connection, number 1.
    pub(crate) fn new(policy: Policy) -> Self {
        let mut driver = Self {
            gates: BTreeMap::new(),
            core: Mutex::new(State {
                core: Core::new(policy, 0),
                drained: Vec::new(),
            }),
            now: Instant::now(),
        };
        driver.open();
        driver
    }

    /// Another connection comes up.
    pub(crate) fn open(&mut self) {
        let mut out = Effects::new();
        let mut state = self.core.lock().expect("nobody else has it");
        let limit = state.core.policy().max_concurrent_streams;
        // A dial need not have been ordered to come up.
        let opened = Opened {
            peer: None,
            peer_limit: limit,
            expires: None,
        };
        let id = state.core.dialed(0, opened, |_, _| (), self.now, 0.5, &mut out);
        let entry = id.and_then(|id| state.core.entry_mut(id)).expect("it is up");
        let streams = Streams {
            now: AtomicUsize::new(0),
            limit: limit as usize,
        };
        self.gates.insert(entry.id, (entry.gate.clone(), streams));
        drop(state);
        self.step(|_, _, orders| orders.extend(out));
    }

    pub(crate) fn gate(&self, connection: ConnectionId) -> &Gate {
        &self.gates[&connection].0
    }

    /// Past the lock, as `shortcut` does.
    pub(crate) fn take_past_the_pool(&self) -> Option<ConnectionId> {
        let open = |(_, (gate, _)): &(&ConnectionId, &(Arc<Gate>, Streams))| gate.admits(gate.read());
        let (&connection, (gate, _)) = self.gates.iter().find(open)?;
        gate.try_take().then(|| self.took(connection))
    }

    /// As `Shared::acquire` does, up to the wait.
    pub(crate) fn call(&self) -> Caller {
        match self.take_past_the_pool() {
            Some(connection) => Caller::Has(connection),
            None => self.take_or_queue(),
        }
    }

    pub(crate) fn take_or_queue(&self) -> Caller {
        self.step(|core, now, out| {
            if let Some(entry) = core.try_take(&Avoid::default(), out) {
                return Caller::Has(self.took(entry.id));
            }
            let answer = Answer::default();
            let waiter = Waiter {
                notify: answer.clone(),
                patient: true,
                avoid: Avoid::default(),
            };
            core.enqueue(waiter, now, out).expect("there is room in the queue");
            Caller::Waits(answer)
        })
    }

    /// As a slot does when it is dropped.
    pub(crate) fn give_back(&self, connection: ConnectionId) {
        let (gate, streams) = &self.gates[&connection];
        streams.now.fetch_sub(1, Relaxed);
        if gate.give_back() {
            self.step(|core, now, out| core.returned(connection, now, out));
        }
    }

    /// A step of the core, and what it orders.
    pub(crate) fn step<R>(&self, step: impl FnOnce(&mut Core<(), Answer>, Instant, &mut Effects) -> R) -> R {
        let mut state = self.state();
        let mut out = Effects::new();
        let result = step(&mut state.core, self.now, &mut out);
        for effect in out {
            match effect {
                Effect::Grant { waiter, connection } => {
                    let before = waiter.swap(self.took(connection) as usize, Release);
                    assert_eq!(before, 0, "a caller is served once");
                }
                Effect::Drain { connection, reason, .. } => state.drained.push((connection, reason)),
                Effect::Dial { .. } | Effect::Refuse { .. } => {}
            }
        }
        result
    }

    /// The connections that were taken out of use so far.
    pub(crate) fn drained(&self) -> Vec<(ConnectionId, CloseReason)> {
        self.state().drained.clone()
    }

    fn took(&self, connection: ConnectionId) -> ConnectionId {
        let (_, streams) = &self.gates[&connection];
        let before = streams.now.fetch_add(1, Relaxed);
        assert!(before < streams.limit, "the peer sees more streams than it allows");
        connection
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.core.lock().expect("a thread panicked")
    }
}
