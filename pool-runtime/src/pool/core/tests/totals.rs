//! The counts of the core, and the state that it shows.

use super::*;

#[test]
fn totals_count_each_event_once() {
    let mut rig = Rig::new();
    type Row = (&'static str, Input, fn(&mut Totals));
    let rows: [Row; 10] = [
        (
            "two wait",
            |rig| [0, 1].into_iter().for_each(|caller| assert!(rig.queue(caller).is_ok())),
            |n| n.waited += 2,
        ),
        (
            "a failed dial",
            |rig| rig.fail(1),
            |n| {
                n.failed_dials += 1;
                n.refused += 2;
            },
        ),
        (
            "one too early",
            |rig| assert!(rig.queue(2).is_err()),
            |n| n.refused += 1,
        ),
        (
            "one that waits for ready",
            |rig| assert!(rig.queue_patient(3).is_ok()),
            |n| n.waited += 1,
        ),
        (
            "an abandoned dial",
            |rig| rig.core.dial_abandoned(2, &mut rig.out),
            |n| {
                n.abandoned_dials += 1;
                n.refused += 1;
            },
        ),
        (
            "a dial that is gone",
            |rig| rig.core.dial_abandoned(2, &mut rig.out),
            |_| {},
        ),
        ("connections", |rig| rig.open_all(2), |n| n.opened += 2),
        (
            "three calls",
            |rig| assert_eq!(rig.take_all(3), 3),
            |n| n.checkouts += 3,
        ),
        ("the end of one", |rig| rig.back(1), |n| n.completed += 1),
        // Each had two calls or one, and one of those has ended.
        (
            "two ends",
            |rig| [1, 2].into_iter().for_each(|id| rig.lose(id)),
            |n| {
                n.closed += 2;
                n.cut += 2;
            },
        ),
    ];
    let mut expected = Totals::default();
    for (what, event, adds) in rows {
        event(&mut rig);
        adds(&mut expected);
        let totals = rig.core.totals();
        assert_eq!(format!("{totals:?}"), format!("{expected:?}"), "{what}");
    }
}

impl Rig {
    /// Opens so many connections.
    fn open_all(&mut self, n: usize) {
        self.pass(LIFETIME);
        self.core.warm(n, self.now, &mut self.out);
        // After failures there is one dial at first.
        while let Some(id) = self.core.dials.first().map(|dial| dial.id) {
            self.up(id, NO_LIMIT);
        }
        self.core.unwarm(n);
        assert_eq!(self.core.serving(), n);
    }

    /// Takes so many slots, if they are free.
    fn take_all(&mut self, n: usize) -> usize {
        (0..n).filter_map(|_| self.take()).count()
    }
}

/// Threads that remember the connections go by it.
#[test]
fn each_change_of_connections_is_a_new_version() {
    let mut rig = Rig::new();
    let mut versions = vec![rig.core.version()];
    for connection in 1..=3 {
        rig.queue(0).unwrap();
        rig.up(connection, NO_LIMIT);
        versions.push(rig.core.version());
        rig.answer(connection);
        versions.push(rig.core.version());
        assert_eq!(versions.pop(), versions.last().copied(), "calls change nothing");
        rig.lose(connection);
        versions.push(rig.core.version());
    }
    let distinct: std::collections::HashSet<_> = versions.iter().collect();
    assert_eq!(distinct.len(), 7, "{versions:?}");
}

#[test]
fn a_closed_core_gives_nothing() {
    let mut rig = Rig::new().open(1);
    assert!(!rig.core.is_closed());
    rig.core.close(SECOND, &mut rig.out);
    assert!(rig.core.is_closed());
    assert_eq!(rig.take(), None);
}

#[test]
fn a_prod_opens_the_first_connection() {
    let mut rig = Rig::new();
    let prod: Input = |rig| rig.core.prod(rig.now, &mut rig.out);
    prod(&mut rig);
    assert_eq!(rig.done(), [dial(1)]);
    prod(&mut rig);
    assert_eq!(rig.done(), [], "one is under way");
    rig.up(1, NO_LIMIT);
    prod(&mut rig);
    assert_eq!(rig.done(), [], "one is there");
}

/// A connection that has been used is idle from the first look at which it has no call.
#[test]
fn idleness_begins_when_it_is_seen() {
    let mut rig = Rig::new().open(1);
    let opened = rig.now;
    let idle: fn(&Rig) -> Option<Instant> = |rig| rig.core.entries()[0].idle_since();
    assert_eq!(idle(&rig), Some(opened));
    assert_eq!(rig.take(), Some(1));
    rig.core.see_idle(rig.now);
    assert_eq!(idle(&rig), None, "it has a call");
    rig.pass(SECOND);
    let _ = rig.core.entries()[0].gate.give_back();
    assert_eq!(idle(&rig), None, "nobody has seen it yet");
    rig.pass(SECOND);
    rig.core.see_idle(rig.now);
    assert_eq!(idle(&rig), Some(opened + 2 * SECOND));
    rig.pass(SECOND);
    rig.core.see_idle(rig.now);
    assert_eq!(idle(&rig), Some(opened + 2 * SECOND), "it is idle still");
}

/// The second GOAWAY of a connection, and a lease's `mark_broken`, are no failures of its address.
#[test]
fn an_end_is_judged_once() {
    let again: [Input; 2] = [
        |rig| rig.go_away(1),
        |rig| {
            let out = &mut rig.out;
            rig.core.going_away(2, CloseReason::Broken, false, rig.now, 0.5, out);
        },
    ];
    for again in again {
        let mut rig = Rig::new();
        for caller in 0..3 {
            rig.queue(caller).unwrap();
        }
        rig.up(1, NO_LIMIT);
        rig.up(2, NO_LIMIT);
        rig.go_away(1);
        again(&mut rig);
        assert!(!rig.core.is_backing_off(rig.now));
    }
}
