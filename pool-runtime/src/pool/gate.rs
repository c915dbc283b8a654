//! The count of a connection's slots: one word that takes and returns change without the pool's lock.
//!
//! ```text
//!  63         47         30                          2    1      0
//! | in flight |  limit   |       uses so far         | waiting apart |
//! ```
//!
//! Everything that decides whether a slot may be taken is in the word, so that it is decided and done in one step, and
//! no change of it is missed in between: a take that was decided before the limit fell, or before somebody began to
//! wait, does not happen.
//!
//! Two bits say that the pool has a say: callers wait for slots, or the connection is apart: it takes no more calls, or
//! closes once it is given back. They are set under the pool's lock, and then nothing is taken without it. Whoever
//! gives back sees them as of the very moment when the slot became free, and tells the pool. So no wake-up is lost:
//! who is about to wait sets the bit, and then looks for a free slot once more. A slot that came back before that is
//! found by this look; one that comes back later finds the bit. (`tests/loom` tries all interleavings.)
//!
//! Each gate has a cache line of its own: what is written so often must not slow down what lies next to it.
//!
//! Beside the word is the number of calls that failed of late. Calls that succeed only read it.

use super::atomic::{AtomicU32, AtomicU64, Ordering};

/// The most streams that are counted on a connection: 131,071. A peer or a user that allows more is held to this.
pub(crate) const MAX_IN_FLIGHT: u32 = (1 << 17) - 1;

/// The most uses that are counted. A stream id is 31 bits and odd for clients: four times as many fit.
pub(crate) const MAX_USES: u64 = (1 << 28) - 1;

const APART: u64 = 1;
const WAITING: u64 = 1 << 1;
const FLAGS: u64 = APART | WAITING;
const USE: u64 = 1 << 2;
const LIMIT: u32 = 30;
const CALL: u64 = 1 << 47;

/// See the module.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Gate {
    word: AtomicU64,
    /// The use that reaches this is the connection's last, and the pool's to hand out.
    most_uses: u64,
    /// Calls that failed of late, fading.
    faults: AtomicU32,
}

impl Gate {
    /// The gate of a connection without calls. `waiting`: callers wait for slots.
    pub(crate) fn new(limit: u32, most_uses: u64, waiting: bool) -> Self {
        let flags = if waiting { WAITING } else { 0 };
        Self {
            word: AtomicU64::new(limit_bits(limit) | flags),
            most_uses: most_uses.min(MAX_USES),
            faults: AtomicU32::new(0),
        }
    }

    /// The counts as of now.
    pub(crate) fn read(&self) -> Reading {
        Reading(self.word.load(Ordering::Acquire))
    }

    /// Whether [`Gate::try_take`] would have succeeded at that reading.
    pub(crate) fn admits(&self, reading: Reading) -> bool {
        reading.0 & FLAGS == 0 && reading.has_room() && reading.uses() + 1 < self.most_uses
    }

    /// The same of [`Gate::take`].
    pub(crate) fn has_room(&self, reading: Reading) -> bool {
        reading.has_room() && reading.uses() < self.most_uses
    }

    /// Takes a slot, unless the pool has a say in it.
    pub(crate) fn try_take(&self) -> bool {
        self.update(|reading| self.admits(reading).then(|| reading.0 + CALL + USE))
    }

    /// Gives a slot back; true if the pool must be told.
    #[must_use]
    pub(crate) fn give_back(&self) -> bool {
        let before = Reading(self.word.fetch_sub(CALL, Ordering::AcqRel));
        debug_assert!(before.in_flight() > 0, "a slot comes back that was never taken");
        before.0 & FLAGS != 0
    }

    /// Calls that failed on the connection of late.
    pub(crate) fn faults(&self) -> u32 {
        self.faults.load(Ordering::Relaxed)
    }

    /// A call failed in a way that speaks against the peer. True for the first: the connection's task must see to it
    /// that faults fade.
    pub(crate) fn add_fault(&self) -> bool {
        let more = |faults: u32| faults.checked_add(1);
        self.faults.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) == Ok(0)
    }

    /// Time has passed: half of the faults are forgotten. True if some are left.
    pub(crate) fn halve_faults(&self) -> bool {
        let half = |faults: u32| Some(faults / 2);
        let before = self.faults.fetch_update(Ordering::Relaxed, Ordering::Relaxed, half);
        before.is_ok_and(|faults| faults > 1)
    }

    // ----- under the pool's lock -----

    /// Takes a slot for whom the pool says, flags or not.
    pub(crate) fn take(&self) -> bool {
        self.update(|reading| self.has_room(reading).then(|| reading.0 + CALL + USE))
    }

    /// From now on so many streams are allowed.
    pub(crate) fn set_limit(&self, limit: u32) {
        self.update(|reading| Some(reading.0 & !limit_bits(MAX_IN_FLIGHT) | limit_bits(limit)));
    }

    /// Callers wait for slots, or do so no more.
    pub(crate) fn set_waiting(&self, waiting: bool) {
        self.set(WAITING, waiting);
    }

    /// The connection takes no more calls, or is to be closed when it is given back; or it is as any other again.
    pub(crate) fn set_apart(&self, apart: bool) {
        self.set(APART, apart);
    }

    fn set(&self, flag: u64, on: bool) {
        match on {
            true => self.word.fetch_or(flag, Ordering::AcqRel),
            false => self.word.fetch_and(!flag, Ordering::AcqRel),
        };
    }

    fn update(&self, change: impl Fn(Reading) -> Option<u64>) -> bool {
        self.word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| change(Reading(word)))
            .is_ok()
    }
}

