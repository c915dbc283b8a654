//! What a caller gets, and what the pool as a whole is told.

use super::*;

/// What the pool is like when a caller comes.
#[derive(Debug, Clone, Copy)]
enum Pool {
    Empty,
    Dialing,
    /// The only dial has failed, and the backoff runs.
    Failing,
    /// It has failed, and the backoff is over.
    FailedBefore,
    Free,
    /// One connection of two, without a free stream.
    Full,
    /// The same, and the queue holds as many as it may.
    FullQueue,
    Closed,
}

/// What a caller gets at once.
#[derive(Debug, PartialEq, Eq)]
enum Gets {
    Slot,
    Place,
    PlaceAndDial,
    PlaceAndLaterDial,
    Nothing(Refusal),
}

impl Rig {
    fn like(pool: Pool) -> Self {
        let mut rig = Self::with(|policy| policy.max_waiters = 1);
        match pool {
            Pool::Empty => {}
            Pool::Dialing => rig.core.warm(1, rig.now, &mut rig.out),
            Pool::Failing | Pool::FailedBefore => {
                rig.core.prod(rig.now, &mut rig.out);
                rig.fail(1);
                if matches!(pool, Pool::FailedBefore) {
                    rig.pass(SECOND);
                }
            }
            Pool::Free => rig = rig.open(1),
            Pool::Full | Pool::FullQueue => {
                rig = rig.open(1);
                assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
                if matches!(pool, Pool::FullQueue) {
                    rig.queue(0).unwrap();
                }
            }
            Pool::Closed => {
                rig = rig.open(1);
                rig.core.close(SECOND, &mut rig.out);
            }
        }
        rig.out.clear();
        rig
    }

    fn call(&mut self, patient: bool) -> Gets {
        if self.take().is_some() {
            return Gets::Slot;
        }
        let place = match patient {
            true => self.queue_patient(9),
            false => self.queue(9),
        };
        match (place, &self.done()[..]) {
            (Err(refusal), []) => Gets::Nothing(refusal),
            (Ok(_), []) => Gets::Place,
            (Ok(_), [Effect::Dial { at: None, .. }]) => Gets::PlaceAndDial,
            (Ok(_), [Effect::Dial { at: Some(_), .. }]) => Gets::PlaceAndLaterDial,
            other => panic!("no caller gets {other:?}"),
        }
    }
}

#[test]
fn a_caller_gets_a_slot_a_place_in_the_queue_or_the_reason_why_not() {
    use Gets::{Nothing, Place, PlaceAndDial, PlaceAndLaterDial, Slot};
    // The pool, what a caller gets, and what one gets who waits for ready.
    let rows = [
        (Pool::Empty, PlaceAndDial, PlaceAndDial),
        (Pool::Dialing, Place, Place),
        (Pool::Failing, Nothing(Refusal::Unreachable), PlaceAndLaterDial),
        (Pool::FailedBefore, PlaceAndDial, PlaceAndDial),
        (Pool::Free, Slot, Slot),
        (Pool::Full, PlaceAndDial, PlaceAndDial),
        (
            Pool::FullQueue,
            Nothing(Refusal::QueueFull),
            Nothing(Refusal::QueueFull),
        ),
        (Pool::Closed, Nothing(Refusal::Closed), Nothing(Refusal::Closed)),
    ];
    for (pool, hasty, patient) in rows {
        assert_eq!(Rig::like(pool).call(false), hasty, "{pool:?}");
        assert_eq!(Rig::like(pool).call(true), patient, "{pool:?}, waiting for ready");
    }
}

#[test]
fn freed_slots_go_to_those_who_wait_in_order_and_not_to_those_who_gave_up() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    let places: Vec<_> = (0..3).map(|caller| rig.queue(caller).unwrap()).collect();
    rig.core.give_up(places[0]);
    assert_eq!(rig.take(), None, "nobody overtakes");
    rig.back(1);
    rig.back(1);
    assert_eq!(rig.done(), [grant(1, 1), grant(2, 1)]);
    rig.back(1);
    assert_eq!(rig.take(), Some(1), "nobody is left in the queue");
}

#[test]
fn a_raised_limit_serves_at_once_and_a_lowered_one_takes_nothing_away() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    rig.limit(1, 1);
    assert_eq!(rig.take(), Some(1));
    rig.queue(0).unwrap();
    rig.limit(1, 2);
    assert_eq!(rig.done(), [grant(0, 1)]);
    rig.limit(1, 1);
    assert_eq!(rig.core.in_flight(), 2);
    rig.queue(1).unwrap();
    rig.back(1);
    assert_eq!(rig.done(), [], "one is still in flight, and one is the limit");
    rig.back(1);
    assert_eq!(rig.done(), [grant(1, 1)]);
}

