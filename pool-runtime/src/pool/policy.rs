//! The settings that the pool's decisions follow.

use std::time::Duration;

use super::backoff::Backoff;
use super::core::MaxResets;
use super::picker::Strategy;

/// What happens when every connection is full and `max_connections` are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// Calls wait. The default: the maximum is a promise to the server.
    #[default]
    Strict,
    /// Up to `max_extra` further connections are opened; each closes when its last call gives it back.
    Loose {
        /// How many connections may be open past the maximum.
        max_extra: usize,
    },
}

/// The part of the configuration that [`super::core::Core`] needs.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) min_connections: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_concurrent_streams: u32,
    pub(crate) max_total_uses: Option<u64>,
    pub(crate) overflow: Overflow,
    pub(crate) max_waiters: usize,
    pub(crate) max_resets: MaxResets,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) drain_timeout: Duration,
    /// How long a dial may take.
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) strategy: Strategy,
}

impl Policy {
    /// How often a connection is looked at for whether it is idle: an eighth of the time after which it closes then,
    /// and no more often than timers go.
    pub(crate) fn idle_look(&self) -> Option<Duration> {
        Some((self.idle_timeout? / 8).max(Duration::from_millis(1)))
    }

    /// How many connections may serve past the maximum.
    pub(crate) fn max_extra(&self) -> usize {
        match self.overflow {
            Overflow::Strict => 0,
            Overflow::Loose { max_extra } => max_extra,
        }
    }
}
