//! How busy a connection's task is.
//!
//! A connection is one task, so it is good for one core's worth of HTTP/2 and no more. A client with many cores and few
//! connections runs into that long before it runs out of streams; the pool then opens another connection.

use std::time::Duration;

use tokio::time::Instant;

/// What the share is taken over.
const WINDOW: Duration = Duration::from_secs(1);

/// One of so many turns is timed, and stands for all of them: two looks at the clock in each would cost a connection
/// with one call at a time two per cent.
const SAMPLE: u32 = 16;

/// From this share on, in per cent, the task has no time left to speak of; below the other it has again.
const SATURATED: u128 = 80;
const RELAXED: u128 = 50;

/// The share of its time that a connection's task spends in its turns.
#[derive(Debug)]
pub(crate) struct Load {
    since: Instant,
    busy: Duration,
    turns: u32,
    saturated: bool,
}

impl Load {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            busy: Duration::ZERO,
            turns: 0,
            saturated: false,
        }
    }

    /// A turn begins; whether it is to be timed.
    pub(crate) fn samples(&mut self) -> bool {
        self.turns = self.turns.wrapping_add(1);
        self.turns.is_multiple_of(SAMPLE)
    }

    /// A turn was timed. Tells whether the task is saturated, if that has changed.
    pub(crate) fn turn(&mut self, began: Instant, ended: Instant) -> Option<bool> {
        self.busy += ended.duration_since(began);
        self.judge(ended)
    }

    /// The same without a turn: one that has had none for long is not saturated any more.
    pub(crate) fn judge(&mut self, now: Instant) -> Option<bool> {
        let window = now.duration_since(self.since);
        if window < WINDOW {
            return None;
        }
        let share = self.busy.as_nanos() * u128::from(SAMPLE) * 100 / window.as_nanos();
        (self.since, self.busy) = (now, Duration::ZERO);
        let saturated = share >= if self.saturated { RELAXED } else { SATURATED };
        (std::mem::replace(&mut self.saturated, saturated) != saturated).then_some(saturated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many timed turns, one behind the other, each `busy` out of `every`; what was told of them.
    fn run(load: &mut Load, now: &mut Instant, turns: u32, busy: Duration, every: Duration) -> Vec<bool> {
        let mut told = Vec::new();
        for _ in 0..turns {
            told.extend(load.turn(*now, *now + busy));
            // The turns in between are not timed, but take as long.
            *now += every * SAMPLE;
        }
        told
    }

    #[test]
    fn a_task_is_saturated_when_its_turns_fill_a_second_and_until_they_fill_half_of_one() {
        let us = Duration::from_micros;
        let mut now = Instant::now();
        let mut load = Load::new(now);
        assert_eq!(run(&mut load, &mut now, 2_000, us(75), us(100)), [false; 0]);
        assert_eq!(run(&mut load, &mut now, 2_000, us(95), us(100)), [true]);
        assert_eq!(run(&mut load, &mut now, 2_000, us(60), us(100)), [false; 0]);
        assert_eq!(run(&mut load, &mut now, 2_000, us(40), us(100)), [false]);
    }

    #[test]
    fn a_task_without_turns_relaxes() {
        let mut now = Instant::now();
        let mut load = Load::new(now);
        let us = Duration::from_micros;
        assert_eq!(run(&mut load, &mut now, 2_000, us(95), us(100)), [true]);
        assert_eq!(load.judge(now + Duration::from_secs(60)), Some(false));
    }

    #[test]
    fn one_of_sixteen_turns_is_timed() {
        let mut load = Load::new(Instant::now());
        let timed = (0..160).filter(|_| load.samples()).count();
        assert_eq!(timed, 10);
    }
}
