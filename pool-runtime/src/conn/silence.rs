//! When a peer is doubted from which nothing comes while calls run into their deadlines.
//!
//! Without keepalive PINGs, this is the only sign of a connection that a NAT or a firewall has forgotten. One silent
//! call is no proof: its server may just be slow. So the silence has to last, and each doubt that turns out to be
//! unfounded makes the next one wait twice as long: servers count PINGs (gRFC A8), and doubt costs one.

use std::time::Duration;

use tokio::time::Instant;

/// How long nothing may come before the peer is doubted for the first time.
const FIRST: Duration = Duration::from_secs(1);

/// The most that this grows to: servers of gRPC's own take a PING each five minutes for granted.
const MOST: Duration = Duration::from_secs(300);

/// The silence of one peer, as the calls see it that run into their deadlines.
#[derive(Debug)]
pub(crate) struct Silence {
    /// Bytes read by the time it began, when that was, and when a call last ran into its deadline in it.
    began: Option<(u64, Instant, Instant)>,
    needed: Duration,
}

/// A call that ran into its deadline without a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimedOut {
    /// When it was sent, and how many bytes had been read by then.
    pub(crate) sent: Instant,
    pub(crate) read_then: u64,
    /// Bytes read by now.
    pub(crate) read: u64,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            began: None,
            needed: FIRST,
        }
    }
}

impl Silence {
    /// A call ran into its deadline; true if the peer is to be doubted.
    pub(crate) fn timed_out(&mut self, call: TimedOut, now: Instant) -> bool {
        if call.read != call.read_then {
            return false;
        }
        let began = match self.began {
            // Hours without a call are no silence.
            Some((read, began, last)) if read == call.read && call.sent <= last + self.needed => began.min(call.sent),
            _ => call.sent,
        };
        self.began = Some((call.read, began, now));
        let lasts = now.saturating_duration_since(began) >= self.needed;
        if lasts {
            self.began = None;
            self.needed = self.needed.saturating_mul(2).min(MOST);
        }
        lasts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// A call that was sent and timed out so many milliseconds after the start, with so many bytes read by each.
    fn call(silence: &mut Silence, start: Instant, (sent, read_then): (u64, u64), (ended, read): (u64, u64)) -> bool {
        let call = TimedOut {
            sent: start + MS(sent),
            read_then,
            read,
        };
        silence.timed_out(call, start + MS(ended))
    }

    #[test]
    fn silence_must_last() {
        let start = Instant::now();
        let mut silence = Silence::default();
        let rows = [
            ((0, 5), (250, 5), false),
            ((250, 5), (500, 5), false),
            ((500, 5), (750, 9), false),
            ((750, 9), (1_000, 9), false),
            ((9_000, 9), (9_100, 9), false),
            ((9_100, 9), (9_990, 9), false),
            ((9_500, 9), (10_000, 9), true),
        ];
        for (sent, ended, expected) in rows {
            assert_eq!(
                call(&mut silence, start, sent, ended),
                expected,
                "{sent:?} to {ended:?}"
            );
        }
    }

    #[test]
    fn each_doubt_takes_longer() {
        let start = Instant::now();
        let mut silence = Silence::default();
        let mut read = 0;
        for needed in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            // It answered the last doubt.
            read += 1;
            assert!(!call(&mut silence, start, (0, read), (needed * 1_000 - 1, read)));
            assert!(call(&mut silence, start, (0, read), (needed * 1_000, read)));
        }
    }
}
