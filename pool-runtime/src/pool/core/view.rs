//! What can be asked of the core without changing it.

use tokio::time::Instant;

use super::entry::Entry;
use super::{ConnectionId, Core};
use crate::pool::policy::Policy;

/// Sums over the life of the pool.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) failed_dials: u64,
    /// Dials that ended with their runtime.
    pub(crate) abandoned_dials: u64,
    pub(crate) checkouts: u64,
    /// Slots given back to connections that were still there.
    pub(crate) completed: u64,
    pub(crate) waited: u64,
    pub(crate) refused: u64,
    /// Calls that were in flight on a connection when it ended.
    pub(crate) cut: u64,
}

impl<P, W> Core<P, W> {
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
        let mut totals = self.totals;
        for entry in &self.entries {
            let reading = entry.gate.read();
            totals.checkouts += reading.uses();
            totals.completed += reading.completed();
        }
        totals
    }

    /// Slots that were taken on connections that are gone.
    pub(crate) fn past_checkouts(&self) -> u64 {
        self.totals.checkouts
    }

    /// Changes whenever a connection comes or goes.
    pub(crate) fn version(&self) -> u64 {
        self.totals.opened + self.totals.closed
    }

    /// Sees which connections are without calls.
    pub(crate) fn see_idle(&mut self, now: Instant) {
        for entry in &mut self.entries {
            entry.see_if_idle(now);
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn dials(&self) -> usize {
        self.dials.len()
    }

    /// Connections that take calls.
    pub(crate) fn serving(&self) -> usize {
        self.entries.iter().filter(|entry| entry.takes_calls()).count()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.entries.iter().map(|entry| entry.in_flight() as usize).sum()
    }

    /// TRANSIENT_FAILURE: nothing serves or may serve again, nothing is being dialled, and the backoff runs.
    pub(crate) fn is_unreachable(&self, now: Instant) -> bool {
        self.is_backing_off(now) && self.serving() == 0 && self.doubted().count() == 0 && !self.is_dialing(now)
    }

    /// A dial has failed, and the time of the next has not come.
    pub(super) fn is_backing_off(&self, now: Instant) -> bool {
        self.failing.is_some_and(|failing| failing.retry_at > now)
    }
}
