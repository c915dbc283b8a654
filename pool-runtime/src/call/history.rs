//! The history of a call: the connections on which its attempts failed, and its transparent retries (gRFC A6, "Transparent
//! Retries").
//!
//! A request that never left this side may be sent again until the deadline, with a pause that grows. So may one that was
//! excluded by the GOAWAY of a connection that had answered others: peers recycle connections so, and fail no call by it
//! (gRFC A9). One that was refused (REFUSED_STREAM), or excluded by a connection that answered nobody, is sent again at
//! once, but only once for each of the two: it has put load on the peer, and more of them are up to the call's policy.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pool::avoid::Avoid;
use crate::pool::slot::Slot;

/// The pause before a request that put no load on the peer is sent again, from the second time on; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The history of one call. Attempts that run side by side share it; they are polled by one task, so the lock is
/// never contended.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<Past>);

#[derive(Debug, Default)]
struct Past {
    avoid: Avoid,
    replays: Replays,
}

/// Why the peer cannot have processed a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unprocessed {
    /// It never left this side.
    Unsent,
    /// Its stream was reset with REFUSED_STREAM.
    Refused,
    /// Its stream is above the last one of a GOAWAY. `of_use`: the connection had answered another.
    GoAway { of_use: bool },
}

/// The transparent retries of a call.
#[derive(Debug, Default)]
struct Replays {
    paced: u32,
    refused: bool,
    goaway: bool,
}

impl Replays {
    /// The pause before the request is sent again; `None` if it is not. `random` is uniform in 0..1.
    fn next(&mut self, why: Unprocessed, random: f64) -> Option<Duration> {
        let had = match why {
            Unprocessed::Unsent | Unprocessed::GoAway { of_use: true } => {
                let doublings = self.paced.checked_sub(1);
                self.paced = self.paced.saturating_add(1);
                return Some(doublings.map_or(Duration::ZERO, |doublings| pause(doublings, random)));
            }
            Unprocessed::Refused => &mut self.refused,
            Unprocessed::GoAway { of_use: false } => &mut self.goaway,
        };
        (!std::mem::replace(had, true)).then_some(Duration::ZERO)
    }
}

/// Half of the pause or more, so that callers whose connection died under them do not return in step.
fn pause(doublings: u32, random: f64) -> Duration {
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let longest = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + random / 2.0)
}

impl History {
    /// The connections to avoid by the next attempt.
    pub(super) fn avoid(&self) -> Avoid {
        self.past().avoid.clone()
    }

    /// The next attempt had better use another connection.
    pub(super) fn add(&self, slot: &Slot) {
        let peer = slot.connection().link.peer;
        self.past().avoid.add(slot.id(), peer);
    }

    /// The pause before the request is sent again; `None` if it is not.
    pub(super) fn replay(&self, why: Unprocessed, random: f64) -> Option<Duration> {
        self.past().replays.next(why, random)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_requests_are_sent_again_once() {
        use Unprocessed::{GoAway, Refused};
        let goaway = GoAway { of_use: false };
        let mut replays = Replays::default();
        let rows = [
            (Refused, Some(Duration::ZERO)),
            (Refused, None),
            (goaway, Some(Duration::ZERO)),
            (goaway, None),
            (Refused, None),
        ];
        for (why, expected) in rows {
            assert_eq!(replays.next(why, 0.5), expected, "{why:?}");
        }
    }

    #[test]
    fn unsent_requests_pause_longer_each_time() {
        let pauses = |random| {
            let mut replays = Replays::default();
            let recycled = Unprocessed::GoAway { of_use: true };
            let whys = [Unprocessed::Unsent, recycled].into_iter().cycle().take(50);
            let pauses = whys.map(|why| replays.next(why, random));
            pauses.collect::<Option<Vec<Duration>>>().unwrap()
        };
        let ms = Duration::from_millis;
        let longest = pauses(1.0);
        assert_eq!(longest[..5], [ms(0), ms(1), ms(2), ms(4), ms(8)]);
        assert_eq!((longest[10], longest[11], longest[49]), (ms(512), ms(1_000), ms(1_000)));
        assert_eq!(pauses(0.0)[11], ms(500));
    }
}
