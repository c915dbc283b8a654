//! What a server has seen, and waiting until it has seen it.

use std::sync::Arc;

use h2::Reason;
use tokio::sync::watch;

use crate::fault::Frame;

/// What a server has seen so far.
///
/// Streams are counted where the frames pass, so exactly: from the request's HEADERS
/// until both sides have ended the stream or one has reset it, which is what the limit
/// SETTINGS_MAX_CONCURRENT_STREAMS is about.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections_total: usize,
    /// Connections open now.
    pub connections_now: usize,
    /// The most connections that were open at once.
    pub connections_peak: usize,
    /// Streams opened by clients, refused ones included.
    pub streams_total: usize,
    /// Streams in flight now, on all connections.
    pub streams_now: usize,
    /// The most streams that were in flight at once, on all connections.
    pub streams_peak: usize,
    /// Streams that the client reset while they were in flight.
    pub cancelled: usize,
    /// Streams that the server turned away with REFUSED_STREAM.
    pub refused: usize,
    /// Each connection in the order of acceptance, closed ones included.
    pub connections: Vec<ConnectionStats>,
}

/// What a server has seen on one connection.
#[derive(Debug, Clone, Default)]
pub struct ConnectionStats {
    /// The client's address, "unix" for a unix socket.
    pub client: String,
    /// Whether the connection is open.
    pub open: bool,
    /// Streams opened by the client, refused ones included.
    pub streams_total: usize,
    /// Streams in flight now.
    pub streams_now: usize,
    /// The most streams that were in flight at once.
    pub streams_peak: usize,
    /// Streams that the client reset while they were in flight.
    pub cancelled: usize,
    /// Streams that the server turned away with REFUSED_STREAM.
    pub refused: usize,
    /// The reason of each RST_STREAM from the client, in order.
    pub resets: Vec<Reason>,
    /// PINGs from the client, acknowledgements not counted.
    pub pings: usize,
    /// The reason of the client's last GOAWAY.
    pub goaway: Option<Reason>,
    /// Every frame from the client that a fault server's script has read.
    pub frames: Vec<Frame>,
    /// What the client did against the protocol, where a fault server's script ended over it.
    pub violation: Option<String>,
}

impl Stats {
    /// The frames that a fault server's scripts have read, connection by connection.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.connections.iter().flat_map(|connection| &connection.frames)
    }

    /// The most streams that were in flight at once on any one connection.
    pub fn streams_peak_per_connection(&self) -> usize {
        self.connections
            .iter()
            .map(|connection| connection.streams_peak)
            .max()
            .unwrap_or(0)
    }
}

/// Keeps the [`Stats`] of a server and wakes those who wait for a change.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<watch::Sender<Stats>>);

impl Ledger {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stats::default())))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Stats> {
        self.0.subscribe()
    }

    /// Changes what is written of one connection, and the totals.
    fn write(&self, id: usize, entry: impl FnOnce(&mut Stats, &mut ConnectionStats)) {
        self.0.send_modify(|stats| {
            // Taken out and put back, so that an entry can change the totals beside it.
            let mut connection = std::mem::take(&mut stats.connections[id]);
            entry(stats, &mut connection);
            stats.connections[id] = connection;
        });
    }

    /// Enters a connection; it counts as open until the page is dropped.
    pub(crate) fn open(&self, client: &str) -> Page {
        let mut id = 0;
        self.0.send_modify(|stats| {
            id = stats.connections.len();
            stats.connections.push(ConnectionStats {
                client: client.to_owned(),
                open: true,
                ..ConnectionStats::default()
            });
            stats.connections_total += 1;
            stats.connections_now += 1;
            stats.connections_peak = stats.connections_peak.max(stats.connections_now);
        });
        Page {
            ledger: self.clone(),
            id,
        }
    }
}

/// The entries of one connection.
#[derive(Debug)]
pub(crate) struct Page {
    ledger: Ledger,
    id: usize,
}

/// Why a stream is in flight no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides have ended it.
    Complete,
    /// The client reset it.
    ByClient,
    /// The server reset it.
    ByServer(Reason),
}

impl Page {
    /// The connection's position in the order of acceptance.
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn stream_opened(&self) {
        self.write(|stats, connection| {
            connection.streams_total += 1;
            connection.streams_now += 1;
            connection.streams_peak = connection.streams_peak.max(connection.streams_now);
            stats.streams_total += 1;
            stats.streams_now += 1;
            stats.streams_peak = stats.streams_peak.max(stats.streams_now);
        });
    }

    pub(crate) fn stream_ended(&self, end: End) {
        self.write(|stats, connection| {
            connection.streams_now -= 1;
            stats.streams_now -= 1;
            match end {
                End::Complete => {}
                End::ByClient => {
                    connection.cancelled += 1;
                    stats.cancelled += 1;
                }
                End::ByServer(Reason::REFUSED_STREAM) => {
                    connection.refused += 1;
                    stats.refused += 1;
                }
                End::ByServer(_) => {}
            }
        });
    }

    pub(crate) fn reset_received(&self, reason: Reason) {
        self.write(|_, connection| connection.resets.push(reason));
    }

    pub(crate) fn ping_received(&self) {
        self.write(|_, connection| connection.pings += 1);
    }

    pub(crate) fn goaway_received(&self, reason: Reason) {
        self.write(|_, connection| connection.goaway = Some(reason));
    }

    /// A second pen for the same page. It may outlive the connection.
    pub(crate) fn notes(&self) -> Notes {
        Notes {
            ledger: self.ledger.clone(),
            id: self.id,
        }
    }

    fn write(&self, entry: impl FnOnce(&mut Stats, &mut ConnectionStats)) {
        self.ledger.write(self.id, entry);
    }
}

/// Writes down what the frames' heads do not tell.
#[derive(Debug)]
pub(crate) struct Notes {
    ledger: Ledger,
    id: usize,
}

impl Notes {
    pub(crate) fn frame_read(&self, frame: Frame) {
        self.ledger
            .write(self.id, |_, connection| connection.frames.push(frame));
    }

    pub(crate) fn violated(&self, how: String) {
        self.ledger
            .write(self.id, |_, connection| connection.violation = Some(how));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.write(|stats, connection| {
            stats.streams_now -= connection.streams_now;
            stats.connections_now -= 1;
            connection.streams_now = 0;
            connection.open = false;
        });
    }
}
