//! What two or three threads can do to each other. Each model panics if a claim does not hold in some interleaving.

use std::sync::Arc;
use std::time::Duration;

use loom::model::Builder;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::thread;

use crate::driver::{Caller, Driver, policy};
use crate::pool::core::ConnectionId;
use crate::pool::event::CloseReason;
use crate::pool::policy::{Overflow, Policy};

/// Three threads have more interleavings than a test has time for: those with so many preemptions are tried. Of two
/// threads, all are.
const PREEMPTIONS: usize = 2;

type Work<R> = Box<dyn FnOnce(&Driver) -> R + Send>;

fn model(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.check(model);
}

/// Runs each in a thread of its own, and gives what they give.
fn together<R: Send + 'static, const N: usize>(driver: &Arc<Driver>, work: [Work<R>; N]) -> [R; N] {
    let threads = work.map(|work| {
        let driver = driver.clone();
        thread::spawn(move || work(&driver))
    });
    threads.map(|thread| thread.join().expect("no thread panics"))
}

fn call() -> Work<Option<Caller>> {
    Box::new(|driver| Some(driver.call()))
}

fn give_back(connection: ConnectionId) -> Work<Option<Caller>> {
    Box::new(move |driver| {
        driver.give_back(connection);
        None
    })
}

fn pool(policy: Policy) -> Arc<Driver> {
    Arc::new(Driver::new(policy))
}

/// A pool of one connection with so many streams, one of them taken.
fn busy(streams: u32) -> Arc<Driver> {
    let driver = pool(policy(streams));
    assert_eq!(driver.call().slot(), Some(1), "it is free");
    driver
}

/// Those who have slots give them back, until all who called have been served. Gives the number of those who had one
/// at first.
fn serve_all(driver: &Driver, callers: impl IntoIterator<Item = Caller>) -> usize {
    let mut left: Vec<Caller> = callers.into_iter().collect();
    let at_first = left.iter().filter(|caller| caller.slot().is_some()).count();
    while !left.is_empty() {
        let served = left.iter().position(|caller| caller.slot().is_some());
        let caller = left.swap_remove(served.expect("nobody waits while a slot is free"));
        driver.give_back(caller.slot().unwrap_or_default());
    }
    assert_eq!(driver.gate(1).read().in_flight(), 0, "every slot comes back once");
    at_first
}

/// The only slot comes back while somebody begins to wait for it.
pub fn no_wake_up_is_lost() {
    model(None, || {
        let driver = busy(1);
        let callers = together(&driver, [give_back(1), call()]);
        assert_eq!(serve_all(&driver, callers.into_iter().flatten()), 1);
        assert_eq!(driver.gate(1).read().uses(), 2, "every use counts once");
    });
}

/// The same with two who begin to wait.
pub fn nobody_is_forgotten() {
    model(Some(PREEMPTIONS), || {
        let driver = busy(1);
        let callers = together(&driver, [give_back(1), call(), call()]);
        assert_eq!(serve_all(&driver, callers.into_iter().flatten()), 1);
        assert_eq!(driver.gate(1).read().uses(), 3, "every use counts once");
    });
}

/// Two callers, one stream that is left.
pub fn no_limit_is_passed() {
    model(None, || {
        let driver = busy(2);
        let callers = together(&driver, [call(), call()]);
        let first = Caller::Has(1);
        assert_eq!(serve_all(&driver, callers.into_iter().flatten().chain([first])), 2);
    });
}

/// A new caller comes while a slot is handed to one who waits.
pub fn nobody_who_waits_is_overtaken() {
    model(Some(PREEMPTIONS), || {
        let driver = busy(1);
        let waits = Arc::new(AtomicBool::new(false));
        let tell = waits.clone();
        let first = Box::new(move |driver: &Driver| {
            let caller = driver.take_or_queue();
            tell.store(matches!(caller, Caller::Waits(_)), Release);
            Some(caller)
        });
        let second = Box::new(move |driver: &Driver| {
            let too_late = waits.load(Acquire);
            let caller = driver.call();
            assert!(!too_late || caller.slot().is_none(), "the first keeps its slot");
            Some(caller)
        });
        let callers = together(&driver, [give_back(1), first, second]);
        assert_eq!(serve_all(&driver, callers.into_iter().flatten()), 1);
    });
}

