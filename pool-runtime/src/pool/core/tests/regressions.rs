//! Ways in which the core once went wrong.

use super::*;

#[test]
fn dials_that_fail_together_count_as_one_failure() {
    let mut rig = Rig::with(|policy| policy.max_connections = 10);
    for caller in 0..20 {
        rig.queue(caller).unwrap();
    }
    assert_eq!(rig.core.dials(), 10);
    rig.done();
    for id in 1..10 {
        rig.fail(id);
        assert_eq!(rig.done(), [], "others are on their way");
    }
    rig.fail(10);
    assert_eq!(rig.done().len(), 20, "all have learnt of it");
    rig.pass(SECOND);
    assert_eq!(rig.queue(99), Ok(20), "the backoff of one failure is over");
    assert_eq!(rig.done(), [dial(11)]);
    rig.fail(11);
    assert_eq!(rig.queue(99), Err(Refusal::Unreachable));
    rig.pass(SECOND.mul_f64(1.6));
    assert_eq!(rig.queue(99), Ok(21), "the backoff of two failures is over");
}

#[test]
fn losing_the_last_connection_during_the_backoff_tells_those_who_do_not_wait_for_ready() {
    let ways: [Input; 2] = [|rig| rig.lose(1), |rig| rig.go_away(1)];
    for lose in ways {
        let mut rig = Rig::new().open(1);
        assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
        rig.queue(7).unwrap();
        rig.queue_patient(8).unwrap();
        assert_eq!(rig.done(), [dial(2)]);
        rig.fail(2);
        let retry = rig.now + SECOND;
        assert_eq!(
            rig.done(),
            [dial_at(3, retry)],
            "a connection serves: there is still something to wait for"
        );
        lose(&mut rig);
        let told = rig
            .done()
            .into_iter()
            .filter(|effect| matches!(effect, Effect::Refuse { .. }));
        assert_eq!(told.collect::<Vec<_>>(), [refuse(7, Refusal::Unreachable)]);
    }
}

#[test]
fn a_connection_that_comes_up_past_a_lowered_maximum_is_not_kept() {
    let mut rig = Rig::new();
    for caller in 0..4 {
        rig.queue(caller).unwrap();
    }
    assert_eq!(rig.done(), [dial(1), dial(2)]);
    rig.resize(0, 1);
    rig.up(1, NO_LIMIT);
    assert_eq!(rig.done(), [grant(0, 1), grant(1, 1)]);
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [drain(2, CloseReason::Resized)]);
    assert_eq!((rig.core.serving(), rig.core.waiting()), (1, 2));
}

#[test]
fn a_connection_past_the_maximum_that_nobody_needs_any_more_is_not_kept() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 1;
        policy.overflow = Overflow::Loose { max_extra: 1 };
    })
    .open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [dial(2)]);
    rig.back(1);
    assert_eq!(rig.done(), [grant(0, 1)]);
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [drain(2, CloseReason::Surplus)]);
}

#[test]
fn a_connection_past_the_maximum_closes_when_it_is_given_back() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 1;
        policy.overflow = Overflow::Loose { max_extra: 1 };
    })
    .open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    rig.queue(1).unwrap();
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [dial(2), grant(0, 2), grant(1, 2)]);
    rig.back(2);
    assert_eq!(rig.done(), [], "a call is still on it");
    rig.back(2);
    assert_eq!(rig.done(), [drain(2, CloseReason::Surplus)]);
}

