//! The driver of the pool's decisions: holds [`Core`] in a mutex, and feeds it. What it decides is carried out in
//! [`super::effects`], after letting go of the lock. Slots that need no decision are had past the lock
//! ([`super::shortcut`]).

use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::avoid::Avoid;
use super::bounds::Bounds;
use super::config::Config;
use super::core::{ConnectionId, Core, Entry, Opened, Refusal};
use super::event::{CloseReason, ConnectionState, Event};
use super::gate::Gate;
use super::ledger::Ledger;
use super::member::Member;
use super::observers::Observers;
use super::service_config::Current;
use super::shortcut::{self, Remembered, Snapshot};
use super::slot::{LOOK_AGAIN, Slot};
use super::waiters::Waiter;
use crate::Error;
use crate::conn::dial::Dialer;
use crate::conn::error::ConnectError;
use crate::conn::goaway::GoAway;
use crate::conn::keepalive::KeepAliveConfig;
use crate::conn::progress::Phase;
use crate::conn::{Connection, Link};
use crate::error::Kind;

/// What the driver keeps with each connection of the core.
#[derive(Debug)]
pub(crate) struct Payload {
    /// Taken when the connection drains: h2 closes it once the last call has let go of it too.
    pub(crate) member: Option<Arc<Member>>,
    pub(crate) link: Arc<Link>,
}

/// What a waiting caller is told.
#[derive(Debug)]
pub(crate) enum Answer {
    Slot(Slot),
    Refused(Refusal),
}

pub(crate) type Notifier = oneshot::Sender<Answer>;
pub(crate) type PoolCore = Core<Payload, Notifier>;

/// What all handles, slots and tasks of a pool share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Tells this pool from all others there are or were.
    number: u64,
    /// [`Core::version`], for those who do not hold the lock.
    pub(super) version: AtomicU64,
    pub(crate) user_agent: HeaderValue,
    core: Mutex<PoolCore>,
    last_error: Mutex<Option<ConnectError>>,
    /// The same, kept when a connection has come up, and when that was.
    last_failure: Mutex<Option<(ConnectError, Instant)>>,
    pub(crate) config: Config,
    /// What [`Core`] is told comes from here.
    bounds: Mutex<Bounds>,
    pub(super) service_config: Current,
    pub(crate) ledger: Ledger,
    pub(crate) dialer: Dialer,
    pub(crate) endpoint: Arc<str>,
    observers: Observers,
    /// A connection or a dial came or went.
    pub(super) changed: Notify,
    /// Tasks that dial or drive a connection, those included that are about to end.
    pub(crate) tasks: AtomicUsize,
    /// How often a peer complained of too many pings.
    complaints: AtomicU32,
    /// The process in which the last connection was opened; 0 before the first.
    pub(super) process: AtomicU32,
    /// The pool is closed: dials stop.
    pub(crate) closing: CancellationToken,
}

impl Shared {
    pub(crate) fn new(config: Config, dialer: Dialer, observers: Observers, endpoint: Arc<str>) -> Arc<Self> {
        static POOLS: AtomicU64 = AtomicU64::new(0);
        let (bounds, throttling) = (config.bounds(), config.throttling());
        let mut policy = config.policy.clone();
        (policy.min_connections, policy.max_connections) = bounds.effective();
        Arc::new(Self {
            number: POOLS.fetch_add(1, Relaxed),
            version: AtomicU64::new(0),
            user_agent: config.user_agent(),
            core: Mutex::new(Core::new(policy, fastrand::u64(1..))),
            bounds: Mutex::new(bounds),
            service_config: Current::new(&config),
            last_error: Mutex::new(None),
            last_failure: Mutex::new(None),
            ledger: Ledger::new(throttling),
            config,
            dialer,
            endpoint,
            observers,
            changed: Notify::new(),
            tasks: AtomicUsize::new(0),
            complaints: AtomicU32::new(0),
            process: AtomicU32::new(0),
            closing: CancellationToken::new(),
        })
    }

    // ----- slots -----

    /// Takes a slot if one is free and nobody has waited longer.
    pub(crate) fn try_take(self: &Arc<Self>) -> Option<Slot> {
        let strategy = self.config.policy.strategy;
        let slot = match shortcut::take(self.number, self.version.load(Acquire), strategy) {
            Remembered::Took(member) => Slot::new(member),
            Remembered::Nothing => self.take_locked(false)?,
            Remembered::Unknown => self.take_locked(true)?,
        };
        self.tell(|| Event::CheckedOut {
            connection: slot.id(),
            waited: Duration::ZERO,
        });
        Some(slot)
    }

