//! The handles of a connection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio::time::Instant;

use super::control::Control;
use super::goaway::GoAway;
use super::pace::Pace;
use super::silence::{Silence, TimedOut};
use crate::pool::event::CloseReason;

/// A handle that can open streams; the connection lives as long as one is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    send: SendRequest<Bytes>,
    pub(crate) link: Arc<Link>,
    pub(crate) opened: Instant,
}

/// What a connection's task and its handles share; keeps nothing alive.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) control: Control,
    pub(crate) pace: Arc<Pace>,
    pub(crate) peer: Option<SocketAddr>,
    message_size: AtomicUsize,
    /// Where h2 is given its turns to write: odd in one. Only the connection's task writes to it; callers read it after
    /// h2's lock has ordered it.
    turns: AtomicU64,
    /// Locked only by calls that run into their deadline.
    silence: Mutex<Silence>,
    ended: OnceLock<CloseReason>,
    goaway: OnceLock<GoAway>,
}

impl Link {
    pub(crate) fn new(peer: Option<SocketAddr>) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }

    /// The size of received messages, averaged over the last few.
    pub(super) fn message_size(&self) -> usize {
        self.message_size.load(Relaxed)
    }

    pub(super) fn begins_or_ends_turn(&self) {
        self.turns.store(self.turns.load(Relaxed) + 1, Relaxed);
    }

    /// A moment between two turns of the connection's task; `None` in one.
    pub(crate) fn rest(&self) -> Option<u64> {
        let turns = self.turns.load(Relaxed);
        turns.is_multiple_of(2).then_some(turns)
    }

    /// A DATA frame of this size came in. A lost update between two threads costs a little accuracy and no more.
    pub(crate) fn saw_data(&self, size: usize) {
        let average = self.message_size.load(Relaxed);
        self.message_size.store((average * 7 + size) / 8, Relaxed);
    }

    /// A call ran into its deadline without a response; true if the peer is to be doubted.
    pub(crate) fn timed_out(&self, call: TimedOut, now: Instant) -> bool {
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.timed_out(call, now)
    }

    /// The peer has sent this. The first one counts.
    pub(crate) fn note(&self, goaway: GoAway) {
        let _ = self.goaway.set(goaway);
    }

    /// The peer's GOAWAY.
    pub(crate) fn goaway(&self) -> Option<&GoAway> {
        self.goaway.get()
    }

    pub(crate) fn end(&self, reason: CloseReason) {
        // The first reason stays: the driver's, or that its task was dropped.
        let _ = self.ended.set(reason);
    }

    /// Why the connection ended, if its task ended it.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.ended.get().copied()
    }
}

impl Connection {
    pub(crate) fn new(send: SendRequest<Bytes>, link: Arc<Link>) -> Self {
        Self {
            send,
            link,
            opened: Instant::now(),
        }
    }

    /// Opens a stream. An error means that nothing of the request has left.
    ///
    /// The headers never end it: where a request has no message, gRPC asks for an empty DATA frame with END_STREAM
    /// (PROTOCOL-HTTP2, "Requests"), and grpc-go before 1.84 waits for it.
    pub(crate) fn open(&self, head: http::Request<()>) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.send.clone().send_request(head, false)
    }
}