#[test]
fn those_who_wait_are_dialled_for_when_a_connection_comes_to_its_end() {
    let ways: [(&str, Input); 4] = [
        ("used up", |rig| rig.back(1)),
        ("too many resets", |rig| {
            rig.pass(LEAST_AGE);
            for _ in 0..MAX_RESETS.count {
                rig.core.stream_cut(1, rig.now, &mut rig.out);
            }
        }),
        ("expired, with no stream allowed", |rig| {
            rig.limit(1, 0);
            rig.back(1);
            rig.pass(LIFETIME);
            rig.look(1);
        }),
        ("idle, with no stream allowed", |rig| {
            rig.limit(1, 0);
            rig.back(1);
            rig.pass(IDLE_TIMEOUT);
            rig.look(1);
        }),
    ];
    for (what, end) in ways {
        let mut rig = Rig::with(|policy| {
            policy.max_connections = 1;
            policy.max_concurrent_streams = 1;
            policy.max_total_uses = Some(2);
        })
        .open(1);
        assert_eq!(rig.take(), Some(1));
        rig.queue(0).unwrap();
        rig.queue(1).unwrap();
        assert_eq!(rig.done(), [], "{what}");
        end(&mut rig);
        assert!(rig.done().contains(&dial(2)), "{what}");
    }
}

#[test]
fn a_connection_past_its_lifetime_that_cannot_be_replaced_still_closes_when_idle() {
    let mut rig = Rig::new().open(1);
    rig.take();
    rig.pass(LIFETIME);
    let next = rig.look(1);
    assert_eq!(next, Some(rig.now + IDLE_LOOK));
    assert_eq!(rig.done(), [dial(2)], "its replacement");
    rig.fail(2);
    assert_eq!(rig.done(), [dial_at(3, rig.now + SECOND)]);
    rig.back(1);
    rig.pass(IDLE_TIMEOUT);
    assert_eq!(rig.look(1), None);
    assert_eq!(rig.done(), [drain(1, CloseReason::Idle)]);
    assert!(!rig.core.dial_starts(3, rig.now), "nobody needs a replacement any more");
}

#[test]
fn times_past_what_the_clock_can_tell_are_no_times() {
    let mut rig = Rig::with(|policy| {
        policy.idle_timeout = Some(Duration::MAX);
        policy.backoff.base = Duration::MAX;
        policy.backoff.max = Duration::MAX;
    })
    .open(1);
    assert_eq!(rig.look(1), Some(rig.now + LIFETIME));
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    rig.fail(2);
    rig.lose(1);
    assert_eq!(rig.queue(1), Err(Refusal::Unreachable));
}

#[test]
fn a_loss_that_leaves_the_pool_at_its_maximum_is_not_made_up_for_later() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 1;
        policy.overflow = Overflow::Loose { max_extra: 1 };
    })
    .open(1);
    assert_eq!([rig.take(), rig.take()], [Some(1); 2]);
    rig.queue(0).unwrap();
    rig.up(2, NO_LIMIT);
    rig.back(1);
    assert_eq!(rig.done(), [dial(2), grant(0, 2)]);
    rig.lose(2);
    assert_eq!(rig.done(), [], "one serves, and one is the maximum");
    rig.back(1);
    rig.pass(IDLE_TIMEOUT);
    rig.look(1);
    assert_eq!(rig.done(), [drain(1, CloseReason::Idle)], "nobody asks for another");
}

#[test]
fn connections_for_few_uses_are_dialled_as_many_as_that_takes() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 8;
        policy.max_concurrent_streams = 100;
        policy.max_total_uses = Some(2);
    });
    for caller in 0..6 {
        rig.queue(caller).unwrap();
    }
    assert_eq!(rig.done(), [dial(1), dial(2), dial(3)]);
}

#[test]
fn peers_without_streams_hold_up_nobody() {
    let mut rig = Rig::with(|policy| policy.max_connections = 3).open(2);
    assert_eq!([rig.take(), rig.take(), rig.take()], [Some(1), Some(2), Some(1)]);
    rig.limit(2, 0);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [dial(3)], "the peer of another connection may have streams");
    rig.back(2);
    rig.go_away(2);
    assert_eq!(rig.done(), [drain(2, CloseReason::GoAway)]);
    rig.up(3, 1);
    rig.queue(1).unwrap();
    assert_eq!(rig.done(), [grant(0, 3), dial(4)]);
}

