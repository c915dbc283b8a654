//! Every state of a connection with every event that can befall it.

use super::*;
use crate::pool::event::ConnectionState;

/// The states, as columns of the table.
#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Busy,
    /// Past its lifetime, with a call, its replacement being dialled.
    Retiring,
    /// Told to go by the peer, with a call, its replacement being dialled.
    Draining,
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Same,
    Retiring,
    Draining(CloseReason),
    /// It was draining before, and is told once more.
    DrainingAgain(CloseReason),
    Gone,
}

/// That, and how many dials follow at once.
type Outcome = (Becomes, usize);

const STATES: [State; 4] = [State::Idle, State::Busy, State::Retiring, State::Draining];

impl Rig {
    /// A pool with one connection, number 1, in that state, a while after it was opened. Dial 2 is the next, or the
    /// one of the replacement.
    fn in_state(state: State) -> Self {
        let mut rig = Self::new().open(1);
        rig.pass(2 * SECOND);
        match state {
            State::Idle => {}
            State::Busy => assert_eq!(rig.take(), Some(1)),
            State::Retiring => {
                assert_eq!(rig.take(), Some(1));
                rig.pass(LIFETIME);
                rig.look(1);
                assert!(rig.core.dial_starts(2, rig.now));
            }
            State::Draining => {
                assert_eq!(rig.take(), Some(1));
                rig.go_away(1);
                assert!(rig.core.dial_starts(2, rig.now));
            }
        }
        rig.out.clear();
        rig
    }

    fn state(&self) -> Option<ConnectionState> {
        let entry = self.core.entries().iter().find(|entry| entry.id == 1);
        entry.map(|entry| entry.state)
    }

    fn outcome(&mut self, event: Input) -> Outcome {
        let before = self.state();
        event(self);
        let done = self.done();
        let drained = done.iter().find_map(|effect| match effect {
            Effect::Drain {
                connection: 1, reason, ..
            } => Some(*reason),
            _ => None,
        });
        let dials = done
            .iter()
            .filter(|effect| matches!(effect, Effect::Dial { .. }))
            .count();
        let becomes = match (before, self.state(), drained) {
            (_, None, None) => Becomes::Gone,
            (Some(ConnectionState::Draining), Some(ConnectionState::Draining), Some(reason)) => {
                Becomes::DrainingAgain(reason)
            }
            (_, Some(ConnectionState::Draining), Some(reason)) => Becomes::Draining(reason),
            (before, after, None) if before == after => Becomes::Same,
            (_, Some(ConnectionState::Retiring), None) => Becomes::Retiring,
            other => panic!("no such change of state: {other:?}"),
        };
        (becomes, dials)
    }
}

