//! Paces the resets of streams that were given up soon after they were opened.
//!
//! The peer may not have accepted those yet, and servers count the ones that they find reset by then: h2's, and so tonic's,
//! ends the connection at more than 20. So only a few of them are reset at a time, and the others keep their slots until
//! then. The engine that takes unsent requests back (and sends nothing of them) will need none of this.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::control::Held;

/// A stream that was opened less than this ago may not have been accepted by its peer.
pub(crate) const YOUNG: Duration = Duration::from_millis(100);

/// So many resets may follow each other at once; h2's server bears 20.
pub(super) const BURST: usize = 10;

/// The time in which a peer accepts the streams that it has been sent.
const PAUSE: Duration = Duration::from_millis(25);

/// Streams that are waiting to be reset.
#[derive(Debug, Default)]
pub(crate) struct PacedResets {
    waiting: Vec<Held>,
    /// Resets since the last pause began.
    made: usize,
    /// The end of the pause, once the first reset has been made.
    pause: Option<Pin<Box<Sleep>>>,
}

impl PacedResets {
    pub(crate) fn extend(&mut self, handles: Vec<Held>) {
        self.waiting.extend(handles);
    }

    /// Resets that were made since the last pause began, and those that wait.
    pub(crate) fn count(&self) -> usize {
        self.made + self.waiting.len()
    }

    /// Resets as many streams as may be reset now. The task is woken for the others.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(pause) = &mut self.pause
            && pause.as_mut().poll(cx).is_ready()
        {
            (self.pause, self.made) = (None, 0);
        }
        let now = self.waiting.len().min(BURST - self.made);
        if now == 0 {
            return;
        }
        self.waiting.drain(..now);
        self.made += now;
        let pause = self
            .pause
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + PAUSE)));
        // So that it wakes this task.
        if let Poll::Ready(()) = pause.as_mut().poll(cx) {
            cx.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;

    /// A call that is given up learns from the count whether its reset has to wait.
    #[tokio::test(start_paused = true)]
    async fn the_count_has_those_made_and_those_waiting() {
        let held = |n: usize| (0..n).map(|_| Box::new(()) as Held).collect::<Vec<_>>();
        let mut resets = PacedResets::default();
        let mut counts = vec![resets.count()];
        for more in [3, 4, 9] {
            resets.extend(held(more));
            counts.push(resets.count());
            poll_fn(|cx| {
                resets.poll(cx);
                Poll::Ready(())
            })
            .await;
            counts.push(resets.count());
        }
        assert_eq!((counts, resets.waiting.len()), (vec![0, 3, 3, 7, 7, 16, 16], 6));
        tokio::time::sleep(PAUSE).await;
        poll_fn(|cx| {
            resets.poll(cx);
            Poll::Ready(())
        })
        .await;
        assert_eq!((resets.count(), resets.waiting.len()), (6, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn resets_are_paced() {
        let stream = Arc::new(());
        let mut resets = PacedResets::default();
        resets.extend((0..25).map(|_| Box::new(stream.clone()) as Held).collect());
        let began = Instant::now();
        let mut left = Vec::new();
        poll_fn(|cx| {
            resets.poll(cx);
            left.push((
                Arc::strong_count(&stream) - 1,
                began.elapsed() / PAUSE.as_millis() as u32,
            ));
            match resets.waiting.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        let ms = Duration::from_millis;
        assert_eq!(left, [(15, ms(0)), (5, ms(1)), (0, ms(2))]);
    }
}