    /// The same under the lock, where more is known than a thread remembers.
    #[cold]
    fn take_locked(self: &Arc<Self>, remember: bool) -> Option<Slot> {
        let (slot, snapshot) = self.step(|core, out| {
            let slot = core.try_take(&Avoid::default(), out).and_then(slot_on);
            (slot, remember.then(|| Snapshot::of(self.number, core)))
        });
        if let Some(snapshot) = snapshot {
            snapshot.remember();
        }
        slot
    }

    /// Takes a slot elsewhere than where the call failed before, if that can be.
    pub(crate) fn try_take_avoiding(self: &Arc<Self>, avoid: &Avoid) -> Option<Slot> {
        if avoid.is_empty() {
            return self.try_take();
        }
        let slot = self.step(|core, out| core.try_take(avoid, out).and_then(slot_on))?;
        self.tell(|| Event::CheckedOut {
            connection: slot.id(),
            waited: Duration::ZERO,
        });
        Some(slot)
    }

    /// Takes a slot or queues the caller, in one step, so that nothing freed in between is missed.
    pub(crate) fn take_or_queue(self: &Arc<Self>, patient: bool, avoid: Avoid) -> Result<TakeOrQueue, Refusal> {
        let (notify, answer) = oneshot::channel();
        self.step(|core, out| {
            if let Some(slot) = core.try_take(&avoid, out).and_then(slot_on) {
                return Ok(TakeOrQueue::Took(slot));
            }
            let waiter = Waiter { notify, patient, avoid };
            let id = core.enqueue(waiter, Instant::now(), out)?;
            Ok(TakeOrQueue::Queued(id, answer))
        })
    }

    /// A queued caller gave up.
    pub(crate) fn give_up(&self, waiter: u64) {
        self.core().give_up(waiter);
    }

    pub(crate) fn give_back(self: &Arc<Self>, connection: ConnectionId, gate: &Gate) {
        let tell = || self.tell(|| Event::Returned { connection });
        match gate.give_back() {
            false => tell(),
            true => self.step_telling(|core, out| core.returned(connection, Instant::now(), out), |()| tell()),
        }
    }

    /// A call failed in a way that speaks against the peer: for a while the connection counts as busier than it is.
    pub(crate) fn fault(self: &Arc<Self>, member: &Member) {
        if member.gate.add_fault() {
            self.core().faults_begin(member.id, Instant::now());
            member.connection.link.control.look();
        }
    }

    /// A stream was cut short from this side.
    pub(crate) fn stream_cut(self: &Arc<Self>, connection: ConnectionId) {
        self.step(|core, out| core.stream_cut(connection, Instant::now(), out));
    }

    // ----- connections -----

    pub(crate) fn dialed(
        self: &Arc<Self>,
        dial: u64,
        connection: Connection,
        limit: usize,
        took: Duration,
    ) -> Option<(ConnectionId, Arc<Gate>)> {
        self.note_process();
        let now = Instant::now();
        let expires = self.config.lifetime(fastrand::f64()).map(|lifetime| now + lifetime);
        let peer_limit = streams(limit);
        let facts = Opened {
            peer: connection.link.peer,
            peer_limit,
            expires,
        };
        let payload = |id, gate: &Arc<Gate>| Payload {
            link: connection.link.clone(),
            member: Some(Arc::new(Member {
                gate: gate.clone(),
                connection,
                shared: self.clone(),
                id,
            })),
        };
        let opened = |id: &Option<(ConnectionId, Arc<Gate>)>| {
            let Some((connection, _)) = *id else { return };
            tracing::debug!(endpoint = %self.endpoint, connection, peer_limit, ?took, "connection opened");
            self.tell(|| Event::Opened {
                connection,
                took,
                peer_limit,
            });
        };
        let id = self.step_telling(
            |core, out| {
                let id = core.dialed(dial, facts, payload, now, fastrand::f64(), out)?;
                Some((id, core.entry_mut(id)?.gate.clone()))
            },
            opened,
        )?;
        self.set_last_error(None);
        self.changed.notify_waiters();
        Some(id)
    }

    pub(crate) fn dial_failed(self: &Arc<Self>, dial: u64, error: ConnectError, took: Duration) {
        let report = Error::connect(&error, &self.endpoint);
        // Before the waiters are woken, who look for it.
        self.set_last_error(Some(error));
        let failed = |(): &()| {
            tracing::warn!(endpoint = %self.endpoint, error = ?report, "cannot connect");
            self.tell(|| Event::Failed { error: &report, took });
        };
        self.step_telling(
            |core, out| core.dial_failed(dial, Instant::now(), fastrand::f64(), out),
            failed,
        );
        self.changed.notify_waiters();
    }

