//! The wait between failed dials: gRPC's connection backoff (R18).

use std::time::Duration;

/// How long to wait after failed dials: `base`, then `multiplier` times the last wait up to `max`, each moved by a
/// random part of up to `jitter`, so that clients that lost the same server do not return in step.
///
/// The defaults are those of gRPC's connection backoff document: 1 s, 1.6, 20 %, 120 s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure. Default 1 s.
    pub base: Duration,
    /// What each further failure multiplies it by; at least 1. Default 1.6.
    pub multiplier: f64,
    /// How far a wait is moved at random, as a part of it, 0 to 1. Default 0.2.
    pub jitter: f64,
    /// The longest wait before it is moved. Default 120 s.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            multiplier: 1.6,
            jitter: 0.2,
            max: Duration::from_secs(120),
        }
    }
}

impl Backoff {
    /// The wait after the `failures`-th failure in a row; `random` is uniform in 0..1.
    pub(crate) fn delay(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.multiplier.powi(exponent);
        let seconds = seconds.min(self.max.as_secs_f64());
        let moved = seconds * (1.0 + self.jitter * (2.0 * random - 1.0));
        Duration::try_from_secs_f64(moved).unwrap_or(self.max)
    }

    /// What is wrong with these values, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.base.is_zero() {
            return Some("its base is zero, which would dial a dead endpoint without pause");
        }
        if !(self.multiplier >= 1.0 && self.multiplier.is_finite()) {
            return Some("its multiplier is not a number of at least 1");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Some("its jitter is not between 0 and 1");
        }
        (self.max < self.base).then_some("its max is shorter than its base")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_stay_within_the_jitter() {
        let backoff = Backoff::default();
        let rows = [
            (1, 1.0),
            (2, 1.6),
            (3, 2.56),
            (11, 109.95),
            (12, 120.0),
            (u32::MAX, 120.0),
        ];
        for (failures, expected) in rows {
            for (random, factor) in [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)] {
                let seconds = backoff.delay(failures, random).as_secs_f64();
                let wanted = expected * factor;
                assert!((seconds - wanted).abs() < 0.01, "{failures}: {seconds} is not {wanted}");
            }
        }
    }

    #[test]
    fn values_that_would_spin_or_mean_nothing_are_refused() {
        let good = Backoff::default();
        assert_eq!(good.problem(), None);
        for bad in [
            Backoff {
                base: Duration::ZERO,
                ..good
            },
            Backoff {
                multiplier: 0.5,
                ..good
            },
            Backoff {
                multiplier: f64::NAN,
                ..good
            },
            Backoff { jitter: 1.5, ..good },
            Backoff {
                jitter: f64::NAN,
                ..good
            },
            Backoff {
                max: Duration::from_millis(1),
                ..good
            },
        ] {
            assert!(bad.problem().is_some(), "{bad:?}");
        }
    }
}
