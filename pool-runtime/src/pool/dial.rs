//! The task that dials a connection and then drives it.
//!
//! It belongs to the pool, not to the caller whose need it follows: a caller that gives up loses no dial that others
//! wait for. It runs on the runtime that was current when the need arose, and when that runtime goes away, its guards
//! report so: waiters ask again, each on its own runtime.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::core::ConnectionId;
use super::event::{CloseReason, Event};
use super::gate::Gate;
use super::shared::Shared;
use crate::conn::dial::Opened;
use crate::conn::driver::{Driver, Owner};
use crate::conn::handshake::Ready;
use crate::conn::io::Transport;
use crate::conn::{Connection, Link};

/// Starts a dial; outside of a runtime, gives it up.
pub(super) fn spawn(dial: Dial, at: Option<Instant>) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(run(dial, at));
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
        if !self.settled {
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
    let keepalive = reporter.shared.keep_alive();
    let mut driver = Driver::new(ready, link, reporter.clone(), keepalive);
    // Declared after the driver, so dropped before it: the calls that are cut are counted before h2 fails them, after
    // which each gives its slot back.
    let mut end = End {
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

    fn saturated(&self, is_it: bool) {
        // No more connections than threads can work at the same time.
        let workers = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        self.shared.saturated(self.connection, is_it, workers);
    }
}

struct End {
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
        self.reporter.shared.closed(self.reporter.connection, reason);
    }
}

#[cfg(test)]
mod tests;
