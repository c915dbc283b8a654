//! The core under random schedules: whatever happens in whatever order, what must be true stays true.
//!
//! A seed makes a configuration, a set of odds, and a schedule of calls, drops, dials, failures, limits, clock jumps,
//! resizes and closes. [`world`] plays the driver and the peers: it carries out the effects and keeps books of its own,
//! [`checks`] compares them with the core after every step. Calls take slots past the core as well, from the connections
//! that were there a while ago, and slots that have come back may be used before the core is told. At its end each schedule is brought to rest in three
//! ways: the endpoint recovers and every caller must be served; nobody calls any more and everything must fall idle;
//! the pool is closed and everything must end.
//!
//! A failing seed says how it is replayed, every step printed: with
//! `POOL_SIMULATION_SEED=<seed> cargo test -p pool-runtime --lib simulation -- --nocapture`. `POOL_SIMULATION_SEEDS` and
//! `POOL_SIMULATION_STEPS` say how many schedules are run and how long they are.
//!
//! # What each check has caught
//!
//! The numbers are those of "What must always be true" in ARCHITECTURE.md; 6 and 7 are the call's, and 10 is every step
//! that does not panic. Each line names ways in which the core was broken on purpose, and the check that then failed:
//!
//! | | broken on purpose | caught by |
//! |---|---|---|
//! | 1 | either limit ignored, or one stream past it; a slot that comes back counts twice | "no slot is handed out past the limit" |
//! | 1 | `max_total_uses` ignored | "no connection is used more often than it may be" |
//! | 2 | a slot that comes back is not counted | "a slot is given back exactly once" |
//! | 3 | the last is served first | "the longest-waiting live caller is served first" |
//! | 3 | who gives up stays in the queue | "the queue holds who waits" |
//! | 3 | a slot that comes back, or a limit that rises, serves nobody | "nobody waits while a slot is free" |
//! | 3 | who begins to wait does not look for a slot once more | "nobody waits while a slot is free" |
//! | 3 | a gate hands out slots while somebody waits, or is not told that somebody does, or that nobody does any more | "nobody who waits is overtaken", "a gate knows whether the pool has a say" |
//! | 8 | a gate is not told that its connection drains, is dead, gone, or one too many | "a gate knows whether the pool has a say", "only a connection that is there has slots" |
//! | 4 | one dial for each caller | "no more is dialled than is needed" |
//! | 4 | as many while the endpoint fails; no backoff; a failure during the backoff counts | "a failing endpoint is dialled by one alone", "a dial waits for the end of the backoff" |
//! | 4 | one past the maximum | "no more is dialled than may serve" |
//! | 4 | no dial after a loss, or for callers of a dead connection, or of an abandoned dial | "what callers need is being dialled" |
//! | 4 | `ready(n)` ignored | "what is to be ready is being dialled" |
//! | 5 | a failed dial is told to nobody; or to those as well who wait for ready | "who does not wait for ready is told", "who waits for ready is not turned away" |
//! | 8 | what a lost connection's number is used for hits another one | "what is over changes nothing", "no more is dialled than is needed" |
//! | 8 | a connection that was found dead is handed out again; it goes in place of one past its lifetime | "a connection that drains or is dead takes no calls", "a connection past its lifetime goes when another comes up" |
//! | 9 | waiters are not told of the close; new ones are taken in; connections serve on; dials go on; a connection comes up after it | "after close nobody waits", "a caller is turned away at once", "a connection that drains or is dead takes no calls", "a closed pool dials no more", "a closed pool keeps no connection" |
//! | | idleness ignored, or not looked for, or too late; or the minimum ignored | "a connection that has fallen idle is kept only as part of the minimum", "whether a connection is idle is looked at in time", "the minimum is kept open" |
//! | | age, surplus, a smaller maximum or cancelled streams ignored | "a connection past its lifetime goes", "past the maximum a connection closes", "no more connections serve than may", "h2 is not brought to end a connection over resets" |
//! | | a runtime that went away is held against the endpoint; cut calls are not counted | "a dial waits for the end of the backoff", "every call that is cut counts" |
//!
//! One break survives, because it breaks nothing: that a new caller looks at the queue before it takes a slot is implied
//! by "nobody waits while a slot is free".

mod actions;
mod checks;
mod connections;
mod rest;
mod world;

use self::world::World;

const SEEDS: u64 = 2_000;
const STEPS: u64 = 500;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().expect("the variable is a number"))
}

fn run(seed: u64, steps: u64, verbose: bool) {
    let mut world = World::new(seed, verbose);
    for _ in 0..steps {
        world.act();
        world.check();
    }
    world.come_to_rest();
}

#[test]
fn no_schedule_breaks_what_must_be_true() {
    let steps = number("POOL_SIMULATION_STEPS").unwrap_or(STEPS);
    if let Some(seed) = number("POOL_SIMULATION_SEED") {
        return run(seed, steps, true);
    }
    for seed in 0..number("POOL_SIMULATION_SEEDS").unwrap_or(SEEDS) {
        run(seed, steps, false);
    }
}
