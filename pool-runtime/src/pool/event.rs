//! What happens in a pool, for those who want to know.

use std::fmt;
use std::time::Duration;

use tonic::Code;

use crate::Error;

/// Receives the pool's events, in the thread that caused them and outside of every lock.
///
/// Implementations should return quickly: a call or a connection waits for them. Closures that take an [`Event`]
/// are observers. An observer that panics is logged, and disturbs neither the pool nor the other observers.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn on_event(&self, event: &Event<'_>);
}

impl<F> Observer for F
where
    F: Fn(&Event<'_>) + Send + Sync + 'static,
{
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Something that happened in a pool.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A dial has begun.
    Opening,
    /// A connection is up: transport, TLS and the peer's SETTINGS.
    Opened {
        /// Its number, unique in the pool.
        connection: u64,
        /// How long that took.
        took: Duration,
        /// How many streams the peer allows on it.
        peer_limit: u32,
    },
    /// A dial failed.
    Failed {
        /// Why.
        error: &'a Error,
        /// How long it took to fail.
        took: Duration,
    },
    /// The peer sent GOAWAY: the connection drains for it.
    GoAway {
        /// The connection's number.
        connection: u64,
        /// The HTTP/2 error code (RFC 9113, 7): 0 is NO_ERROR, and a server that recycles its connections; 11 is
        /// ENHANCE_YOUR_CALM.
        code: u32,
        /// The text that the peer sent with it, escaped to ASCII and at most 256 bytes; empty if there was none.
        debug_data: &'a str,
    },
    /// A connection takes no more calls; those in flight finish.
    Draining {
        /// Its number.
        connection: u64,
        /// Why.
        reason: CloseReason,
    },
    /// A connection is gone.
    Closed {
        /// Its number.
        connection: u64,
        /// Why.
        reason: CloseReason,
        /// Calls that were cut with it.
        cut: u32,
    },
    /// A call got a stream slot.
    CheckedOut {
        /// The connection's number.
        connection: u64,
        /// How long the call waited for it; zero if it did not have to.
        waited: Duration,
    },
    /// A call has to wait for a slot.
    Waiting,
    /// A call that waited was turned away, or gave up.
    GaveUp {
        /// How long it had waited.
        waited: Duration,
    },
    /// A slot was given back.
    Returned {
        /// The connection's number.
        connection: u64,
    },
    /// A call that the peer had not processed is sent again on another slot.
    Replayed {
        /// The number of the connection that did not process it.
        connection: u64,
    },
    /// A call failed in a way that its retry policy names, and is made again.
    Retried {
        /// Which attempt is to come: 2 is the first retry. Replays do not count.
        attempt: u32,
        /// How long the call waits before it.
        delay: Duration,
        /// What the attempt before it failed with.
        code: Code,
    },
    /// A call whose hedging policy allows it is sent once more beside the attempts under way.
    Hedged {
        /// Which attempt begins: 2 is the first hedge.
        attempt: u32,
        /// The time since the first attempt.
        delay: Duration,
    },
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// No call for `idle_timeout`.
    Idle,
    /// It reached `max_lifetime`.
    Lifetime,
    /// It served `max_total_uses` calls.
    UsedUp,
    /// So many calls were cut short on it that its peer might end it: see [`max_resets`](crate::Builder::max_resets).
    Resets,
    /// The peer sent GOAWAY. [`Event::GoAway`] has its code and its text.
    GoAway,
    /// The peer sent GOAWAY with ENHANCE_YOUR_CALM and the debug data "too_many_pings" (gRFC A8). With keepalive on, the
    /// interval of later connections is doubled.
    TooManyPings,
    /// It was opened past the maximum (`Overflow::Loose`) and given back; or its peer was doubted, and is well, but another has
    /// taken its place.
    Surplus,
    /// The maximum was lowered.
    Resized,
    /// Its holder said so: [`Lease::mark_broken`](crate::Lease::mark_broken).
    Broken,
    /// The peer did not answer a PING in time: one of keepalive, or one that was sent because nothing came while calls ran
    /// into their deadlines.
    KeepAlive,
    /// The transport failed or the peer closed it without GOAWAY.
    Lost,
    /// The runtime that drove it was shut down.
    RuntimeGone,
    /// The pool was closed.
    PoolClosed,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle for too long",
            Self::Lifetime => "reached its maximum lifetime",
            Self::UsedUp => "served its maximum number of calls",
            Self::Resets => "too many calls were cut short on it",
            Self::GoAway => "the peer sent GOAWAY",
            Self::TooManyPings => "the peer sent GOAWAY: too many pings",
            Self::Surplus => "past the maximum and given back",
            Self::Resized => "the maximum was lowered",
            Self::Broken => "marked as broken",
            Self::KeepAlive => "the peer did not answer a keepalive ping",
            Self::Lost => "the connection was lost",
            Self::RuntimeGone => "its runtime was shut down",
            Self::PoolClosed => "the pool was closed",
        })
    }
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ConnectionState {
    /// It takes calls.
    Serving,
    /// Nothing came from its peer while calls ran into their deadlines, or it does not read. It takes no calls until something
    /// comes, and is closed if the peer does not answer a PING.
    Silent,
    /// It has reached its lifetime and serves until its replacement is up.
    Retiring,
    /// It takes no more calls; those in flight finish.
    Draining,
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Serving => "serving",
            Self::Silent => "silent",
            Self::Retiring => "retiring",
            Self::Draining => "draining",
        })
    }
}
