//! Attempts one after the other: whether there is another, and when (gRFC A6; R9 to R13).
//!
//! Decides and does nothing else: no clock, random number, lock, I/O or await.

use std::time::Duration;

use pool_call_policy::{Codes, MAX_ATTEMPTS, RetryPolicy};

use super::outcome::{Facts, Pushback};
use crate::pool::config::LONGEST;

/// How far a call has got with its policy.
#[derive(Debug)]
pub(super) struct Retry<'a> {
    policy: &'a RetryPolicy,
    /// Attempts that have failed.
    made: u32,
    /// Delays since the backoff began, or began anew.
    delays: u32,
    /// The delay before another attempt that there is not, because it reaches to the deadline.
    too_late: Option<Duration>,
}

/// What the decision needs to know beyond the failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    /// The retry budget allows it.
    pub(super) allowed: bool,
    /// Until the call's deadline.
    pub(super) left: Option<Duration>,
    /// Uniform in 0..1.
    pub(super) random: f64,
}

impl<'a> Retry<'a> {
    pub(super) fn new(policy: &'a RetryPolicy) -> Self {
        Self {
            policy,
            made: 0,
            delays: 0,
            too_late: None,
        }
    }

    /// What is worth another attempt.
    pub(super) fn codes(&self) -> Codes {
        self.policy.codes
    }

    /// Attempts that have failed.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// The delay before another attempt, if there was none for the deadline alone.
    pub(super) fn too_late(&self) -> Option<Duration> {
        self.too_late
    }

    /// An attempt has failed: the delay before the next, or `None` if it was the last.
    ///
    /// A delay that reaches to the deadline is none: the caller learns at once what the attempt failed with. (gRPC's
    /// other clients wait for the deadline then, and say DEADLINE_EXCEEDED; this tells more, and sooner.)
    pub(super) fn failed(&mut self, facts: Facts, around: Surroundings) -> Option<Duration> {
        self.made += 1;
        let may_go_on = !facts.is_final
            && facts.has_body
            && self.policy.codes.contains(facts.code as i32)
            && self.made < self.policy.max_attempts.min(MAX_ATTEMPTS)
            && around.allowed;
        if !may_go_on {
            return None;
        }
        let delay = match facts.pushback {
            Some(Pushback::Stop) => return None,
            Some(Pushback::After(delay)) => {
                self.delays = 0;
                delay
            }
            None => {
                self.delays += 1;
                delay(self.policy, self.delays, around.random)
            }
        };
        if around.left.is_some_and(|left| delay >= left) {
            self.too_late = Some(delay);
            return None;
        }
        Some(delay)
    }
}