/// A caller comes after something has happened to the connection, or at the same time: then it gets nothing, or it got
/// it before.
fn refused_after(driver: fn() -> Arc<Driver>, step: fn(&Driver)) {
    model(None, move || {
        let driver = driver();
        let before = driver.gate(1).read().uses();
        let done = Arc::new(AtomicBool::new(false));
        let tell = done.clone();
        let change: Work<bool> = Box::new(move |driver| {
            step(driver);
            tell.store(true, Release);
            false
        });
        let take: Work<bool> = Box::new(move |driver| {
            let too_late = done.load(Acquire);
            let took = driver.take_past_the_pool().is_some();
            assert!(!too_late || !took, "nothing is taken from then on");
            took
        });
        let [_, took] = together(&driver, [change, take]);
        let uses = driver.gate(1).read().uses();
        assert_eq!(uses - before, u64::from(took), "every use counts once");
        if took {
            driver.give_back(1);
        }
    });
}

/// The peer allows fewer streams.
pub fn a_lowered_limit_holds_from_then_on() {
    refused_after(
        || busy(2),
        |driver| driver.step(|core, now, out| core.limit_changed(1, 1, now, out)),
    );
}

/// The connection is taken out of use, in each of the ways there are.
pub fn nothing_is_taken_from_a_connection_that_drains_or_is_dead() {
    let ways: [fn(&Driver); 4] = [
        |driver| driver.step(|core, now, out| core.found_dead(1, now, out)),
        |driver| {
            driver.step(|core, now, out| core.going_away(1, CloseReason::GoAway, false, now, 0.5, out));
        },
        |driver| {
            driver.step(|core, now, out| core.closed(1, CloseReason::Lost, now, 0.5, out));
        },
        |driver| driver.step(|core, _, out| core.close(Duration::ZERO, out)),
    ];
    for way in ways {
        refused_after(|| pool(policy(2)), way);
    }
}

/// Two callers, and a connection that may be used once more.
pub fn a_last_use_is_the_last() {
    model(None, || {
        let mut policy = policy(9);
        policy.max_total_uses = Some(2);
        let driver = pool(policy);
        assert_eq!(driver.call().slot(), Some(1));
        let callers = together(&driver, [call(), call()]);
        let served = callers.iter().flatten().filter(|caller| caller.slot().is_some());
        assert_eq!(served.count(), 1);
        assert_eq!(driver.drained(), [(1, CloseReason::UsedUp)], "it is retired once");
    });
}

/// A connection past the maximum is given back while another call comes.
pub fn a_connection_past_the_maximum_closes_when_it_is_given_back() {
    model(None, || {
        let mut policy = policy(1);
        policy.overflow = Overflow::Loose { max_extra: 1 };
        let mut driver = Driver::new(policy);
        assert_eq!(driver.call().slot(), Some(1));
        let waits = driver.call();
        driver.open();
        assert_eq!(waits.slot(), Some(2));
        let driver = Arc::new(driver);
        let [_, caller] = together(&driver, [give_back(2), call()]);
        if caller.and_then(|caller| caller.slot()) == Some(2) {
            driver.give_back(2);
        }
        assert_eq!(driver.drained(), [(2, CloseReason::Surplus)], "it closes once");
    });
}

/// A connection ends while its call does.
pub fn a_call_ends_or_is_cut() {
    model(None, || {
        let driver = busy(1);
        let end =
            Box::new(|driver: &Driver| driver.step(|core, now, out| core.closed(1, CloseReason::Lost, now, 0.5, out)));
        let give_back = Box::new(|driver: &Driver| {
            driver.give_back(1);
            0_u32
        });
        let [cut, _] = together(&driver, [end, give_back as Work<u32>]);
        let totals = driver.step(|core, _, _| core.totals());
        assert_eq!(
            totals.completed + u64::from(cut),
            1,
            "a call counts as one or the other"
        );
        assert_eq!(totals.cut, u64::from(cut));
    });
}
