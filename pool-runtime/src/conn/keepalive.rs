//! Keepalive PINGs (R16): finds a peer that has gone without a word.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep_until};

/// The interval where keepalive is off: thirty years, which clocks can add.
const NEVER: Duration = Duration::from_secs(1_000_000_000);

/// When a silent peer is pinged, and how long it may take to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeepAliveConfig {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) while_idle: bool,
}

/// How a connection pings its peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinging {
    pub(crate) keepalive: Option<KeepAliveConfig>,
    /// How long a peer that is doubted may take to answer.
    pub(crate) timeout: Duration,
}

/// The keepalive of one connection: waits for silence, pings, waits for the answer.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    config: KeepAliveConfig,
    pings: PingPong,
    /// Fires no later than what is due, and is then set to when it is: most often something came meanwhile.
    timer: Pin<Box<Sleep>>,
    /// A PING is out.
    awaiting: bool,
    /// Nothing has come for the interval, and there was no call to ping for.
    silent: bool,
    read_before: u64,
    /// When something last came from the peer, or the PING went out.
    since: Instant,
}

/// The peer did not answer in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dead;

impl KeepAlive {
    pub(crate) fn new(config: KeepAliveConfig, pings: PingPong) -> Self {
        let since = Instant::now();
        Self {
            config,
            pings,
            timer: Box::pin(sleep_until(since + config.interval)),
            awaiting: false,
            silent: false,
            read_before: 0,
            since,
        }
    }

    /// For a connection without keepalive: pings on demand only.
    pub(crate) fn off(timeout: Duration, pings: PingPong) -> Self {
        let config = KeepAliveConfig {
            interval: NEVER,
            timeout,
            while_idle: false,
        };
        Self::new(config, pings)
    }

    /// Pings at once, unless a PING is out.
    pub(crate) fn ping_now(&mut self) {
        if !self.awaiting {
            self.ping(Instant::now());
        }
    }

    /// Pings at once if a call begins after the peer has been silent for the interval. Called before h2 has its turn,
    /// so that the PING goes out before the call's HEADERS (gRFC A8): a dead connection is found after the timeout,
    /// not after the interval and the timeout.
    pub(crate) fn before_turn(&mut self, busy: impl Fn() -> bool) {
        if self.silent && busy() {
            self.ping(Instant::now());
        }
    }

    /// Moves the keepalive on. `read` is how many bytes have come from the peer, `busy` tells whether calls are
    /// in flight.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: u64, busy: impl Fn() -> bool) -> Poll<Dead> {
        if read != self.read_before {
            self.read_before = read;
            self.since = Instant::now();
            self.silent = false;
        }
        // The answer to a PING was read, so its silence is over. An error means that the connection is ending; its own
        // error says more.
        if self.awaiting && self.pings.poll_pong(cx).is_ready() {
            self.awaiting = false;
            self.wait_until(self.since + self.config.interval);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let due = match self.awaiting {
                // Whatever comes from the peer tells that it is alive: its answer may still be on the way.
                true => self.since + self.config.timeout,
                false => self.since + self.config.interval,
            };
            if due > now {
                self.wait_until(due);
            } else if self.awaiting {
                return Poll::Ready(Dead);
            } else if (self.config.while_idle || busy()) && self.ping(now) {
                cx.waker().wake_by_ref();
            } else {
                self.silent = true;
                self.wait_until(now + self.config.interval);
            }
        }
        Poll::Pending
    }

    /// Queues a PING; false if h2 takes none now.
    fn ping(&mut self, now: Instant) -> bool {
        let queued = self.pings.send_ping(Ping::opaque()).is_ok();
        if queued {
            self.awaiting = true;
            self.silent = false;
            self.since = now;
            self.wait_until(now + self.config.timeout);
        }
        queued
    }

    fn wait_until(&mut self, at: Instant) {
        self.timer.as_mut().reset(at);
    }
}

#[cfg(test)]
mod tests;