#[test]
fn a_peer_without_streams_is_passed_at_once_then_slowly() {
    let mut rig = Rig::with(|policy| policy.max_connections = 4);
    rig.queue(0).unwrap();
    rig.up(1, 0);
    assert_eq!(rig.done(), [dial(1), dial(2)], "another address may have streams");
    rig.up(2, 0);
    assert_eq!(rig.done(), [dial_at(3, rig.now + SECOND)], "none has");
    rig.pass(SECOND);
    rig.up(3, 0);
    let pause = SECOND.mul_f64(1.6);
    assert_eq!(rig.done(), [dial_at(4, rig.now + pause)]);
    rig.pass(pause);
    rig.up(4, 2);
    assert_eq!(rig.done(), [grant(0, 4)]);
}

#[test]
fn early_goaways_lead_to_backoff() {
    let mut rig = Rig::new();
    rig.queue(0).unwrap();
    rig.up(1, NO_LIMIT);
    rig.go_away(1);
    // Once is an accident.
    let drained = |connection| drain(connection, CloseReason::GoAway);
    assert_eq!(rig.done(), [dial(1), grant(0, 1), drained(1), dial(2)]);
    rig.queue_patient(1).unwrap();
    rig.up(2, NO_LIMIT);
    rig.go_away(2);
    assert_eq!(rig.done(), [grant(1, 2), drained(2), dial_at(3, rig.now + SECOND)]);
    assert_eq!(rig.queue(2), Err(Refusal::Unreachable));
    rig.lose(1);
    rig.lose(2);
    assert_eq!(rig.done(), [], "their ends are told for the second time");
}

#[test]
fn a_goaway_after_an_answer_is_no_failure() {
    let mut rig = Rig::new();
    for connection in 1..=5 {
        rig.queue(0).unwrap();
        rig.up(connection, NO_LIMIT);
        rig.answer(connection);
        rig.go_away(connection);
        rig.lose(connection);
        assert_eq!(rig.queue(1), Ok(2 * connection - 1), "nobody is turned away");
        rig.core.give_up(2 * connection - 1);
    }
}

#[test]
fn overdue_dials_keep_nobody_waiting() {
    let overdue = dials::OVERDUE + Duration::from_millis(1);
    let mut rig = Rig::with(|policy| policy.connect_timeout = 20 * SECOND);
    rig.queue(0).unwrap();
    rig.pass(overdue);
    rig.core.plan(rig.now, &mut rig.out);
    assert_eq!(rig.done(), [dial(1), dial(2)], "the first did not begin");
    assert!(rig.core.dial_starts(2, rig.now));
    assert!(!rig.core.dial_starts(1, rig.now), "nobody needs it any more");
    rig.pass(20 * SECOND + overdue);
    rig.core.plan(rig.now, &mut rig.out);
    assert_eq!(rig.done(), [dial(3)], "the second did not end");
    assert_eq!(rig.up(2, NO_LIMIT), Some(1), "but is welcome if it does");
    assert_eq!(rig.done(), [grant(0, 1)]);
}

#[test]
fn surplus_connections_close_though_each_is_used() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 4;
        policy.max_concurrent_streams = 10;
    })
    .open(4);
    let taken: Vec<_> = (0..30).map(|_| rig.take().unwrap()).collect();
    rig.look(1);
    for connection in taken {
        rig.back(connection);
    }
    for _ in 0..20 {
        rig.pass(IDLE_LOOK);
        for connection in 1..=4 {
            if rig.core.entry_mut(connection).is_some_and(|entry| entry.gate.take()) {
                rig.back(connection);
            }
            rig.look(connection);
        }
        if rig.now < Instant::now() + IDLE_TIMEOUT {
            assert_eq!(rig.core.serving(), 4, "the peak was in the last period");
        }
    }
    assert_eq!(rig.core.serving(), 1, "one is enough for a call at a time");
}

