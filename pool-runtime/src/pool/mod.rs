//! The pool: who may open a stream on which connection, and which connections there are.

pub(crate) mod avoid;
pub(crate) mod backoff;
pub(crate) mod bounds;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod core;
mod dial;
mod effects;
pub(crate) mod event;
pub(crate) mod forked;
pub(crate) mod gate;
pub(crate) mod lease;
pub(crate) mod ledger;
mod member;
mod observers;
pub(crate) mod picker;
pub(crate) mod policy;
mod scale;
#[cfg_attr(not(feature = "service-config"), path = "service_config_absent.rs")]
mod service_config;
pub(crate) mod shared;
mod shortcut;
pub(crate) mod slot;
pub(crate) mod stats;
pub(crate) mod throttle;
mod waiters;

/// The atomics that [`gate`] is made of; `tests/loom` has it made of others.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task::consume_budget;
use tokio::time::{Instant, timeout};

use self::avoid::Avoid;
use self::builder::Builder;
use self::config::{LONGEST, MOST_CONNECTIONS, check_bounds};
use self::lease::Lease;
use self::shared::Shared;
use self::slot::Wait;
use self::stats::PoolStats;
use crate::Error;
use crate::error::Kind;

/// A pool of HTTP/2 connections to one target, for gRPC calls.
///
/// A handle: clones share the pool. Annotated clients hold one; a plain tonic client can be made over it,
/// `GreeterClient::new(pool)`, as it is a [`GrpcService`](tonic::client::GrpcService).
///
/// Connections are opened when calls need them, each by a task of its own on the runtime that is current then. The
/// pool is closed when its last handle is dropped: calls in flight finish, within `drain_timeout`.
///
/// # Errors of calls
///
/// Calls through the pool fail with a [`Status`](tonic::Status) in which [`Error::of`] finds what happened.
#[derive(Clone)]
pub struct Pool {
    handle: Arc<Handle>,
}

/// Closes the pool with its last handle.
struct Handle {
    shared: Arc<Shared>,
}

/// What became of the calls that were in flight at [`Pool::shutdown`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Calls that finished within the grace period.
    pub finished: u64,
    /// Calls that were cut at its end.
    pub cut: u64,
}

impl Pool {
    /// Starts to set up a pool for a target: `http://host:port`, `https://host:port` or `unix:/path`.
    pub fn builder(target: impl Into<String>) -> Builder {
        Builder::new(target.into())
    }

    /// A pool with default settings and one open connection.
    ///
    /// # Errors
    ///
    /// A target that cannot be used, or cannot be connected to.
    pub async fn connect(target: impl Into<String>) -> Result<Self, Error> {
        Self::builder(target).connect().await
    }

    /// A pool with default settings that connects with its first call.
    ///
    /// # Errors
    ///
    /// A target that cannot be used.
    pub fn connect_lazy(target: impl Into<String>) -> Result<Self, Error> {
        Self::builder(target).build()
    }

    pub(crate) fn over(shared: Arc<Shared>) -> Self {
        Self {
            handle: Arc::new(Handle { shared }),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Checks a stream slot out by hand: for several calls on one connection, or for a say in its fate. Calls that
    /// go through a client need none of this.
    ///
    /// Waits for up to `acquire_timeout`, first come, first served. Cancel safe: a caller that is dropped leaves the
    /// queue and takes nothing along.
    ///
    /// # Errors
    ///
    /// The pool is closed or exhausted, or the endpoint cannot be reached.
    pub async fn acquire(&self) -> Result<Lease, Error> {
        let wait = Wait {
            deadline: None,
            for_ready: false,
            avoid: Avoid::default(),
        };
        let slot = self.shared().acquire(wait).await;
        if slot.is_err() {
            // A caller that asks again at once leaves room for other tasks.
            consume_budget().await;
        }
        slot.map(Lease::new)
    }

    /// Checks a stream slot out if one is free at once and nobody waits for it.
    ///
    /// On a pool that has no connection it starts to open one, where there is a runtime to do so.
    ///
    /// # Errors
    ///
    /// The pool is closed, or nothing is free ([`Error::is_exhausted`]).
    pub fn try_acquire(&self) -> Result<Lease, Error> {
        let shared = self.shared();
        if let Some(slot) = shared.try_take() {
            return Ok(Lease::new(slot));
        }
        shared.step(|core, out| core.prod(Instant::now(), out));
        let kind = match shared.core().is_closed() {
            true => Kind::Closed,
            false => Kind::NothingFree,
        };
        Err(Error::new(kind, &shared.endpoint))
    }

    /// What the pool looks like right now.
    pub fn stats(&self) -> PoolStats {
        PoolStats::of(self.shared())
    }

    /// Changes the minimum and the maximum number of connections. Lowering the maximum closes idle connections and
    /// lets busy ones finish; nothing is cut. A smaller maximum in a service config goes on to hold.
    ///
    /// # Errors
    ///
    /// A maximum of 0, or a minimum above the maximum; nothing is changed then.
    pub fn resize(&self, min: usize, max: usize) -> Result<(), Error> {
        let shared = self.shared();
        check_bounds(min, max, &shared.endpoint)?;
        shared.change_bounds(|bounds| (bounds.min, bounds.max) = (min, max.min(MOST_CONNECTIONS)));
        Ok(())
    }

    /// Replaces the service config, or gives the pool its first: [`Builder::service_config`] says what it does.
    ///
    /// Calls that are made from now on follow the new one; those under way go on as they began. Of the old one nothing
    /// is left.
    ///
    /// # Errors
    ///
    /// One that cannot be followed, with the place of what is wrong; the old one stays then (gRFC A21).
    #[cfg(feature = "service-config")]
    pub fn set_service_config(&self, json: &str) -> Result<(), Error> {
        let shared = self.shared();
        let config = builder::read_service_config(json, &shared.endpoint)?;
        shared.set_service_config(config);
        Ok(())
    }

    /// Without the feature: an error that names it.
    #[cfg(not(feature = "service-config"))]
    #[doc(hidden)]
    pub fn set_service_config(&self, _: impl crate::hints::NeedsServiceConfigFeature) -> Result<(), Error> {
        Ok(())
    }

    /// Opens connections until `n` of them are up, and waits for that.
    ///
    /// # Errors
    ///
    /// `n` is above `max_connections`; the pool is closed; the endpoint cannot be reached.
    pub async fn ready(&self, n: usize) -> Result<(), Error> {
        let shared = self.shared();
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(Kind::NoRuntime, &shared.endpoint));
        }
        let _warm = Warm::up(shared, n)?;
        let before = shared.core().totals();
        let outcome = shared.until(|core| {
            if core.is_closed() {
                Some(Err(shared.refused(Kind::Closed)))
            } else if core.serving() >= n {
                Some(Ok(()))
            } else if core.totals().abandoned_dials > before.abandoned_dials && shared.is_runtime_gone() {
                Some(Err(shared.refused(Kind::RuntimeGone)))
            } else if core.totals().failed_dials > before.failed_dials && !core.is_dialing(Instant::now()) {
                Some(Err(shared.refused(Kind::Connect)))
            } else {
                // The maximum may have been lowered meanwhile.
                check_reachable(n, core.policy().max_connections, &shared.endpoint)
                    .err()
                    .map(Err)
            }
        });
        outcome.await
    }

