use std::time::Duration;

use crate::Codes;

/// More attempts than this count as this many (gRFC A6).
pub const MAX_ATTEMPTS: u32 = 5;

/// What a call may do beyond its first attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attempts {
    /// One after the other.
    Retry(RetryPolicy),
    /// Side by side.
    Hedge(HedgingPolicy),
}

/// Attempts one after the other: the n-th waits `min(initial * multiplier^(n-1), max)`, times 0.8 to 1.2 at random
/// (gRFC A6).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The first attempt included; from 2 to [`MAX_ATTEMPTS`].
    pub max_attempts: u32,
    /// The delay before the second attempt; more than zero.
    pub initial_backoff: Duration,
    /// The longest delay; more than zero.
    pub max_backoff: Duration,
    /// By which the delay grows; more than zero.
    pub backoff_multiplier: f64,
    /// The codes that are worth another attempt; at least one.
    pub codes: Codes,
}

/// Attempts side by side: one more after each delay, until one succeeds (gRFC A6).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HedgingPolicy {
    /// The first attempt included; from 2 to [`MAX_ATTEMPTS`].
    pub max_attempts: u32,
    /// Between one attempt and the next; zero sends all at once.
    pub delay: Duration,
    /// Codes that do not end the call: the next attempt starts at once.
    pub non_fatal_codes: Codes,
}

/// When a pool stops retrying and hedging because too many calls fail (gRFC A6): tokens start at the most there can
/// be, each failure takes one, each success gives `token_ratio` back, and there are extra attempts only while more
/// than half are left.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RetryThrottling {
    /// Tokens at most; from 1 to 1,000.
    pub max_tokens: u32,
    /// What a success gives back; more than zero, and counted in thousandths.
    pub token_ratio: f64,
}

impl RetryPolicy {
    /// What an RPC gets that is declared idempotent, and of which nothing else is said: 3 attempts, after 100 ms and
    /// 200 ms, for `UNAVAILABLE` only.
    pub const IDEMPOTENT: Self = Self::unchecked(
        3,
        Duration::from_millis(100),
        Duration::from_secs(1),
        2.0,
        Codes::UNAVAILABLE,
    );

    /// A policy of values that were checked before, by generated code.
    #[doc(hidden)]
    pub const fn unchecked(
        max_attempts: u32,
        initial_backoff: Duration,
        max_backoff: Duration,
        backoff_multiplier: f64,
        codes: Codes,
    ) -> Self {
        Self {
            max_attempts,
            initial_backoff,
            max_backoff,
            backoff_multiplier,
            codes,
        }
    }
}

impl HedgingPolicy {
    /// A policy of values that were checked before, by generated code.
    #[doc(hidden)]
    pub const fn unchecked(max_attempts: u32, delay: Duration, non_fatal_codes: Codes) -> Self {
        Self {
            max_attempts,
            delay,
            non_fatal_codes,
        }
    }
}

impl RetryThrottling {
    /// A policy of values that were checked before, by generated code.
    #[doc(hidden)]
    pub const fn unchecked(max_tokens: u32, token_ratio: f64) -> Self {
        Self {
            max_tokens,
            token_ratio,
        }
    }
}
