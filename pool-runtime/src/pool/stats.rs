//! What a pool looks like at a moment.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::core::Entry;
use super::event::ConnectionState;
use super::shared::{Payload, Shared};
use crate::conn::error::Chain;

/// A pool at a moment. `Display` draws a table.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PoolStats {
    /// The target.
    pub endpoint: String,
    /// The pool as gRPC's connectivity semantics see it.
    pub state: PoolState,
    /// Connections, oldest first, draining ones included.
    pub connections: Vec<ConnectionStats>,
    /// `max_connections`.
    pub max_connections: usize,
    /// Dials in flight, or waiting for the end of the backoff.
    pub dialing: usize,
    /// Calls in flight, over all connections; leases that are held count.
    pub in_flight: usize,
    /// Callers that wait for a stream.
    pub waiting: usize,
    /// Connections opened so far.
    pub opened: u64,
    /// Connections closed so far.
    pub closed: u64,
    /// Dials that failed so far.
    pub failed_dials: u64,
    /// The last failure to connect; kept when a connection has come up since.
    pub last_connect_error: Option<ConnectFailure>,
    /// Slots handed out so far.
    pub checkouts: u64,
    /// Checkouts that had to wait.
    pub waited: u64,
    /// Callers turned away so far.
    pub refused: u64,
    /// Calls that were in flight on a connection when it ended.
    pub cut: u64,
    /// Retries that policies made.
    pub retried: u64,
    /// Attempts that hedging policies made beside the first.
    pub hedged: u64,
    /// Times that a call was sent again because the peer had not processed it (transparent retries).
    pub replayed: u64,
}

/// A failure to connect.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectFailure {
    /// The step, the address and the reason, with all causes; of a name with several addresses those of each.
    pub error: String,
    /// Time since then.
    pub age: Duration,
}

/// A connection at a moment.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Its number, unique in the pool.
    pub id: u64,
    /// The other end; `None` for unix sockets and user's own transports.
    pub peer: Option<SocketAddr>,
    /// Where it is in its life.
    pub state: ConnectionState,
    /// Calls in flight.
    pub in_flight: u32,
    /// The most calls that may be in flight now: the smaller of the configured and the peer's limit.
    pub limit: u32,
    /// Calls so far.
    pub total_uses: u64,
    /// Time since it was opened.
    pub age: Duration,
    /// Time for which it has been seen without a call in flight; `None` while there is one. That it has none is seen
    /// each eighth of `idle_timeout`, and when these stats are made: the truth may be that much longer.
    pub idle: Option<Duration>,
}

/// The connectivity of a pool (gRPC connectivity semantics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum PoolState {
    /// No connection, and none needed.
    Idle,
    /// A first connection is being opened.
    Connecting,
    /// At least one connection takes calls.
    Ready,
    /// The last attempt to connect failed; the next waits for the end of the backoff.
    TransientFailure,
    /// The pool is closed.
    Shutdown,
}

impl PoolStats {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        let last_failure = shared.last_failure();
        let mut core = shared.core();
        core.see_idle(now);
        let totals = core.totals();
        let extra = shared.ledger.extra();
        let own_limit = core.policy().max_concurrent_streams;
        // Each connection is read once, and the sums are made of that: calls come and go meanwhile.
        let connections: Vec<_> = core
            .entries()
            .iter()
            .map(|entry| ConnectionStats::of(entry, own_limit, now))
            .collect();
        let in_flight = connections.iter().map(|connection| connection.in_flight as usize).sum();
        let in_use = connections.iter().map(|connection| connection.total_uses).sum::<u64>();
        Self {
            endpoint: shared.endpoint.to_string(),
            state: if core.is_closed() {
                PoolState::Shutdown
            } else if core.serving() > 0 {
                PoolState::Ready
            } else if core.is_unreachable(now) {
                PoolState::TransientFailure
            } else if core.dials() > 0 || core.entries().iter().any(Entry::is_doubted) {
                PoolState::Connecting
            } else {
                PoolState::Idle
            },
            connections,
            max_connections: core.policy().max_connections,
            dialing: core.dials(),
            in_flight,
            waiting: core.waiting(),
            opened: totals.opened,
            closed: totals.closed,
            failed_dials: totals.failed_dials,
            last_connect_error: last_failure.map(|(error, at)| ConnectFailure {
                error: Chain(&error).to_string(),
                age: now.saturating_duration_since(at),
            }),
            checkouts: core.past_checkouts() + in_use,
            waited: totals.waited,
            refused: totals.refused,
            cut: totals.cut,
            retried: extra.retried,
            hedged: extra.hedged,
            replayed: extra.replayed,
        }
    }
}

impl ConnectionStats {
    fn of(entry: &Entry<Payload>, own_limit: u32, now: Instant) -> Self {
        let reading = entry.gate.read();
        Self {
            id: entry.id,
            peer: entry.payload.link.peer,
            state: match entry.is_doubted() {
                true => ConnectionState::Silent,
                false => entry.state,
            },
            in_flight: reading.in_flight(),
            limit: own_limit.min(entry.peer_limit),
            total_uses: reading.uses(),
            age: now.duration_since(entry.opened),
            idle: entry.idle_since().map(|since| now.duration_since(since)),
        }
    }
}

impl fmt::Display for PoolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::TransientFailure => "transient failure",
            Self::Shutdown => "shut down",
        })
    }
}

impl fmt::Display for PoolStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            endpoint,
            state,
            connections,
            max_connections,
            dialing,
            in_flight,
            waiting,
            ..
        } = self;
        let serving = connections
            .iter()
            .filter(|c| c.state != ConnectionState::Draining)
            .count();
        writeln!(f, "pool {endpoint}: {state}")?;
        writeln!(
            f,
            "{serving} of {max_connections} connections, {dialing} dialing; {in_flight} calls in flight, {waiting} waiting"
        )?;
        if !connections.is_empty() {
            writeln!(
                f,
                "  id  peer                   state     in flight  limit       calls       age      idle"
            )?;
        }
        for connection in connections {
            writeln!(f, "{connection}")?;
        }
        let Self {
            opened,
            closed,
            failed_dials,
            checkouts,
            waited,
            refused,
            cut,
            retried,
            hedged,
            replayed,
            last_connect_error,
            ..
        } = self;
        write!(
            f,
            "so far: {checkouts} checkouts, {waited} waited, {refused} refused, {cut} cut; \
             {opened} connections opened, {closed} closed, {failed_dials} dials failed"
        )?;
        if (*retried, *hedged, *replayed) != (0, 0, 0) {
            write!(
                f,
                "\nextra attempts: {retried} retries, {hedged} hedges, {replayed} replays"
            )?;
        }
        match last_connect_error {
            Some(ConnectFailure { error, age }) => write!(f, "\nlast connect error, {} ago: {error}", short(*age)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ConnectionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            state,
            in_flight,
            total_uses,
            ..
        } = self;
        let peer = self.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
        let limit = match self.limit {
            u32::MAX => "none".to_owned(),
            limit => limit.to_string(),
        };
        let age = short(self.age);
        let idle = self.idle.map_or_else(|| "-".to_owned(), short);
        write!(
            f,
            "{id:>4}  {peer:<21}  {state:<8}  {in_flight:>9}  {limit:>5}  {total_uses:>10}  {age:>8}  {idle:>8}"
        )
    }
}

/// A duration in a column's width: two digits that matter.
fn short(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        1..=99 => format!("{:.1} s", duration.as_secs_f64()),
        100..=5_999 => format!("{} min", duration.as_secs() / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