#[test]
fn surplus_is_idle_and_of_the_default_strategy() {
    let rows = [
        (Strategy::LeastLoaded, false, 1),
        (Strategy::LeastLoaded, true, 4),
        (Strategy::FillFirst, false, 4),
        (Strategy::RoundRobin, false, 4),
    ];
    for (strategy, is_busy, left) in rows {
        let mut rig = Rig::with(|policy| {
            policy.max_connections = 4;
            policy.max_concurrent_streams = 10;
            policy.strategy = strategy;
        })
        .open(4);
        for _ in 0..20 {
            for connection in 1..=4 {
                // So that none is without a call for the whole of the idle timeout.
                if rig.core.entry_mut(connection).is_some_and(|entry| entry.gate.take()) && !is_busy {
                    rig.back(connection);
                }
                rig.look(connection);
                if is_busy && rig.core.entries().iter().any(|entry| entry.in_flight() > 1) {
                    rig.back(connection);
                }
            }
            rig.pass(IDLE_LOOK);
        }
        assert_eq!(rig.core.serving(), left, "{strategy:?}, busy: {is_busy}");
    }
}

/// A limit of nothing says nothing of the streams that another connection would have.
#[test]
fn one_without_streams_is_not_the_measure() {
    let mut rig = Rig::with(|policy| {
        policy.max_connections = 6;
        policy.max_concurrent_streams = 10;
    })
    .open(2);
    rig.limit(1, 2);
    rig.limit(2, 0);
    assert_eq!([rig.take(), rig.take(), rig.take()], [Some(1), Some(1), None]);
    for caller in 0..4 {
        rig.queue(caller).unwrap();
    }
    let dials = rig.done().len();
    assert_eq!(dials, 2, "for two streams each, as the first has");
}

#[test]
fn faults_fade_with_looks() {
    let mut rig = Rig::new().open(2);
    let gate = rig.core.entry_mut(1).unwrap().gate.clone();
    rig.pass(10 * SECOND);
    for _ in 0..4 {
        if gate.add_fault() {
            rig.core.faults_begin(1, rig.now);
        }
    }
    let half = Duration::from_millis(500);
    assert_eq!(rig.look(1), Some(rig.now + half));
    assert_eq!([rig.take(), rig.take()], [Some(2); 2], "fewer calls failed there");
    for left in [2, 1, 0] {
        rig.pass(half);
        rig.look(1);
        assert_eq!(gate.faults(), left);
    }
    assert_eq!(rig.take(), Some(1));
}

#[test]
fn waiting_callers_avoid_where_they_failed() {
    let mut rig = Rig::with(|policy| policy.max_concurrent_streams = 1).open(2);
    assert_eq!([rig.take(), rig.take()], [Some(1), Some(2)]);
    let mut avoid = Avoid::default();
    avoid.add(1, None);
    let waiter = Waiter {
        notify: 7,
        patient: false,
        avoid: avoid.clone(),
    };
    rig.core.enqueue(waiter, rig.now, &mut rig.out).unwrap();
    rig.core.entry_mut(1).unwrap().gate.set_limit(0);
    rig.back(1);
    assert_eq!(rig.done(), []);
    rig.core.entry_mut(1).unwrap().gate.set_limit(1);
    rig.back(2);
    assert_eq!(rig.done(), [grant(7, 2)], "the other connection, though not the oldest");
    let again = rig.core.try_take(&avoid, &mut rig.out).map(|entry| entry.id);
    assert_eq!(again, Some(1), "nothing else is left");
}

#[test]
fn doubted_connections_take_no_calls() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    assert_eq!(rig.take(), Some(1));
    assert!(rig.core.doubt(1, rig.now, &mut rig.out));
    assert!(!rig.core.doubt(1, rig.now, &mut rig.out), "no news");
    assert_eq!(rig.take(), None);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [], "a peer that is well answers in a moment");
    rig.core.trust(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), [grant(0, 1)]);
    rig.core.trust(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), []);
}