    pub(crate) fn dial_abandoned(self: &Arc<Self>, dial: u64) {
        self.step(|core, out| core.dial_abandoned(dial, out));
        self.changed.notify_waiters();
    }

    /// A task has let go of its connection.
    pub(crate) fn task_ended(&self) {
        self.tasks.fetch_sub(1, Relaxed);
        self.changed.notify_waiters();
    }

    pub(crate) fn limit_changed(self: &Arc<Self>, connection: ConnectionId, limit: usize) {
        tracing::debug!(endpoint = %self.endpoint, connection, limit, "the peer changed its stream limit");
        self.step(|core, out| core.limit_changed(connection, streams(limit), Instant::now(), out));
    }

    pub(crate) fn saturated(self: &Arc<Self>, connection: ConnectionId, is_it: bool, workers: usize) {
        tracing::debug!(endpoint = %self.endpoint, connection, is_it, workers, "whether the connection's task is saturated");
        self.step(|core, out| core.saturated(connection, is_it, workers, Instant::now(), out));
    }

    pub(crate) fn going_away(self: &Arc<Self>, connection: ConnectionId, reason: CloseReason) {
        self.remember_early_end(connection, reason);
        let is_news = self.step(|core, out| {
            let entry = core.entry_mut(connection);
            let announced = entry.is_some_and(|entry| entry.payload.link.pace.only_announces());
            core.going_away(connection, reason, announced, Instant::now(), fastrand::f64(), out)
        });
        if is_news && reason == CloseReason::TooManyPings && self.config.keep_alive().is_some() {
            self.complaints.fetch_add(1, Relaxed);
            tracing::warn!(endpoint = %self.endpoint, "the peer says too_many_pings: keepalive interval doubled");
        }
    }

    /// A call failed with its connection. The connection's task may not have had its turn yet, and the call may be
    /// sent again at once: it must not get the same connection.
    pub(crate) fn call_failed_with(self: &Arc<Self>, connection: ConnectionId, link: &Link, error: &h2::Error) {
        if let Some(goaway) = GoAway::of(error).filter(|goaway| goaway.is_remote) {
            let reason = goaway.reason();
            link.note(goaway);
            self.going_away(connection, reason);
        } else if error.is_io() || error.is_go_away() {
            self.step(|core, out| core.found_dead(connection, Instant::now(), out));
        }
    }

    pub(crate) fn closed(self: &Arc<Self>, connection: ConnectionId, reason: CloseReason) {
        self.remember_early_end(connection, reason);
        let step = |core: &mut PoolCore, out: &mut Vec<_>| {
            core.closed(connection, reason, Instant::now(), fastrand::f64(), out)
        };
        self.step_telling(step, |&cut| {
            tracing::debug!(endpoint = %self.endpoint, connection, %reason, cut, "connection closed");
            self.tell(|| Event::Closed {
                connection,
                reason,
                cut,
            });
        });
        self.changed.notify_waiters();
    }

    /// No call is sent on a connection until something comes from its peer.
    pub(crate) fn doubt(self: &Arc<Self>, connection: ConnectionId) {
        if self.step(|core, out| core.doubt(connection, Instant::now(), out)) {
            tracing::debug!(endpoint = %self.endpoint, connection, "peer is silent: connection takes no calls until it answers");
        }
    }

    pub(crate) fn trust(self: &Arc<Self>, connection: ConnectionId) {
        self.step(|core, out| core.trust(connection, Instant::now(), out));
        self.changed.notify_waiters();
    }

    /// Keepalive for the next connection: the interval doubles with every complaint (R16).
    pub(crate) fn keep_alive(&self) -> Option<KeepAliveConfig> {
        let doubled = 1_u32.checked_shl(self.complaints.load(Relaxed)).unwrap_or(u32::MAX);
        self.config.keep_alive().map(|config| KeepAliveConfig {
            interval: config.interval.saturating_mul(doubled),
            ..config
        })
    }

    /// Checks a connection's age and the pool's needs; says when to look again.
    pub(crate) fn look_at(self: &Arc<Self>, connection: ConnectionId) -> Option<Instant> {
        self.step(|core, out| core.look_at(connection, Instant::now(), out))
    }

    // ----- the pool -----

