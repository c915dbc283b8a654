//! Attempts side by side: when the next begins, and when the call is over (gRFC A6; R14).
//!
//! Decides and does nothing else: no clock, random number, lock, I/O or await.

use pool_call_policy::{HedgingPolicy, MAX_ATTEMPTS};
use tokio::time::Instant;

use super::outcome::{Facts, Pushback};
use crate::pool::config::LONGEST;

/// How far a call has got with its policy.
#[derive(Debug)]
pub(super) struct Hedge {
    policy: HedgingPolicy,
    /// Attempts that have begun.
    begun: u32,
    /// When the next begins; `None` if it waits for one to fail, or there is none.
    due: Option<Instant>,
    /// The server or the retry budget wants no more.
    stopped: bool,
}

/// What a failed attempt means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on with the other attempts, those to come included.
    GoOn,
    /// It fails as this attempt did.
    Over,
}

impl Hedge {
    pub(super) fn new(mut policy: HedgingPolicy) -> Self {
        policy.delay = policy.delay.min(LONGEST);
        Self {
            policy,
            begun: 0,
            due: None,
            stopped: false,
        }
    }

    /// Attempts that have begun.
    pub(super) fn begun(&self) -> u32 {
        self.begun
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun += 1;
        self.due = self.has_more().then(|| now + self.policy.delay);
    }

