use std::time::Duration;

use crate::{Codes, InvalidPolicy};

/// More attempts than this count as this many (gRFC A6).
pub const MAX_ATTEMPTS: u32 = 5;

/// The most tokens there can be (gRFC A6).
const MAX_TOKENS: u32 = 1000;

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

    /// Checks a policy. More than [`MAX_ATTEMPTS`] attempts count as that many.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pool_call_policy::{Codes, RetryPolicy};
    ///
    /// let codes = Codes::UNAVAILABLE | Codes::ABORTED;
    /// let policy = RetryPolicy::new(4, Duration::from_millis(100), Duration::from_secs(1), 2.0, codes)?;
    /// # Ok::<(), pool_call_policy::InvalidPolicy>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A single attempt, a backoff or a multiplier that is not more than zero, or no code at all.
    pub fn new(
        max_attempts: u32,
        initial_backoff: Duration,
        max_backoff: Duration,
        backoff_multiplier: f64,
        codes: Codes,
    ) -> Result<Self, InvalidPolicy> {
        let max_attempts = attempts(max_attempts)?;
        for (field, backoff) in [("initial_backoff", initial_backoff), ("max_backoff", max_backoff)] {
            if backoff.is_zero() {
                return Err(InvalidPolicy::new(
                    field,
                    "is 0: attempts would follow each other at once",
                ));
            }
        }
        if !is_positive(backoff_multiplier) {
            return Err(InvalidPolicy::new("backoff_multiplier", "is not a number above 0"));
        }
        if codes.is_empty() {
            return Err(InvalidPolicy::new("codes", "is empty: nothing would be retried"));
        }
        Ok(Self::unchecked(
            max_attempts,
            initial_backoff,
            max_backoff,
            backoff_multiplier,
            codes,
        ))
    }

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
    /// Checks a policy. More than [`MAX_ATTEMPTS`] attempts count as that many.
    ///
    /// # Errors
    ///
    /// A single attempt.
    pub fn new(max_attempts: u32, delay: Duration, non_fatal_codes: Codes) -> Result<Self, InvalidPolicy> {
        Ok(Self::unchecked(attempts(max_attempts)?, delay, non_fatal_codes))
    }

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
    /// Checks a policy. Of the ratio three decimal places count (gRFC A6).
    ///
    /// # Errors
    ///
    /// Tokens that are not in 1 to 1,000, or a ratio below a thousandth.
    pub fn new(max_tokens: u32, token_ratio: f64) -> Result<Self, InvalidPolicy> {
        if !(1..=MAX_TOKENS).contains(&max_tokens) {
            return Err(InvalidPolicy::new("max_tokens", "is not in 1..=1000"));
        }
        // 1.005 is a little less than that in binary; it is still five thousandths.
        let thousandths = (token_ratio * 1000.0 * (1.0 + 1e-12)).floor();
        if !is_positive(thousandths) {
            return Err(InvalidPolicy::new(
                "token_ratio",
                "is not a number of at least 0.001, of which three decimal places count",
            ));
        }
        Ok(Self::unchecked(max_tokens, thousandths / 1000.0))
    }

    /// A policy of values that were checked before, by generated code.
    #[doc(hidden)]
    pub const fn unchecked(max_tokens: u32, token_ratio: f64) -> Self {
        Self {
            max_tokens,
            token_ratio,
        }
    }
}

fn attempts(max_attempts: u32) -> Result<u32, InvalidPolicy> {
    match max_attempts {
        0 | 1 => Err(InvalidPolicy::new(
            "max_attempts",
            format!("is {max_attempts}: the first attempt counts, so 2 is the least"),
        )),
        _ => Ok(max_attempts.min(MAX_ATTEMPTS)),
    }
}

fn is_positive(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_policy_that_cannot_be_followed_names_its_field() {
        let zero = Duration::ZERO;
        let codes = Codes::UNAVAILABLE;
        let retry = |attempts, initial, max, multiplier, codes| {
            RetryPolicy::new(attempts, initial, max, multiplier, codes).map_err(|error| error.field())
        };
        let rows = [
            ("max_attempts", retry(0, SECOND, SECOND, 2.0, codes)),
            ("max_attempts", retry(1, SECOND, SECOND, 2.0, codes)),
            ("initial_backoff", retry(2, zero, SECOND, 2.0, codes)),
            ("max_backoff", retry(2, SECOND, zero, 2.0, codes)),
            ("backoff_multiplier", retry(2, SECOND, SECOND, 0.0, codes)),
            ("backoff_multiplier", retry(2, SECOND, SECOND, -1.0, codes)),
            ("backoff_multiplier", retry(2, SECOND, SECOND, f64::NAN, codes)),
            ("backoff_multiplier", retry(2, SECOND, SECOND, f64::INFINITY, codes)),
            ("codes", retry(2, SECOND, SECOND, 2.0, Codes::NONE)),
        ];
        for (field, made) in rows {
            assert_eq!(made, Err(field));
        }
        let hedging = HedgingPolicy::new(1, zero, Codes::NONE);
        assert_eq!(hedging.map_err(|error| error.field()), Err("max_attempts"));
    }

    #[test]
    fn more_than_five_attempts_count_as_five() {
        for (stated, counts) in [(2, 2), (5, 5), (6, 5), (u32::MAX, 5)] {
            let retry = RetryPolicy::new(stated, SECOND, SECOND, 1.0, Codes::UNAVAILABLE).unwrap();
            let hedging = HedgingPolicy::new(stated, SECOND, Codes::NONE).unwrap();
            assert_eq!((retry.max_attempts, hedging.max_attempts), (counts, counts));
        }
    }

    #[test]
    fn tokens_are_bounded_and_their_ratio_counts_in_thousandths() {
        for (tokens, ratio, field) in [
            (0, 0.1, "max_tokens"),
            (1001, 0.1, "max_tokens"),
            (10, 0.0, "token_ratio"),
            (10, -0.1, "token_ratio"),
            (10, 0.0009, "token_ratio"),
            (10, f64::NAN, "token_ratio"),
            (10, f64::INFINITY, "token_ratio"),
        ] {
            let made = RetryThrottling::new(tokens, ratio);
            assert_eq!(made.map_err(|error| error.field()), Err(field), "{tokens}, {ratio}");
        }
        for (ratio, counts) in [(0.5466, 0.546), (0.1, 0.1), (1.005, 1.005), (0.29, 0.29), (3.0, 3.0)] {
            assert_eq!(
                RetryThrottling::new(1000, ratio).unwrap().token_ratio,
                counts,
                "{ratio}"
            );
        }
    }

    #[test]
    fn what_idempotent_rpcs_get_is_valid() {
        let RetryPolicy {
            max_attempts,
            initial_backoff,
            max_backoff,
            backoff_multiplier,
            codes,
        } = RetryPolicy::IDEMPOTENT;
        let checked = RetryPolicy::new(max_attempts, initial_backoff, max_backoff, backoff_multiplier, codes);
        assert_eq!(checked, Ok(RetryPolicy::IDEMPOTENT));
    }
}
