//! The retry budget: extra attempts stop when too large a part of the calls fails (gRFC A6; R13).
//!
//! Tokens are counted in thousandths, as gRPC's C core counts them, in one atomic: every change reads and writes
//! that one number, none depends on other memory, so there is no order of steps for a model checker to search.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pool_call_policy::RetryThrottling;

/// A whole token.
const TOKEN: u32 = 1_000;

/// gRFC A6: the most tokens there can be.
const MOST_TOKENS: u32 = 1_000;

/// The tokens of a pool.
#[derive(Debug)]
pub(crate) struct Throttle {
    tokens: AtomicU32,
    max: AtomicU32,
    /// What a success gives back.
    ratio: AtomicU32,
}

impl Throttle {
    pub(crate) fn new(throttling: RetryThrottling) -> Self {
        let max = throttling.max_tokens.clamp(1, MOST_TOKENS) * TOKEN;
        Self {
            tokens: AtomicU32::new(max),
            max: AtomicU32::new(max),
            ratio: AtomicU32::new(thousandths(throttling.token_ratio)),
        }
    }

    /// Other values for the same budget: as large a part of the tokens is left as before. A call that comes in between
    /// finds old values beside new ones, which is off by a token or two, once.
    #[cfg(feature = "service-config")]
    pub(crate) fn set(&self, throttling: RetryThrottling) {
        let Self { max, ratio, .. } = Self::new(throttling);
        let (new, old) = (max.into_inner(), self.max.load(Relaxed));
        let scaled = |tokens: u32| Some((u64::from(tokens) * u64::from(new) / u64::from(old)) as u32);
        let _ = self.tokens.fetch_update(Relaxed, Relaxed, scaled);
        self.max.store(new, Relaxed);
        self.ratio.store(ratio.into_inner(), Relaxed);
    }

    /// A call that may be tried more than once succeeded.
    pub(crate) fn succeeded(&self) {
        // Full, as it mostly is, it is only read, and its cache line stays with all who read it.
        let max = self.max.load(Relaxed);
        if self.tokens.load(Relaxed) < max {
            let ratio = self.ratio.load(Relaxed);
            let more = |tokens: u32| Some(tokens.saturating_add(ratio).min(max));
            // The closure never declines.
            let _ = self.tokens.fetch_update(Relaxed, Relaxed, more);
        }
    }

    /// An attempt failed in a way that another may mend, or the server asked for no other.
    pub(crate) fn failed(&self) {
        let less = |tokens: u32| Some(tokens.saturating_sub(TOKEN));
        let _ = self.tokens.fetch_update(Relaxed, Relaxed, less);
    }

    /// Whether there may be extra attempts: more than half of the tokens are left.
    pub(crate) fn allows(&self) -> bool {
        self.tokens.load(Relaxed) > self.max.load(Relaxed) / 2
    }
}

/// Further digits are dropped, as gRFC A6 has it. The cast saturates, and no number is zero.
fn thousandths(ratio: f64) -> u32 {
    (ratio * f64::from(TOKEN) + 1e-6) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle(max_tokens: u32, token_ratio: f64) -> Throttle {
        Throttle::new(RetryThrottling::unchecked(max_tokens, token_ratio))
    }

    #[test]
    fn extra_attempts_stop_when_half_of_the_tokens_are_gone() {
        let throttle = throttle(10, 0.1);
        for _ in 0..4 {
            throttle.failed();
            assert!(throttle.allows());
        }
        throttle.failed();
        assert!(!throttle.allows(), "5 of 10 are not more than half");
        throttle.succeeded();
        assert!(throttle.allows());
    }

    #[test]
    fn tokens_neither_go_below_zero_nor_above_the_most() {
        let throttle = throttle(3, 0.5);
        (0..100).for_each(|_| throttle.failed());
        assert_eq!(throttle.tokens.load(Relaxed), 0);
        (0..100).for_each(|_| throttle.succeeded());
        assert_eq!(throttle.tokens.load(Relaxed), 3 * TOKEN);
    }

    #[cfg(feature = "service-config")]
    #[test]
    fn other_values_leave_as_large_a_part_of_the_tokens() {
        let throttle = throttle(10, 0.1);
        (0..3).for_each(|_| throttle.failed());
        throttle.set(RetryThrottling::unchecked(1_000, 0.5));
        assert_eq!(throttle.tokens.load(Relaxed), 700 * TOKEN);
        throttle.succeeded();
        assert_eq!(throttle.tokens.load(Relaxed), 700 * TOKEN + 500);
        throttle.set(RetryThrottling::unchecked(1, 0.5));
        assert_eq!((throttle.tokens.load(Relaxed), throttle.allows()), (700, true));
    }

    #[test]
    fn a_ratio_has_three_digits_after_the_point() {
        let rows = [
            (0.1, 100),
            (0.001, 1),
            (0.0019, 1),
            (1.0, 1_000),
            (0.3, 300),
            (2.5, 2_500),
        ];
        for (ratio, expected) in rows {
            assert_eq!(thousandths(ratio), expected, "{ratio}");
        }
    }
}
