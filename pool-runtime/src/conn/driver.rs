//! The task of a connection.
//!
//! Woken, it lets others run once, so that every caller that is already awake queues its frames; then it writes them
//! in one batch and reads a bounded part of what has come ([`super::pace`]). Measured on one connection with two
//! threads at concurrency 64, that is about 1.6 times the throughput of polling h2 at every wake-up.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::PingPong;
use h2::client::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Link;
use super::control::{Drain, Orders};
use super::goaway::GoAway;
use super::handshake::{Http2, Ready};
use super::keepalive::{Dead, KeepAlive, Pinging};
use super::load::Load;
use super::resets::PacedResets;
use super::unflushed::Unflushed;
use crate::pool::event::CloseReason;

/// Whom the driver tells what becomes of its connection.
pub(crate) trait Owner: Send + Unpin + 'static {
    /// The peer allows this many streams from now on.
    fn limit_changed(&self, limit: usize);
    /// The peer takes no more streams.
    fn going_away(&self, reason: CloseReason);
    /// Time to look at the connection's age and idleness; returns when to do so again.
    fn look(&self) -> Option<Instant>;
    /// Whether calls are in flight.
    fn is_busy(&self) -> bool;
    /// A first response has begun on the connection.
    fn answered(&self);
    /// Resets wait because the peer does not read: no call must be sent until it does.
    fn doubt(&self);
    /// Something has come from a peer that was doubted.
    fn trust(&self);
    /// The connection's task is busy all the time, or is not any more.
    fn saturated(&self, is_it: bool);
}

/// The least that a turn may read: some ten small responses.
const MIN_BUDGET: usize = 1 << 10;

/// A turn reads about this many messages.
const MESSAGES_PER_TURN: usize = 16;

/// How long a connection that has nothing left to do may take to say goodbye. h2 ends it only when its last frames are
/// written, and towards a peer that does not read, which need not be dead, that is never: the socket and the task would
/// stay for as long as the peer likes.
const FAREWELL: Duration = Duration::from_secs(10);

/// When there is nothing to wait for: a day, after which it is looked at again for nothing.
const FAR: Duration = Duration::from_secs(86_400);

/// Drives a connection until it ends. Resolves to the reason.
pub(crate) struct Driver<T, O> {
    http2: Http2<T>,
    link: Arc<Link>,
    owner: O,
    /// Tells of a GOAWAY. Dropped when the connection drains, because h2 closes once every such handle is gone.
    probe: Option<SendRequest<Bytes>>,
    keepalive: Option<KeepAlive>,
    /// For a PING where keepalive is off.
    pings: Option<PingPong>,
    ping_timeout: Duration,
    /// The peer is doubted; bytes that had come from it by then.
    doubted: Option<u64>,
    unflushed: Unflushed,
    /// Slots were returned whose resets are not written yet, because the peer does not read.
    stuck: bool,
    resets: PacedResets,
    /// When to ask the owner to look again; for a connection that drains or parts, when to end it.
    timer: Pin<Box<Sleep>>,
    drain: Option<Drain>,
    /// h2 has given the connection up, or it drains and had no calls when last looked at: only its last words are left.
    parting: bool,
    answered: bool,
    load: Load,
    limit: usize,
    read_before: u64,
    yielded: bool,
}