#[test]
fn doubted_connections_are_replaced() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    assert_eq!(rig.take(), Some(1));
    rig.core.doubt(1, rig.now, &mut rig.out);
    rig.queue(0).unwrap();
    rig.pass(dials::DOUBT_GRACE);
    rig.core.plan(rig.now, &mut rig.out);
    assert_eq!(rig.done(), [dial(2)]);
    rig.up(2, NO_LIMIT);
    assert_eq!(rig.done(), [grant(0, 2)]);
    // It was well after all, and is one too many now. Its call goes on.
    rig.core.trust(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), [drain(1, CloseReason::Surplus)]);
    assert_eq!(rig.core.in_flight(), 2);
}

#[test]
fn callers_wait_for_a_doubted_connection_during_the_backoff() {
    let mut rig = Rig::with(|policy| policy.max_connections = 1).open(1);
    rig.core.doubt(1, rig.now, &mut rig.out);
    rig.pass(dials::DOUBT_GRACE);
    rig.queue(0).unwrap();
    assert_eq!(rig.done(), [dial(2)]);
    rig.fail(2);
    assert_eq!(rig.done(), [dial_at(3, rig.now + SECOND)]);
    rig.lose(1);
    assert_eq!(rig.done(), [refuse(0, Refusal::Unreachable)]);
}

#[test]
fn resets_replace_a_connection_by_their_pace() {
    let mut rig = Rig::new().open(1);
    assert_eq!(rig.take(), Some(1));
    // One each two seconds leaks away.
    for _ in 0..200 {
        rig.pass(2 * SECOND);
        rig.core.stream_cut(1, rig.now, &mut rig.out);
    }
    assert_eq!(rig.done(), []);
    for _ in 0..MAX_RESETS.count {
        rig.core.stream_cut(1, rig.now, &mut rig.out);
    }
    assert_eq!(rig.done(), [drain(1, CloseReason::Resets)]);
}

#[test]
fn faults_fade_on_connections_that_are_kept_for_ever() {
    let mut rig = Rig::with(|policy| policy.idle_timeout = None);
    rig.queue(0).unwrap();
    let opened = Opened {
        peer: None,
        peer_limit: NO_LIMIT,
        expires: None,
    };
    rig.core
        .dialed(1, opened, |_, _| (), rig.now, 0.5, &mut rig.out)
        .unwrap();
    assert_eq!(rig.look(1), None);
    rig.core.entry_mut(1).unwrap().gate.add_fault();
    rig.core.faults_begin(1, rig.now);
    assert_eq!(rig.look(1), Some(rig.now + Duration::from_millis(500)));
}

#[test]
fn a_runtime_that_stands_still_gets_few_dials() {
    let mut rig = Rig::with(|policy| policy.connect_timeout = SECOND);
    rig.queue(0).unwrap();
    for _ in 0..1_000 {
        rig.pass(SECOND);
        rig.core.plan(rig.now, &mut rig.out);
    }
    assert!(rig.core.dials() < 30, "{} dials", rig.core.dials());
}

#[test]
fn young_connections_outlast_their_resets() {
    let mut rig = Rig::new().open(1);
    assert_eq!(rig.take(), Some(1));
    for _ in 0..2 * MAX_RESETS.count {
        rig.core.stream_cut(1, rig.now, &mut rig.out);
    }
    assert_eq!(
        rig.done(),
        [],
        "a slow server is not dialled as often as its callers give up"
    );
    rig.pass(LEAST_AGE);
    rig.core.stream_cut(1, rig.now, &mut rig.out);
    assert_eq!(rig.done(), [drain(1, CloseReason::Resets)]);
}

/// A server that recycles each connection after one call announces that with the call, before its answer.
#[test]
fn an_announced_end_is_judged_when_it_comes() {
    for answers in [true, false] {
        let mut rig = Rig::new();
        for connection in 1..=3 {
            rig.queue(0).unwrap();
            rig.up(connection, NO_LIMIT);
            let reason = CloseReason::GoAway;
            rig.core
                .going_away(connection, reason, true, rig.now, 0.5, &mut rig.out);
            if answers {
                rig.core.answered(connection);
            }
            rig.back(connection);
            rig.end(connection, reason);
        }
        assert_eq!(rig.core.is_backing_off(rig.now), !answers);
    }
}
