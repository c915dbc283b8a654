//! Several addresses, one connection: Happy Eyeballs (RFC 8305 section 5, gRFC A61).
//!
//! An attempt is all of it: TCP, TLS and the HTTP/2 handshake up to the peer's SETTINGS. An address that
//! does not get that far costs 250 ms instead of the whole connect timeout: then the next one is tried
//! beside it, and the first to be ready wins. An attempt that fails gives its turn to the next address at
//! once. The losers are dropped, and with them their sockets.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::timeout;

/// How long an attempt is alone before the next one starts beside it.
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Tries `candidates` in their order, and gives the output of the first attempt that succeeds; `None` once each
/// of them has failed.
///
/// The attempts are polled here and not spawned, so that dropping this future ends them all, then and
/// there.
pub(super) async fn race<C, T, F>(candidates: Vec<C>, attempt: impl Fn(C) -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let mut waiting = candidates.into_iter();
    let mut racing = Racing(Vec::new());
    loop {
        if let Some(candidate) = waiting.next() {
            racing.0.push(Box::pin(attempt(candidate)));
        }
        if racing.0.is_empty() {
            return None;
        }
        let outcome = match waiting.len() {
            0 => Ok(racing.next().await),
            _ => timeout(ATTEMPT_DELAY, racing.next()).await,
        };
        // Else an attempt failed, or the delay is over: the next address joins in.
        if let Ok(Some(ready)) = outcome {
            return Some(ready);
        }
    }
}

/// The attempts under way, oldest first. They are few (at most the number of addresses that a dial
/// tries), so a wake-up may as well poll all of them.
struct Racing<F>(Vec<Pin<Box<F>>>);

impl<T, F: Future<Output = Option<T>>> Racing<F> {
    /// Waits for an attempt to end, takes it out and gives its outcome.
    async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        for (index, attempt) in self.0.iter_mut().enumerate() {
            if let Poll::Ready(outcome) = attempt.as_mut().poll(cx) {
                drop(self.0.remove(index));
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{Instant, sleep};

    use super::*;

    /// What an address does, and after how many milliseconds.
    #[derive(Clone, Copy)]
    enum Peer {
        Accepts(u64),
        Refuses(u64),
        Silent,
    }
    use Peer::{Accepts, Refuses, Silent};

    /// Counts the attempts that are under way.
    struct Open<'a>(&'a Cell<usize>);

    impl Drop for Open<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    struct Race {
        /// The index of the winner, or of those that failed.
        outcome: Result<usize, Vec<usize>>,
        /// When each attempt started, in milliseconds.
        starts: Vec<u64>,
        took: u64,
    }

    async fn run(peers: &[Peer]) -> Race {
        let begin = Instant::now();
        let elapsed = || begin.elapsed().as_millis() as u64;
        let starts = RefCell::new(Vec::new());
        let failed = RefCell::new(Vec::new());
        let open = Cell::new(0);
        let winner = race((0..peers.len()).collect(), |index| {
            starts.borrow_mut().push(elapsed());
            open.set(open.get() + 1);
            let open = Open(&open);
            let failed = &failed;
            async move {
                let _open = open;
                match peers[index] {
                    Accepts(after) => sleep(Duration::from_millis(after)).await,
                    Refuses(after) => {
                        sleep(Duration::from_millis(after)).await;
                        failed.borrow_mut().push(index);
                        return None;
                    }
                    Silent => std::future::pending().await,
                }
                Some(index)
            }
        })
        .await;
        assert_eq!(open.get(), 0, "an attempt outlives the race");
        Race {
            outcome: winner.ok_or(failed.into_inner()),
            starts: starts.into_inner(),
            took: elapsed(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_start_as_the_earlier_ones_leave_them_time() {
        type Row<'a> = (&'a [Peer], Result<usize, Vec<usize>>, &'a [u64], u64);
        let rows: [Row<'_>; 11] = [
            // peers, who wins or who failed in which order, starts, time taken
            (&[], Err(vec![]), &[], 0),
            (&[Accepts(900)], Ok(0), &[0], 900),
            (&[Refuses(10)], Err(vec![0]), &[0], 10),
            // A quick answer leaves the others alone.
            (&[Accepts(249), Accepts(0)], Ok(0), &[0], 249),
            // Silence costs the delay and no more.
            (&[Silent, Accepts(5)], Ok(1), &[0, 250], 255),
            (&[Silent, Silent, Accepts(5)], Ok(2), &[0, 250, 500], 505),
            // A slow answer still wins if it is the first.
            (&[Accepts(300), Accepts(100)], Ok(0), &[0, 250], 300),
            (&[Accepts(400), Accepts(100)], Ok(1), &[0, 250], 350),
            // A refusal gives its turn away at once.
            (&[Refuses(10), Refuses(10), Accepts(1)], Ok(2), &[0, 10, 20], 21),
            (&[Refuses(300), Accepts(100), Accepts(1)], Ok(2), &[0, 250, 300], 301),
            (&[Refuses(300), Refuses(0)], Err(vec![1, 0]), &[0, 250], 300),
        ];
        for (row, (peers, outcome, starts, took)) in rows.into_iter().enumerate() {
            let race = run(peers).await;
            assert_eq!(race.outcome, outcome, "row {row}");
            assert_eq!(race.starts, starts, "row {row}");
            assert_eq!(race.took, took, "row {row}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_race_that_nobody_wins_waits_for_its_caller_to_give_up() {
        let waited = timeout(Duration::from_secs(20), run(&[Silent, Silent])).await;
        assert!(waited.is_err());
    }
}
