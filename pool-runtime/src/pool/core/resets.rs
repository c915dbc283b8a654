//! How many streams may be reset on a connection within a time.
//!
//! Servers count the resets of their clients since CVE-2023-44487, and end the connection with the calls of everybody:
//! Netty after 200 in 30 s. So the pool takes a connection out of use before that.

use std::time::Duration;

use tokio::time::Instant;

/// So many resets in so much time: a connection that reaches this is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaxResets {
    pub(crate) count: u32,
    pub(crate) per: Duration,
}

/// A leaky bucket of resets: it leaks `count` in `per`, so that no span of that length has more than twice as many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resets {
    level: f64,
    at: Instant,
}

impl Resets {
    pub(super) fn new(now: Instant) -> Self {
        Self { level: 0.0, at: now }
    }

    /// One more reset. True if that is as many as there may be.
    pub(super) fn add(&mut self, max: MaxResets, now: Instant) -> bool {
        let count = f64::from(max.count);
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let leaked = count * passed / max.per.as_secs_f64().max(f64::MIN_POSITIVE);
        self.level = (self.level - leaked).max(0.0) + 1.0;
        self.at = now;
        self.level >= count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: MaxResets = MaxResets {
        count: 100,
        per: Duration::from_secs(30),
    };

    /// Resets at that pace, until there are as many as there may be; `None` if a thousand are not.
    fn until_full(every: Duration) -> Option<u32> {
        let mut now = Instant::now();
        let mut resets = Resets::new(now);
        (1..=1_000).find(|_| {
            now += every;
            resets.add(MAX, now)
        })
    }

    #[test]
    fn resets_count_by_their_pace() {
        let rows = [
            (0, Some(100)),
            // 20 a second less 3.3.
            (50, Some(120)),
            (150, Some(199)),
            (310, None),
        ];
        for (ms, expected) in rows {
            let full = until_full(Duration::from_millis(ms));
            let is_near = match (full, expected) {
                (Some(full), Some(expected)) => full.abs_diff(expected) <= 15,
                (full, expected) => full == expected,
            };
            assert!(is_near, "each {ms} ms: {full:?}");
        }
    }
}