fn limit_bits(limit: u32) -> u64 {
    u64::from(limit.min(MAX_IN_FLIGHT)) << LIMIT
}

/// What a gate says at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading(u64);

impl Reading {
    /// Slots that are out.
    pub(crate) fn in_flight(self) -> u32 {
        (self.0 / CALL) as u32
    }

    /// Slots that were taken so far.
    pub(crate) fn uses(self) -> u64 {
        (self.0 / USE) & MAX_USES
    }

    /// Slots that were taken and given back.
    pub(crate) fn completed(self) -> u64 {
        self.uses() - u64::from(self.in_flight())
    }

    /// Fewer slots are out than the limit allows.
    fn has_room(self) -> bool {
        self.in_flight() < (self.0 >> LIMIT) as u32 & MAX_IN_FLIGHT
    }

    /// What [`Gate::set_apart`] and [`Gate::set_waiting`] have set.
    #[cfg(test)]
    pub(crate) fn flags(self) -> (bool, bool) {
        (self.0 & APART != 0, self.0 & WAITING != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(gate: &Gate) -> (u32, u64) {
        (gate.read().in_flight(), gate.read().uses())
    }

    #[test]
    fn slots_are_taken_up_to_the_limit_and_come_back() {
        let gate = Gate::new(2, 100, false);
        assert_eq!([gate.try_take(), gate.try_take(), gate.try_take()], [true, true, false]);
        assert!(!gate.take(), "nor does the pool exceed the limit");
        assert!(!gate.give_back(), "nobody needs to know");
        assert!(gate.try_take());
        assert_eq!(counts(&gate), (2, 3));
    }

    #[test]
    fn a_limit_below_what_is_in_flight_takes_nothing_away() {
        let gate = Gate::new(3, 100, false);
        assert_eq!([gate.try_take(), gate.try_take(), gate.try_take()], [true; 3]);
        gate.set_limit(1);
        let takes: Vec<bool> = (0..3).map(|_| gate.give_back() | gate.try_take()).collect();
        assert_eq!(takes, [false, false, true]);
        gate.set_limit(0);
        assert!(!gate.give_back());
        assert!(!gate.try_take() && !gate.take());
        assert_eq!(counts(&gate), (0, 4));
    }

    #[test]
    fn where_the_pool_has_a_say_nothing_is_taken_without_it_and_it_hears_of_what_comes_back() {
        type Set = fn(&Gate, bool);
        let flags: [Set; 2] = [Gate::set_waiting, Gate::set_apart];
        for set in flags {
            let gate = Gate::new(9, 100, false);
            assert!(gate.try_take());
            set(&gate, true);
            assert!(!gate.try_take());
            assert!(gate.take());
            assert!(gate.give_back());
            set(&gate, false);
            assert!(!gate.give_back());
            assert!(gate.try_take());
            assert_eq!(counts(&gate), (1, 3));
        }
        assert!(
            !Gate::new(9, 100, true).try_take(),
            "a gate that is made while callers wait"
        );
    }

    #[test]
    fn the_last_use_is_the_pools_to_hand_out_and_there_is_none_after_it() {
        let gate = Gate::new(9, 2, false);
        assert!(gate.try_take());
        assert!(!gate.try_take());
        assert!(gate.take());
        assert!(!gate.take());
        assert_eq!(counts(&gate), (2, 2));
    }

    #[test]
    fn faults_fade_by_halves() {
        let gate = Gate::new(9, 100, false);
        assert!(!gate.halve_faults());
        let first: Vec<bool> = (0..5).map(|_| gate.add_fault()).collect();
        assert_eq!((first, gate.faults()), (vec![true, false, false, false, false], 5));
        let left: Vec<bool> = (0..4).map(|_| gate.halve_faults()).collect();
        assert_eq!((left, gate.faults()), (vec![true, true, false, false], 0));
        assert!(gate.add_fault(), "the next one starts anew");
    }

    #[test]
    fn counts_at_their_bounds_do_not_run_into_each_other() {
        let gate = Gate::new(u32::MAX, u64::MAX, false);
        for taken in 0..MAX_IN_FLIGHT {
            assert_eq!(counts(&gate), (taken, u64::from(taken)));
            assert!(gate.try_take());
        }
        assert!(!gate.try_take());
        gate.set_limit(0);
        gate.set_apart(true);
        assert_eq!(counts(&gate), (MAX_IN_FLIGHT, u64::from(MAX_IN_FLIGHT)));
        for _ in 0..MAX_IN_FLIGHT {
            assert!(gate.give_back());
        }
        gate.word
            .fetch_add((MAX_USES - 1 - u64::from(MAX_IN_FLIGHT)) * USE, Ordering::Relaxed);
        gate.set_limit(1);
        assert!(gate.take());
        assert_eq!(counts(&gate), (1, MAX_USES));
        assert!(!gate.give_back() || !gate.take(), "no use is left");
        assert_eq!(gate.read().flags(), (true, false));
    }
}