    /// The next attempt found no slot free. It is tried again after the delay; without a delay there is no pace to
    /// try at, and it waits until another attempt has failed.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.due = (!self.policy.delay.is_zero()).then(|| now + self.policy.delay);
    }

    /// No more attempts begin.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.due = None;
    }

    /// An attempt has failed while so many others are `in_flight`.
    pub(super) fn failed(
        &mut self,
        facts: Facts,
        allowed: bool,
        in_flight: usize,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Verdict {
        if facts.is_final || !self.policy.non_fatal_codes.contains(facts.code as i32) {
            self.due = None;
            return Verdict::Over;
        }
        match facts.pushback {
            Some(Pushback::Stop) => self.stop(),
            _ if !allowed => self.stop(),
            _ if !self.has_more() => self.due = None,
            Some(Pushback::After(delay)) => self.due = Some(now + delay),
            None => self.due = Some(now),
        }
        let is_in_time = |due: Instant| deadline.is_none_or(|deadline| due < deadline);
        match in_flight == 0 && !self.due.is_some_and(is_in_time) {
            true => Verdict::Over,
            false => Verdict::GoOn,
        }
    }

    fn has_more(&self) -> bool {
        !self.stopped && self.begun < self.policy.max_attempts.min(MAX_ATTEMPTS)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pool_call_policy::Codes;
    use tonic::Code;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// A failure that ends nothing.
    const NON_FATAL: Facts = Facts {
        code: Code::Unavailable,
        pushback: None,
        is_final: false,
        has_body: true,
    };

    fn hedge(max_attempts: u32, delay_ms: u64) -> Hedge {
        Hedge::new(HedgingPolicy::unchecked(max_attempts, MS(delay_ms), Codes::UNAVAILABLE))
    }

    /// A call whose first attempts have begun.
    fn begun(max_attempts: u32, attempts: u32, now: Instant) -> Hedge {
        let mut hedge = hedge(max_attempts, 100);
        (0..attempts).for_each(|_| hedge.begin(now));
        hedge
    }

    #[test]
    fn one_attempt_follows_another_after_the_delay_up_to_the_fifth() {
        let now = Instant::now();
        for (max_attempts, most) in [(2, 2), (5, 5), (6, 5), (u32::MAX, 5)] {
            let mut hedge = hedge(max_attempts, 100);
            for attempt in 1..=most {
                hedge.begin(now + MS(attempt));
                assert_eq!(u64::from(hedge.begun()), attempt);
                let next = (attempt < most).then(|| now + MS(attempt + 100));
                assert_eq!(hedge.due(), next, "{attempt} of {max_attempts}");
            }
        }
    }

    #[test]
    fn a_failure_that_is_not_fatal_brings_the_next_at_once() {
        let now = Instant::now();
        let mut hedge = begun(3, 2, now);
        let later = now + MS(30);
        assert_eq!(hedge.failed(NON_FATAL, true, 1, later, None), Verdict::GoOn);
        assert_eq!(hedge.due(), Some(later));
        hedge.begin(later);
        assert_eq!(hedge.failed(NON_FATAL, true, 1, later, None), Verdict::GoOn);
        assert_eq!(hedge.due(), None, "there is no fourth");
        assert_eq!(hedge.failed(NON_FATAL, true, 0, later, None), Verdict::Over);
    }

    #[test]
    fn a_fatal_failure_ends_the_call_whatever_else_is_under_way() {
        let now = Instant::now();
        let rows = [
            Facts {
                code: Code::Internal,
                ..NON_FATAL
            },
            Facts {
                code: Code::Internal,
                pushback: Some(Pushback::After(MS(1))),
                ..NON_FATAL
            },
            Facts {
                is_final: true,
                ..NON_FATAL
            },
        ];
        for facts in rows {
            let verdict = begun(5, 2, now).failed(facts, true, 1, now, None);
            assert_eq!(verdict, Verdict::Over, "{facts:?}");
        }
    }

    #[test]
    fn a_pushback_moves_the_next_attempt_or_forbids_it() {
        let now = Instant::now();
        let pushed = |pushback| Facts {
            pushback: Some(pushback),
            ..NON_FATAL
        };
        let mut hedge = begun(5, 2, now);
        let after = pushed(Pushback::After(MS(250)));
        assert_eq!(hedge.failed(after, true, 1, now, None), Verdict::GoOn);
        assert_eq!(hedge.due(), Some(now + MS(250)), "though the delay is shorter");

        assert_eq!(hedge.failed(pushed(Pushback::Stop), true, 1, now, None), Verdict::GoOn);
        assert_eq!(hedge.due(), None);
        assert_eq!(hedge.failed(NON_FATAL, true, 1, now, None), Verdict::GoOn);
        assert_eq!(hedge.due(), None, "once stopped, nothing brings another");
        assert_eq!(hedge.failed(NON_FATAL, true, 0, now, None), Verdict::Over);
    }

    #[test]
    fn an_empty_budget_stops_what_has_not_begun() {
        let now = Instant::now();
        let mut hedge = begun(5, 2, now);
        assert_eq!(hedge.failed(NON_FATAL, false, 1, now, None), Verdict::GoOn);
        assert_eq!(hedge.due(), None);
        assert_eq!(begun(5, 1, now).failed(NON_FATAL, false, 0, now, None), Verdict::Over);
    }

    #[test]
    fn nobody_waits_for_an_attempt_past_the_deadline() {
        let now = Instant::now();
        let deadline = Some(now + MS(100));
        let pushed = |ms| Facts {
            pushback: Some(Pushback::After(MS(ms))),
            ..NON_FATAL
        };
        for (ms, in_flight, expected) in [(99, 0, Verdict::GoOn), (100, 0, Verdict::Over), (100, 1, Verdict::GoOn)] {
            let verdict = begun(5, 2, now).failed(pushed(ms), true, in_flight, now, deadline);
            assert_eq!(verdict, expected, "{ms} {in_flight}");
        }
    }

    #[test]
    fn an_attempt_without_a_slot_is_tried_again_after_the_delay() {
        let now = Instant::now();
        let mut paced = begun(5, 1, now);
        paced.put_off(now);
        assert_eq!((paced.due(), paced.begun()), (Some(now + MS(100)), 1));

        let mut at_once = hedge(5, 0);
        at_once.begin(now);
        assert_eq!(at_once.due(), Some(now));
        at_once.put_off(now);
        assert_eq!(at_once.due(), None);
        assert_eq!(at_once.failed(NON_FATAL, true, 1, now, None), Verdict::GoOn);
        assert_eq!(at_once.due(), Some(now));
    }
}
