//! The core under random schedules: whatever happens in whatever order, what must be true stays true.
//!
//! A seed makes a configuration, a set of odds, and a schedule of calls, drops, dials, failures, limits, clock jumps,
//! resizes and closes. [`world`] plays the driver and the peers: it carries out the effects and keeps books of its own,
//! [`checks`] compares them with the core after every step. At its end each schedule is brought to rest in three
//! ways: the endpoint recovers and every caller must be served; nobody calls any more and everything must fall idle;
//! the pool is closed and everything must end.
//!
//! A failing seed names itself. It is replayed, every step printed, with
//! `POOL_SIMULATION_SEED=<seed> cargo test -p pool-runtime --lib simulation`; `POOL_SIMULATION_SEEDS` and
//! `POOL_SIMULATION_STEPS` say how many schedules are run and how long they are.

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
