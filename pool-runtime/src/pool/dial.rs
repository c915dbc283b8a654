//! The task that dials a connection and then drives it.
//!
//! It belongs to the pool, not to the caller whose need it follows: a caller that gives up loses no dial that others
//! wait for. It runs on the pool's runtime if it was given one, else on the one that was current when the need arose. When
//! that goes away, its guards report so: waiters ask again, each on its own runtime.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::core::ConnectionId;
use super::event::{CloseReason, Event};
use super::gate::Gate;
use super::shared::Shared;
use crate::conn::dial::Opened;
use crate::conn::driver::{Driver, Owner};
use crate::conn::error::ConnectError;
use crate::conn::handshake::Ready;
use crate::conn::io::Transport;
use crate::conn::keepalive::Pinging;
use crate::conn::progress::Phase;
use crate::conn::{Connection, Link};

/// Starts a dial on the pool's runtime; where there is none, gives it up.
pub(super) fn spawn(dial: Dial, at: Option<Instant>) {
    if let Some(runtime) = dial.shared.runtime() {
        runtime.spawn(run(dial, at));
    }
}

impl Shared {
    /// The runtime that drives new connections: the pool's own, or the caller's.
    fn runtime(&self) -> Option<Handle> {
        self.config.runtime.clone().or_else(|| Handle::try_current().ok())
    }

    /// Whether new connections cannot be opened from here, because the runtime for them takes no more tasks. Tokio has
    /// no question for that; a task that it refuses has ended at once, and any other has not, as this one never ends by itself.
    pub(super) fn is_runtime_gone(&self) -> bool {
        let Some(runtime) = self.runtime() else { return true };
        let probe = runtime.spawn(std::future::pending::<()>());
        let refused = probe.is_finished();
        probe.abort();
        refused
    }
}

/// A dial that the core counts. Dropped before it is settled, it was abandoned. It is the last that is dropped of its
/// task, the socket included.
#[derive(Debug)]
pub(super) struct Dial {
    shared: Arc<Shared>,
    id: u64,
    settled: bool,
}

impl Dial {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        shared.tasks.fetch_add(1, Relaxed);
        let settled = false;
        Self { shared, id, settled }
    }
}

impl Drop for Dial {
    fn drop(&mut self) {
        // A panic is a failure like any other, or it would be dialled again without a pause. User code that panics has
        // been caught by then, so this is ours.
        if std::thread::panicking() && !self.settled {
            let error = ConnectError::new(Phase::Connect, None, "the dial panicked");
            self.shared.dial_failed(self.id, error, Duration::ZERO);
        } else if !self.settled {
            self.shared.dial_abandoned(self.id);
        }
        self.shared.task_ended();
    }
}

async fn run(mut dial: Dial, at: Option<Instant>) {
    let shared = dial.shared.clone();
    let started = shared.closing.run_until_cancelled(async {
        if let Some(at) = at {
            sleep_until(at).await;
        }
        shared.core().dial_starts(dial.id, Instant::now())
    });
    if started.await != Some(true) {
        return;
    }
    shared.tell(|| Event::Opening);
    let began = Instant::now();
    let opening = shared
        .dialer
        .open(shared.config.policy.connect_timeout, &shared.config.http2);
    let Some(opened) = shared.closing.run_until_cancelled(opening).await else {
        return;
    };
    dial.settled = true;
    let id = dial.id;
    match opened {
        Err(error) => shared.dial_failed(id, error, began.elapsed()),
        Ok(Opened { ready, link }) => {
            let connection = Connection::new(ready.send.clone(), link.clone());
            let Some((connection, gate)) = shared.dialed(id, connection, ready.limit, began.elapsed()) else {
                return;
            };
            let reporter = Reporter {
                shared,
                connection,
                gate,
            };
            drive(reporter, ready, link).await;
        }
    }
}

/// Drives a connection to its end and reports that, also when the task is dropped with its runtime.
async fn drive(reporter: Reporter, ready: Ready<Transport>, link: Arc<Link>) {
    let pinging = Pinging {
        keepalive: reporter.shared.keep_alive(),
        timeout: reporter.shared.config.keep_alive_timeout,
    };
    let mut driver = Driver::new(ready, link.clone(), reporter.clone(), pinging);
    // Declared after the driver, so dropped before it: the calls that are cut are counted before h2 fails them, after
    // which each gives its slot back.
    let mut end = End {
        link,
        reporter,
        reason: CloseReason::RuntimeGone,
    };
    end.reason = (&mut driver).await;
}

/// Reports to the pool what becomes of a connection.
#[derive(Debug, Clone)]
struct Reporter {
    shared: Arc<Shared>,
    connection: ConnectionId,
    gate: Arc<Gate>,
}

impl Owner for Reporter {
    fn limit_changed(&self, limit: usize) {
        self.shared.limit_changed(self.connection, limit);
    }

    fn going_away(&self, reason: CloseReason) {
        self.shared.going_away(self.connection, reason);
    }

    fn look(&self) -> Option<Instant> {
        self.shared.look_at(self.connection)
    }

    fn is_busy(&self) -> bool {
        self.gate.read().in_flight() > 0
    }

    fn answered(&self) {
        self.shared.core().answered(self.connection);
    }

    fn doubt(&self) {
        self.shared.doubt(self.connection);
    }

    fn trust(&self) {
        self.shared.trust(self.connection);
    }

    fn saturated(&self, is_it: bool) {
        // No more connections than threads can work at the same time.
        let workers = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        self.shared.saturated(self.connection, is_it, workers);
    }
}

/// Its connection's end.
struct End {
    link: Arc<Link>,
    reporter: Reporter,
    reason: CloseReason,
}

impl Drop for End {
    fn drop(&mut self) {
        // The user's transport panicked, which is the end of this connection and not of the runtime.
        let reason = match std::thread::panicking() {
            true => CloseReason::Lost,
            false => self.reason,
        };
        // Before h2 is dropped: the calls that fail with it can give the reason.
        self.link.end(self.reason);
        self.reporter.shared.closed(self.reporter.connection, reason);
    }
}

#[cfg(test)]
mod tests;