impl<T, O> Driver<T, O>
where
    T: AsyncRead + AsyncWrite + Unpin,
    O: Owner,
{
    pub(crate) fn new(ready: Ready<T>, link: Arc<Link>, owner: O, pinging: Pinging) -> Self {
        let Ready { mut http2, send, limit } = ready;
        let mut pings = http2.ping_pong();
        let keepalive = pinging
            .keepalive
            .and_then(|config| Some(KeepAlive::new(config, pings.take()?)));
        Self {
            http2,
            link,
            owner,
            probe: Some(send),
            keepalive,
            pings,
            ping_timeout: pinging.timeout,
            doubted: None,
            unflushed: Unflushed::default(),
            stuck: false,
            resets: PacedResets::default(),
            // Fires in the first turn, which asks the owner.
            timer: Box::pin(sleep_until(Instant::now())),
            drain: None,
            parting: false,
            answered: false,
            load: Load::new(Instant::now()),
            limit,
            read_before: 0,
            yielded: false,
        }
    }

    fn obey(&mut self, order: Drain) {
        if self.drain == Some(order) {
            return;
        }
        self.drain = Some(order);
        self.probe = None;
        let after = order.cut_after.unwrap_or(FAREWELL).min(FAR);
        self.timer.as_mut().reset(Instant::now() + after);
        // The pool may have lost what it needs; here is a runtime to dial on.
        self.owner.look();
    }

    fn look(&mut self) {
        if let Some(is_it) = self.load.judge(Instant::now()) {
            self.owner.saturated(is_it);
        }
        let next = self.owner.look().unwrap_or_else(|| Instant::now() + FAR);
        if self.drain.is_none() && !self.parting {
            self.timer.as_mut().reset(next);
        }
    }

    /// The timer has run out. The connection ends here if it was to be cut now, or if it has had its time to part.
    fn time_is_up(&mut self) -> Option<CloseReason> {
        match self.drain {
            Some(Drain { reason, cut_after }) if cut_after.is_some() || self.parting => return Some(reason),
            None if self.parting => return Some(CloseReason::Lost),
            Some(_) => {
                self.parting = !self.owner.is_busy();
                self.timer.as_mut().reset(Instant::now() + FAREWELL);
            }
            None => self.look(),
        }
        None
    }

    /// Something came from the peer: it may have been SETTINGS or a GOAWAY, of which h2 raises no event.
    fn notice(&mut self, cx: &mut Context<'_>) {
        if !self.answered && self.link.pace.has_answered() {
            self.answered = true;
            self.owner.answered();
        }
        let limit = self.http2.max_concurrent_send_streams();
        if limit != self.limit {
            self.limit = limit;
            self.owner.limit_changed(limit);
        }
        let Some(probe) = &mut self.probe else { return };
        if let Poll::Ready(Err(error)) = probe.poll_ready(cx) {
            self.probe = None;
            match GoAway::of(&error).filter(|goaway| goaway.is_remote) {
                Some(goaway) => {
                    let reason = goaway.reason();
                    self.link.note(goaway);
                    self.owner.going_away(reason);
                }
                None => {
                    self.parting = true;
                    self.timer.as_mut().reset(Instant::now() + FAREWELL);
                }
            }
        }
    }

    /// Pings the peer, and notes how many bytes have come from it.
    fn doubt(&mut self) {
        self.doubted = Some(self.link.pace.read());
        if let Some(pings) = self.pings.take() {
            self.keepalive = Some(KeepAlive::off(self.ping_timeout, pings));
        }
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.ping_now();
        }
    }

    /// After h2's turn to write: returns the slots of streams whose resets are written. If the peer does not read, no new
    /// call is sent to it, and the slots can be returned all the same.
    fn return_slots(&mut self, cx: &mut Context<'_>) {
        let is_blocked = self.link.pace.is_blocked();
        self.stuck &= is_blocked;
        if self.unflushed.turn(is_blocked, self.link.pace.written(), cx) {
            self.stuck = true;
            self.owner.doubt();
            if self.doubted.is_none() {
                self.doubt();
            }
            self.unflushed.release();
        }
    }

    fn budget(&self) -> usize {
        MIN_BUDGET.max(self.link.message_size().saturating_mul(MESSAGES_PER_TURN))
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        // Begins before the orders are taken: a stream that is given up after that may be written in this turn.
        self.link.begins_or_ends_turn();
        let Orders {
            drain,
            look,
            doubt,
            given_up,
            held,
        } = self.link.control.poll(self.resets.count(), cx);
        self.unflushed.extend(held, self.link.pace.written());
        self.resets.extend(given_up);
        self.resets.poll(cx);
        if doubt {
            self.doubt();
        }
        if let Some(order) = drain {
            self.obey(order);
        }
        if look {
            self.look();
        }

        if let Some(keepalive) = &mut self.keepalive {
            keepalive.before_turn(|| self.owner.is_busy());
        }
        self.link.pace.allow(self.budget());
        let http2 = Pin::new(&mut self.http2).poll(cx);
        self.link.begins_or_ends_turn();
        self.return_slots(cx);
        if let Poll::Ready(result) = http2 {
            tracing::debug!(error = result.err().map(tracing::field::display), "connection ended");
            // A GOAWAY and the end may have come in one piece: then it was recycled, and is not lost.
            self.notice(cx);
            let drain = self.link.control.poll(0, cx).drain;
            return Poll::Ready(drain.map_or(CloseReason::Lost, |order| order.reason));
        }
        let read = self.link.pace.read();
        if read != self.read_before {
            self.read_before = read;
            self.notice(cx);
        }
        if self.doubted.is_some_and(|before| read != before) && !self.stuck {
            self.doubted = None;
            self.owner.trust();
        }

        while self.timer.as_mut().poll(cx).is_ready() {
            if let Some(reason) = self.time_is_up() {
                return Poll::Ready(reason);
            }
        }
        let owner = &self.owner;
        match &mut self.keepalive {
            Some(keepalive) => keepalive
                .poll(cx, read, || owner.is_busy())
                .map(|Dead| CloseReason::KeepAlive),
            None => Poll::Pending,
        }
    }
}

impl<T, O> Future for Driver<T, O>
where
    T: AsyncRead + AsyncWrite + Unpin,
    O: Owner,
{
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.yielded, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.yielded = false;
        let began = this.load.samples().then(Instant::now);
        let turn = this.turn(cx);
        if let Some(is_it) = began.and_then(|began| this.load.turn(began, Instant::now())) {
            this.owner.saturated(is_it);
        }
        if let Poll::Ready(reason) = turn {
            // Before h2 is dropped, which fails what is still in flight: those calls can say why.
            this.link.end(reason);
        }
        turn
    }
}

impl<T, O> Drop for Driver<T, O> {
    fn drop(&mut self) {
        self.link.control.end();
    }
}
