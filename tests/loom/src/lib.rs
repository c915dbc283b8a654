//! The pool's core and its gates, as they are in pool-runtime, but with loom's atomics: each model runs under every
//! interleaving of its threads.
//!
//! The files are taken from there by their path. Only the driver around them is written anew (`driver`): that of
//! pool-runtime has a runtime, sockets and observers, of which loom knows nothing.
//!
//! # What each model has caught
//!
//! Each line names ways in which the gate or the core was broken on purpose, and the model that then failed. Two breaks
//! are for the core's simulation to catch: that a new gate, or one whose last waiter gave up, says the wrong thing of the
//! queue.
//!
//! | broken on purpose | caught by |
//! |---|---|
//! | the flags are read before a slot is given back, not with it; a return that the pool hears of serves nobody | `no_wake_up_is_lost`, `nobody_is_forgotten` |
//! | who begins to wait does not look for a slot again, or does so before the gates know of it | `no_wake_up_is_lost` |
//! | a slot is taken in two steps: looked for, then counted | `no_limit_is_passed` |
//! | the limit does not reach the gate, or is changed in two steps | `a_lowered_limit_holds_from_then_on` |
//! | a gate hands out slots while somebody waits | `nobody_who_waits_is_overtaken` |
//! | a gate is not told that its connection drains, is dead, or gone | `nothing_is_taken_from_a_connection_that_drains_or_is_dead` |
//! | a gate is not told that its connection is one too many | `a_connection_past_the_maximum_closes_when_it_is_given_back` |
//! | the last use is had without the pool | `a_last_use_is_the_last` |

// The unit tests in those files run in pool-runtime, where atomics need no model around them.
#![cfg(not(test))]

mod driver;
pub mod models;
#[allow(dead_code, missing_docs, unreachable_pub)]
mod pool;

/// What `pool::event` names of the rest of pool-runtime.
#[derive(Debug)]
struct Error;