#[test]
fn every_event_leads_every_state_where_it_should() {
    use Becomes::{Draining, DrainingAgain, Gone, Retiring, Same};
    use CloseReason::{Broken, GoAway, Idle, Lifetime, PoolClosed, Resets, UsedUp};

    #[rustfmt::skip]
    let table: [(&str, Input, [Outcome; 4]); 16] = [
        // What happens                                  idle                busy                retiring            draining
        ("a call", |rig| { rig.take(); },                [(Same, 0),             (Same, 0),             (Same, 0),             (Same, 0)]),
        ("its last allowed call", last_call,             [(Draining(UsedUp), 0), (Draining(UsedUp), 0), (Draining(UsedUp), 0), (Same, 0)]),
        ("a call and its end", |rig| { rig.take(); rig.back(1); },
                                                         [(Same, 0),             (Same, 0),             (Same, 0),             (Same, 0)]),
        ("a cut", |rig| cut(rig, 1),                     [(Same, 0),             (Same, 0),             (Same, 0),             (Same, 0)]),
        ("the last cut", |rig| cut(rig, MAX_RESETS.count),     [(Draining(Resets), 0), (Draining(Resets), 0), (Draining(Resets), 0), (Same, 0)]),
        ("no more streams", |rig| rig.limit(1, 0),       [(Same, 0),             (Same, 0),             (Same, 0),             (Same, 0)]),
        ("more streams", |rig| rig.limit(1, NO_LIMIT),   [(Same, 0),             (Same, 0),             (Same, 0),             (Same, 0)]),
        ("GOAWAY", |rig| rig.go_away(1),                 [(Draining(GoAway), 0), (Draining(GoAway), 1), (Draining(GoAway), 0), (Same, 0)]),
        ("its holder's word", broken,                    [(Draining(Broken), 0), (Draining(Broken), 1), (Draining(Broken), 0), (Same, 0)]),
        ("its end", |rig| rig.lose(1),                   [(Gone, 0),             (Gone, 1),             (Gone, 0),             (Gone, 0)]),
        ("a look", |rig| { rig.look(1); },               [(Same, 0),             (Same, 0),             (Same, 0),             (Same, 0)]),
        ("a look when idle", |rig| later(rig, IDLE_TIMEOUT),
                                                         [(Draining(Idle), 0),   (Same, 0),             (Same, 0),             (Same, 0)]),
        ("a look when expired", |rig| later(rig, LIFETIME),
                                                         [(Draining(Lifetime), 0), (Retiring, 1),       (Same, 0),             (Same, 0)]),
        ("another comes up", |rig| { rig.up(2, NO_LIMIT); },
                                                         [(Same, 0),             (Same, 0),             (Draining(Lifetime), 0), (Same, 0)]),
        ("a dial fails", |rig| rig.fail(2),              [(Same, 0),             (Same, 0),             (Same, 1),             (Same, 0)]),
        ("close", close,                                 [(Draining(PoolClosed), 0), (Draining(PoolClosed), 0), (Draining(PoolClosed), 0), (DrainingAgain(PoolClosed), 0)]),
    ];
    for (what, event, outcomes) in table {
        for (state, expected) in STATES.into_iter().zip(outcomes) {
            assert_eq!(Rig::in_state(state).outcome(event), expected, "{what}, {state:?}");
        }
    }
}

fn last_call(rig: &mut Rig) {
    rig.core.policy.max_total_uses = Some(1);
    rig.take();
}

fn cut(rig: &mut Rig, times: u32) {
    for _ in 0..times {
        rig.core.stream_cut(1, rig.now, &mut rig.out);
    }
}

fn broken(rig: &mut Rig) {
    rig.core
        .going_away(1, CloseReason::Broken, false, rig.now, 0.5, &mut rig.out);
}

fn later(rig: &mut Rig, time: Duration) {
    rig.pass(time);
    rig.look(1);
}

fn close(rig: &mut Rig) {
    rig.core.close(SECOND, &mut rig.out);
}

#[test]
fn what_is_told_of_a_connection_that_is_gone_changes_nothing() {
    let events: [Input; 7] = [
        |rig| rig.back(1),
        |rig| cut(rig, MAX_RESETS.count),
        |rig| rig.limit(1, 0),
        |rig| rig.go_away(1),
        broken,
        |rig| rig.lose(1),
        |rig| {
            rig.look(1);
        },
    ];
    for event in events {
        let mut rig = Rig::new().open(2);
        assert_eq!([rig.take(), rig.take(), rig.take()], [Some(1), Some(2), Some(1)]);
        rig.lose(1);
        rig.up(3, NO_LIMIT);
        rig.out.clear();
        event(&mut rig);
        assert_eq!(rig.done(), []);
        let left = rig.core.entries().iter().map(|entry| (entry.id, entry.in_flight()));
        assert_eq!(left.collect::<Vec<_>>(), [(2, 1), (3, 0)]);
    }
}

#[test]
fn only_a_connection_that_its_holder_calls_broken_is_cut_in_the_end() {
    let mut rig = Rig::in_state(State::Busy);
    broken(&mut rig);
    let cut_after = Some(rig.core.policy().drain_timeout);
    let reason = CloseReason::Broken;
    let order = Effect::Drain {
        connection: 1,
        reason,
        cut_after,
    };
    assert_eq!(rig.done(), [order, dial(2)]);
}
