//! How many streams were asked for at once of late: the pool closes the connections that this does not need.
//!
//! With ties at random every connection gets a call now and then, so none falls idle by itself while there are calls.
//! gax closes channels by the same measure (`ChannelPool.resize`).

use std::time::Duration;

use tokio::time::Instant;

/// The most streams that were asked for at once, over the current period and the one before it.
#[derive(Debug)]
pub(super) struct Demand {
    /// When the current period began; `None` before the first note.
    since: Option<Instant>,
    current: usize,
    /// `None` until a whole period has passed.
    before: Option<usize>,
}

impl Demand {
    pub(super) const fn new() -> Self {
        Self {
            since: None,
            current: 0,
            before: None,
        }
    }

    /// So many streams are asked for now.
    pub(super) fn note(&mut self, streams: usize, now: Instant, period: Duration) {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= period {
            // Nothing was noted for a whole period: there were neither calls nor looks.
            let is_gap = passed >= period.saturating_mul(2);
            self.before = Some(if is_gap { 0 } else { self.current });
            self.since = Some(now);
            self.current = 0;
        }
        self.current = self.current.max(streams);
    }

    /// The most that was asked for in at least one whole period; `None` if that is not known yet.
    pub(super) fn most(&self) -> Option<usize> {
        self.before.map(|before| before.max(self.current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_counts_for_one_to_two_periods() {
        let period = Duration::from_secs(8);
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let mut demand = Demand::new();
        // Seconds since the start, streams asked for then, and the most of the last period.
        let rows = [
            (0, 5, None),
            (7, 90, None),
            (8, 3, Some(90)),
            (15, 4, Some(90)),
            (16, 1, Some(4)),
            (24, 2, Some(2)),
            (60, 1, Some(1)),
        ];
        for (seconds, streams, expected) in rows {
            demand.note(streams, start + second * seconds, period);
            assert_eq!(demand.most(), expected, "after {seconds} s");
        }
    }
}
