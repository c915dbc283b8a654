//! Slots whose streams were reset, until the resets are written.
//!
//! h2 writes the HEADERS of new streams before resets that have waited longer: a slot that was used again before its
//! reset is written would show the peer one stream too many. A turn in which the transport took all that h2 had to write
//! has written them. An upload can keep the transport full for long, but h2 gives each stream its turn, so a reset is gone
//! after so many bytes. And if nothing is written at all for a while, the peer does not read.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::control::Held;

/// After so many bytes a reset that was queued before them is written: a frame of 16 KiB for each of 256 streams.
const GONE_BY: u64 = 4 << 20;

/// How long the transport may take nothing before the peer is doubted.
const STUCK: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Unflushed {
    held: Vec<Held>,
    /// Bytes that were written when the last of them was taken in.
    since: u64,
    /// Bytes written by the last turn that was blocked, and when they first were that many.
    stuck: Option<(u64, Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Unflushed {
    pub(crate) fn extend(&mut self, held: Vec<Held>, written: u64) {
        if !held.is_empty() {
            self.held.extend(held);
            self.since = written;
        }
    }

    /// h2 has had its turn. Returns true if the peer does not read: it must get no more calls, so the slots come back all
    /// the same with [`Unflushed::release`]. The task is woken when that may have to be said.
    pub(crate) fn turn(&mut self, blocked: bool, written: u64, cx: &mut Context<'_>) -> bool {
        if !blocked {
            (self.stuck, self.timer) = (None, None);
            self.held.clear();
            return false;
        }
        let since = match self.stuck {
            Some((before, since)) if before == written => since,
            _ => Instant::now(),
        };
        if self.stuck != Some((written, since)) {
            (self.stuck, self.timer) = (Some((written, since)), None);
        }
        if written.saturating_sub(self.since) >= GONE_BY {
            self.held.clear();
        }
        if self.held.is_empty() {
            return false;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + STUCK)));
        timer.as_mut().poll(cx).is_ready()
    }

    /// Returns the slots.
    pub(crate) fn release(&mut self) {
        self.held.clear();
        self.timer = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use super::*;

    fn held(slot: &Arc<()>) -> Vec<Held> {
        vec![Box::new(slot.clone())]
    }

    #[tokio::test(start_paused = true)]
    async fn slots_wait_for_their_resets() {
        let slot = Arc::new(());
        let is_out = |slot: &Arc<()>| Arc::strong_count(slot) > 1;
        let mut cx = Context::from_waker(Waker::noop());
        let mut unflushed = Unflushed::default();

        unflushed.extend(held(&slot), 0);
        assert!(!unflushed.turn(true, 10, &mut cx) && is_out(&slot));
        assert!(!unflushed.turn(false, 20, &mut cx) && !is_out(&slot), "all is written");

        unflushed.extend(held(&slot), 20);
        for written in (1..100).map(|turn| 20 + turn * GONE_BY / 100) {
            tokio::time::advance(STUCK).await;
            assert!(!unflushed.turn(true, written, &mut cx) && is_out(&slot), "an upload");
        }
        assert!(!unflushed.turn(true, 20 + GONE_BY, &mut cx) && !is_out(&slot));

        unflushed.extend(held(&slot), 20 + GONE_BY);
        assert!(!unflushed.turn(true, 21 + GONE_BY, &mut cx));
        tokio::time::advance(STUCK).await;
        assert!(
            unflushed.turn(true, 21 + GONE_BY, &mut cx),
            "nothing is written for a second"
        );
        unflushed.release();
        assert!(!is_out(&slot));
        unflushed.extend(held(&slot), 21 + GONE_BY);
        assert!(unflushed.turn(true, 21 + GONE_BY, &mut cx), "and still is not");
    }
}
