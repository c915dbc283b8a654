//! A connection as the core sees it.

use tokio::time::Instant;

use super::ConnectionId;
use crate::pool::event::ConnectionState;

/// One connection. `P` is what the driver keeps with it; the core never looks at it.
#[derive(Debug)]
pub(crate) struct Entry<P> {
    pub(crate) id: ConnectionId,
    pub(crate) payload: P,
    pub(crate) state: ConnectionState,
    pub(crate) in_flight: u32,
    pub(crate) total_uses: u64,
    pub(crate) peer_limit: u32,
    pub(crate) opened: Instant,
    pub(crate) idle_since: Option<Instant>,
    pub(super) expires: Option<Instant>,
    pub(super) resets: u32,
    pub(super) surplus: bool,
    /// A call found it dead before its own task did.
    pub(super) dead: bool,
}

impl<P> Entry<P> {
    pub(crate) fn takes_calls(&self) -> bool {
        !self.dead && matches!(self.state, ConnectionState::Serving | ConnectionState::Retiring)
    }
}