#[test]
fn an_abandoned_dial_makes_those_who_wait_ask_again() {
    let mut rig = Rig::new();
    rig.queue(0).unwrap();
    rig.queue_patient(1).unwrap();
    rig.done();
    rig.core.dial_abandoned(1, &mut rig.out);
    assert_eq!(rig.done(), [refuse(0, Refusal::AskAgain), refuse(1, Refusal::AskAgain)]);
    rig.core.dial_abandoned(1, &mut rig.out);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [dial(2)], "whoever asks again has it dialled anew");
}

#[test]
fn lowering_the_maximum_drains_idle_connections_first_and_cuts_nothing() {
    let mut rig = Rig::with(|policy| policy.max_connections = 3).open(3);
    assert_eq!([rig.take(), rig.take(), rig.take()], [Some(1), Some(2), Some(3)]);
    rig.back(2);
    rig.resize(0, 1);
    assert_eq!(
        rig.done(),
        [drain(2, CloseReason::Resized), drain(1, CloseReason::Resized)]
    );
    assert_eq!(rig.core.in_flight(), 2);
}

#[test]
fn raising_the_maximum_dials_for_those_who_wait() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    for caller in 0..4 {
        rig.queue(caller).unwrap();
    }
    rig.resize(0, 2);
    assert_eq!(rig.done(), [dial(2)]);
    rig.resize(0, 9);
    assert_eq!(rig.done(), [dial(3)]);
}

#[test]
fn connections_asked_for_are_dialled_and_kept_until_nobody_asks() {
    let mut rig = Rig::new();
    rig.core.warm(2, rig.now, &mut rig.out);
    rig.core.warm(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), [dial(1), dial(2)]);
    rig.up(1, NO_LIMIT);
    rig.up(2, NO_LIMIT);
    rig.pass(IDLE_TIMEOUT);
    assert_eq!(rig.look(1), Some(rig.now + IDLE_LOOK));
    rig.core.unwarm(2);
    assert_eq!(rig.look(1), None);
    assert_eq!(rig.look(2), Some(rig.now + IDLE_LOOK));
    assert_eq!(rig.done(), [drain(1, CloseReason::Idle)]);
}

#[test]
fn a_peer_that_takes_connections_and_hangs_up_is_not_dialled_without_pause() {
    let mut rig = Rig::new();
    rig.queue_patient(0).unwrap();
    rig.up(1, NO_LIMIT);
    rig.lose(1);
    // Once is an accident.
    assert_eq!(rig.done(), [dial(1), grant(0, 1), dial(2)]);
    rig.queue_patient(0).unwrap();
    rig.up(2, NO_LIMIT);
    rig.lose(2);
    assert_eq!(rig.done(), [grant(0, 2), dial_at(3, rig.now + SECOND)]);
    rig.up(3, NO_LIMIT);
    assert_eq!(rig.take(), Some(3));
    rig.answer(3);
    rig.lose(3);
    rig.queue_patient(0).unwrap();
    assert_eq!(rig.done(), [dial(4)], "the peer answers calls");
}

#[test]
fn runtimes_that_end_one_after_the_other_are_not_held_against_the_peer() {
    let mut rig = Rig::new();
    for connection in 1..=3 {
        rig.queue_patient(0).unwrap();
        rig.up(connection, NO_LIMIT);
        assert_eq!(
            rig.end(connection, CloseReason::RuntimeGone),
            1,
            "the call in flight is cut"
        );
        assert_eq!(rig.done(), [dial(connection), grant(0, connection)]);
    }
}

#[test]
fn closing_tells_those_who_wait_and_nothing_is_dialled_or_kept_from_then_on() {
    let mut rig = Rig::new().open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [dial(2)]);
    rig.core.close(SECOND, &mut rig.out);
    let order = Effect::Drain {
        connection: 1,
        reason: CloseReason::PoolClosed,
        cut_after: Some(SECOND),
    };
    assert_eq!(rig.done(), [refuse(0, Refusal::Closed), order]);
    assert!(!rig.core.dial_starts(2, rig.now));
    assert_eq!(rig.up(2, NO_LIMIT), None, "a dial that came up late");
    rig.back(1);
    rig.lose(1);
    rig.resize(1, 2);
    rig.core.prod(rig.now, &mut rig.out);
    rig.core.warm(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), []);
    assert_eq!((rig.core.dials(), rig.core.entries().len()), (0, 0));
    assert_eq!(rig.core.totals().cut, 1);
}

/// A slot comes back at its connection's gate before the core hears of it.
#[test]
fn nobody_overtakes_those_who_wait() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    let _ = rig.core.entries()[0].gate.give_back();
    assert_eq!(rig.take(), None);
    rig.core.returned(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), [grant(0, 1)]);
}