/// The n-th delay, n from 1: `min(initial * multiplier^(n-1), max)`, and a fifth more or less at random.
fn delay(policy: &RetryPolicy, n: u32, random: f64) -> Duration {
    let exponent = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
    let exact = policy.initial_backoff.as_secs_f64() * policy.backoff_multiplier.powi(exponent);
    let most = policy.max_backoff.as_secs_f64();
    let spread = 0.8 + 0.4 * random;
    // What does not fit was not meant to end.
    Duration::try_from_secs_f64(exact.min(most) * spread).map_or(LONGEST, |delay| delay.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn policy(max_attempts: u32) -> RetryPolicy {
        let codes = Codes::UNAVAILABLE.with(Code::Aborted as u8);
        RetryPolicy::unchecked(max_attempts, MS(100), MS(350), 2.0, codes)
    }

    /// An attempt that is worth another.
    const FACTS: Facts = Facts {
        code: Code::Unavailable,
        pushback: None,
        is_final: false,
        has_body: true,
    };

    /// Nothing in the way, and a delay that is exact.
    const AROUND: Surroundings = Surroundings {
        allowed: true,
        left: None,
        random: 0.5,
    };

    #[test]
    fn delays_grow_to_the_longest_and_attempts_end_with_the_fifth() {
        for (max_attempts, delays) in [(2, 1), (3, 2), (5, 4), (6, 4), (u32::MAX, 4)] {
            let policy = policy(max_attempts);
            let mut retry = Retry::new(&policy);
            for expected in [100, 200, 350, 350].into_iter().take(delays) {
                assert_eq!(retry.failed(FACTS, AROUND), Some(MS(expected)));
            }
            assert_eq!(retry.failed(FACTS, AROUND), None, "{max_attempts}");
            assert_eq!(retry.made() as usize, delays + 1);
        }
    }

    #[test]
    fn a_delay_is_a_fifth_more_or_less_than_the_exact_one_even_at_the_longest() {
        let rows = [(1, 0.0, 80), (1, 1.0, 120), (2, 0.0, 160), (4, 0.0, 280), (4, 1.0, 420)];
        for (n, random, expected) in rows {
            let delay = delay(&policy(5), n, random);
            assert!(
                delay.abs_diff(MS(expected)) < Duration::from_micros(1),
                "{n} {random} {delay:?}"
            );
        }
    }

    #[test]
    fn no_policy_overflows_a_duration() {
        let wild = [0.001, 1.0, f64::MAX];
        for multiplier in wild {
            let policy = RetryPolicy::unchecked(5, Duration::MAX, Duration::MAX, multiplier, Codes::UNAVAILABLE);
            for n in [1, 2, 4, u32::MAX] {
                assert!(delay(&policy, n, 1.0) <= LONGEST);
            }
        }
    }

    #[test]
    fn what_stands_against_another_attempt_stops() {
        let facts = [
            Facts {
                code: Code::Internal,
                ..FACTS
            },
            Facts {
                code: Code::Ok,
                ..FACTS
            },
            Facts {
                is_final: true,
                ..FACTS
            },
            Facts {
                has_body: false,
                ..FACTS
            },
            Facts {
                pushback: Some(Pushback::Stop),
                ..FACTS
            },
            Facts {
                code: Code::Internal,
                pushback: Some(Pushback::After(MS(1))),
                ..FACTS
            },
        ];
        for facts in facts {
            assert_eq!(Retry::new(&policy(5)).failed(facts, AROUND), None, "{facts:?}");
        }
        let around = [
            Surroundings {
                allowed: false,
                ..AROUND
            },
            Surroundings {
                left: Some(MS(0)),
                ..AROUND
            },
            Surroundings {
                left: Some(MS(100)),
                ..AROUND
            },
        ];
        for around in around {
            assert_eq!(Retry::new(&policy(5)).failed(FACTS, around), None, "{around:?}");
        }
        let just = Surroundings {
            left: Some(MS(101)),
            ..AROUND
        };
        assert_eq!(Retry::new(&policy(5)).failed(FACTS, just), Some(MS(100)));
        let aborted = Facts {
            code: Code::Aborted,
            ..FACTS
        };
        assert_eq!(Retry::new(&policy(5)).failed(aborted, AROUND), Some(MS(100)));
    }

    #[test]
    fn a_pushback_is_exact_and_the_backoff_starts_over_after_it() {
        let pushed = |ms| Facts {
            pushback: Some(Pushback::After(MS(ms))),
            ..FACTS
        };
        let around = Surroundings { random: 1.0, ..AROUND };
        let five = policy(5);
        let mut retry = Retry::new(&five);
        assert_eq!(retry.failed(FACTS, AROUND), Some(MS(100)));
        assert_eq!(retry.failed(FACTS, AROUND), Some(MS(200)));
        assert_eq!(
            retry.failed(pushed(1_234), around),
            Some(MS(1_234)),
            "longer than the longest"
        );
        assert_eq!(retry.failed(FACTS, AROUND), Some(MS(100)));
        assert_eq!(retry.failed(pushed(0), around), None, "the fifth was the last");

        let late = Surroundings {
            left: Some(MS(10)),
            ..AROUND
        };
        assert_eq!(Retry::new(&policy(5)).failed(pushed(10), late), None);
        assert_eq!(Retry::new(&policy(5)).failed(pushed(0), late), Some(MS(0)));
    }
}
