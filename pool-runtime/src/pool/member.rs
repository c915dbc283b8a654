//! A connection in its pool.

use std::sync::Arc;

use super::core::ConnectionId;
use super::gate::Gate;
use super::shared::Shared;
use crate::conn::Connection;

/// A connection that can be handed out. Each slot keeps one; when the connection drains, the pool lets go of its own,
/// and h2 closes once the last slot has too.
///
/// It leads to the pool, and the pool to it. So a slot need not count itself at the pool as well, where all threads
/// would meet. The circle is open once the connection drains, which closing the pool has all of them do.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) gate: Arc<Gate>,
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) id: ConnectionId,
}
