//! Keepalive PINGs (R16): finds a peer that has gone without a word.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep_until};

/// When a silent peer is pinged, and how long it may take to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeepAliveConfig {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) while_idle: bool,
}

/// The keepalive of one connection: waits for silence, pings, waits for the answer.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    config: KeepAliveConfig,
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    /// A PING is out; the timer is its time limit.
    awaiting: bool,
    read_before: u64,
}

/// The peer did not answer in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dead;

impl KeepAlive {
    pub(crate) fn new(config: KeepAliveConfig, pings: PingPong) -> Self {
        Self {
            config,
            pings,
            timer: Box::pin(sleep_until(Instant::now() + config.interval)),
            awaiting: false,
            read_before: 0,
        }
    }

    /// Moves the keepalive on. `read` is how many bytes have come from the peer, `busy` tells whether calls are
    /// in flight.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: u64, busy: impl Fn() -> bool) -> Poll<Dead> {
        if self.awaiting
            && let Poll::Ready(answer) = self.pings.poll_pong(cx)
        {
            // An error means that the connection is ending; its own error says more.
            self.awaiting = false;
            self.read_before = read;
            self.rest();
            if answer.is_err() {
                return Poll::Pending;
            }
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let silent = read == self.read_before;
            self.read_before = read;
            if self.awaiting && silent {
                return Poll::Ready(Dead);
            }
            if self.awaiting {
                // Something else came from the peer: it is alive, its answer may still be on the way.
                self.timer.as_mut().reset(Instant::now() + self.config.timeout);
            } else if silent && (self.config.while_idle || busy()) && self.pings.send_ping(Ping::opaque()).is_ok() {
                self.awaiting = true;
                self.timer.as_mut().reset(Instant::now() + self.config.timeout);
                cx.waker().wake_by_ref();
            } else {
                self.rest();
            }
        }
        Poll::Pending
    }

    fn rest(&mut self) {
        self.timer.as_mut().reset(Instant::now() + self.config.interval);
    }
}

#[cfg(test)]
mod tests;