    /// Changes what was asked for, and follows what comes of it.
    pub(crate) fn change_bounds(self: &Arc<Self>, change: impl FnOnce(&mut Bounds)) {
        change(&mut self.bounds());
        // Read under the core's lock: of several changes at once the last to be followed has seen all of them.
        self.step(|core, out| {
            let (min, max) = self.bounds().effective();
            core.resize(min, max, Instant::now(), out);
        });
        self.changed.notify_waiters();
    }

    pub(super) fn bounds(&self) -> MutexGuard<'_, Bounds> {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the pool; calls in flight have `grace` to finish.
    pub(crate) fn close(self: &Arc<Self>, grace: Duration) {
        self.step(|core, out| core.close(grace, out));
        self.closing.cancel();
        self.changed.notify_waiters();
    }

    /// Waits until `check` has an answer, looking again whenever a connection or a dial comes or goes.
    ///
    /// Each look plans as well: a dial may have died with the runtime it ran on, and here is another.
    pub(crate) async fn until<R>(self: &Arc<Self>, mut check: impl FnMut(&PoolCore) -> Option<R>) -> R {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before looking, so that no change falls between the two.
            changed.as_mut().enable();
            let answer = self.step(|core, out| {
                core.plan(Instant::now(), out);
                check(core)
            });
            if let Some(answer) = answer {
                return answer;
            }
            match Handle::try_current() {
                // Dials may not get on, because their runtime stands still.
                Ok(_) => drop(timeout(LOOK_AGAIN, changed).await),
                Err(_) => changed.await,
            }
        }
    }

    /// The error of a caller that is refused.
    pub(crate) fn refusal(&self, refusal: Refusal) -> Error {
        self.refused(match refusal {
            Refusal::Closed => Kind::Closed,
            Refusal::QueueFull => Kind::QueueFull {
                max_waiters: self.config.policy.max_waiters,
            },
            Refusal::Unreachable => Kind::Connect,
            Refusal::AskAgain => Kind::RuntimeGone,
        })
    }

    /// An error that tells, if there is no connection, why the last dial failed.
    pub(crate) fn refused(&self, kind: Kind) -> Error {
        let is_connect = matches!(kind, Kind::Connect);
        let error = Error::new(kind, &self.endpoint);
        match self.last_error() {
            Some(cause) if is_connect => error.because_of(cause),
            _ => error,
        }
    }

    /// A connection that the peer ends before it was of any use may count as a failed dial: then callers are told
    /// this, and the next dial tries other addresses first.
    fn remember_early_end(&self, connection: ConnectionId, reason: CloseReason) {
        let problem = match reason {
            CloseReason::Lost => "the peer ended the connection soon after",
            CloseReason::GoAway | CloseReason::TooManyPings => "the peer sent GOAWAY soon after",
            _ => return,
        };
        let now = Instant::now();
        let peer = {
            let mut core = self.core();
            let soon = core.policy().backoff.base;
            match core.entry_mut(connection) {
                Some(entry) if entry.is_useless(now, soon) && entry.state != ConnectionState::Draining => {
                    entry.payload.link.peer
                }
                _ => return,
            }
        };
        if let Some(peer) = peer {
            self.dialer.address_failed(peer, now);
        }
        self.set_last_error(Some(ConnectError::new(Phase::Settings, peer, problem)));
    }

    fn set_last_error(&self, error: Option<ConnectError>) {
        if let Some(error) = &error {
            let failure = (error.clone(), Instant::now());
            *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        }
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Why a dial failed last, or why the last connection was useless, and when: for the statistics.
    pub(crate) fn last_failure(&self) -> Option<(ConnectError, Instant)> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the last dial failed, or what was wrong with the last connection; nothing since one is up.
    pub(crate) fn last_error(&self) -> Option<ConnectError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, PoolCore> {
        // Nothing in the core panics short of a broken invariant, and then its counts are still the best there are.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the observers; the event is made only if there are any.
    pub(crate) fn tell<'e>(&self, event: impl FnOnce() -> Event<'e>) {
        if !self.observers.is_empty() {
            self.observers.tell(&event());
        }
    }
}

/// The two ways of [`Shared::take_or_queue`].
#[derive(Debug)]
pub(crate) enum TakeOrQueue {
    Took(Slot),
    Queued(u64, oneshot::Receiver<Answer>),
}

/// The slot that was taken on a connection.
pub(super) fn slot_on(entry: &Entry<Payload>) -> Option<Slot> {
    // A connection that takes calls has its handle: it is taken when the state turns to draining, under one lock.
    entry.payload.member.clone().map(Slot::new)
}

/// A peer's stream limit as the core counts: h2 says `usize::MAX` where the peer names none.
fn streams(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}