    /// Closes the pool at once for new calls and waits up to `grace` for those in flight; what is left then is cut.
    ///
    /// Waiting callers are told that the pool is closed. When this returns, no task and no socket of the pool is left.
    /// Dropping the future leaves the pool closed; the grace period goes on without it.
    pub async fn shutdown(&self, grace: Duration) -> ShutdownReport {
        let shared = self.shared();
        let (in_flight, cut_before) = {
            let core = shared.core();
            (core.in_flight() as u64, core.totals().cut)
        };
        let grace = grace.min(LONGEST);
        shared.close(grace);
        // A task outlives what the core knows of it by the time that it takes to close its socket.
        let gone = shared.until(|core| {
            let none = core.entries().is_empty() && core.dials() == 0 && shared.tasks.load(Relaxed) == 0;
            none.then_some(())
        });
        match tokio::runtime::Handle::try_current() {
            // A connection whose runtime is alive but stands still cannot end; its calls count as cut.
            Ok(_) => drop(timeout(grace + SHUTDOWN_SLACK, gone).await),
            // Nobody here has a timer; the connections have theirs.
            Err(_) => gone.await,
        }
        let core = shared.core();
        let cut = core.totals().cut - cut_before + core.in_flight() as u64;
        ShutdownReport {
            finished: in_flight.saturating_sub(cut),
            cut,
        }
    }

    /// Closes the pool: new calls fail, waiting callers are told so, idle connections are closed, calls in flight have
    /// `drain_timeout` to finish. Doing it again changes nothing.
    pub fn close(&self) {
        self.handle.close();
    }

    /// Whether the pool was closed.
    pub fn is_closed(&self) -> bool {
        self.shared().core().is_closed()
    }
}

impl Handle {
    fn close(&self) {
        if !self.shared.core().is_closed() {
            self.shared.close(self.shared.config.policy.drain_timeout);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("endpoint", &self.shared().endpoint)
            .finish_non_exhaustive()
    }
}

/// How long after the grace period a connection's task may take to end.
const SHUTDOWN_SLACK: Duration = Duration::from_secs(1);

fn check_reachable(n: usize, max: usize, endpoint: &Arc<str>) -> Result<(), Error> {
    if n <= max {
        return Ok(());
    }
    let problem = format!("is {max}: {n} connections will never be ready");
    Err(Error::config("max_connections", problem, endpoint))
}

/// Holds the pool to a number of connections.
struct Warm<'a> {
    shared: &'a Arc<Shared>,
    n: usize,
}

impl<'a> Warm<'a> {
    fn up(shared: &'a Arc<Shared>, n: usize) -> Result<Self, Error> {
        check_reachable(n, shared.core().policy().max_connections, &shared.endpoint)?;
        shared.step(|core, out| core.warm(n, Instant::now(), out));
        Ok(Self { shared, n })
    }
}

impl Drop for Warm<'_> {
    fn drop(&mut self) {
        self.shared.core().unwarm(self.n);
    }
}
