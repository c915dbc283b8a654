//! The way to a slot past the pool's lock, for the most common case: a connection has room, and nobody waits.
//!
//! Each thread remembers the connections of the pools it last used, and chooses by their gates. What it remembers need
//! not be right: a gate hands out nothing that it should not, and whoever gets nothing here asks the pool, under its
//! lock. It is renewed when a connection has come or gone, which a number in the pool tells.
//!
//! Connections are remembered by `Weak`: none stays open because a thread has made no call for a while.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::avoid::Objection;
use super::gate::Gate;
use super::member::Member;
use super::picker::{self, Load, Strategy};
use super::shared::PoolCore;

/// How many pools a thread remembers, each at the place that its number has modulo this.
const POOLS: u64 = 32;

thread_local! {
    static REMEMBERED: RefCell<Vec<Option<Snapshot>>> = const { RefCell::new(Vec::new()) };
}

/// A pool's connections at one time.
pub(super) struct Snapshot {
    pool: u64,
    version: u64,
    connections: Vec<(Arc<Gate>, Weak<Member>)>,
}

impl Snapshot {
    /// The connections as they are now, in the core's order.
    pub(super) fn of(pool: u64, core: &PoolCore) -> Self {
        let members = core.entries().iter().filter_map(|entry| entry.payload.member.as_ref());
        Self {
            pool,
            version: core.version(),
            connections: members
                .map(|member| (member.gate.clone(), Arc::downgrade(member)))
                .collect(),
        }
    }

    /// Has this thread remember it.
    pub(super) fn remember(self) {
        // A thread that is ending remembers nothing.
        let _ = REMEMBERED.try_with(|remembered| {
            let mut remembered = remembered.borrow_mut();
            let place = place(self.pool);
            if remembered.len() <= place {
                remembered.resize_with(place + 1, || None);
            }
            remembered[place] = Some(self);
        });
    }

    /// Takes a slot on the connection that the strategy chooses. `false`: others were faster.
    fn take(&self, strategy: Strategy) -> Option<(Arc<Member>, bool)> {
        let loads = self.connections.iter().map(|(gate, _)| {
            let reading = gate.read();
            Load {
                in_flight: reading.in_flight(),
                faults: gate.faults(),
                has_room: gate.admits(reading),
                objection: Objection::None,
            }
        });
        // One connection is no choice.
        let ties = if self.connections.len() > 1 {
            fastrand::u64(1..)
        } else {
            0
        };
        let (gate, member) = &self.connections[picker::pick(strategy, loads, &mut 0, ties)?];
        // The handle first: a slot that was taken must have one.
        let member = member.upgrade()?;
        let took = gate.try_take();
        Some((member, took))
    }
}

/// What was got from a thread's memory.
pub(super) enum Remembered {
    /// A slot was taken on this connection.
    Took(Arc<Member>),
    /// Nothing to be had; the pool knows more.
    Nothing,
    /// This thread does not know the pool's connections as they are now.
    Unknown,
}

/// Takes a slot from the connections that this thread remembers, if they are those of that version.
pub(super) fn take(pool: u64, version: u64, strategy: Strategy) -> Remembered {
    // Whose turn it is, only the pool knows.
    if strategy == Strategy::RoundRobin {
        return Remembered::Nothing;
    }
    let found = REMEMBERED.try_with(|remembered| {
        let remembered = remembered.borrow();
        let snapshot = remembered.get(place(pool))?.as_ref()?;
        let is_current = snapshot.pool == pool && snapshot.version == version;
        is_current.then(|| snapshot.take(strategy))
    });
    match found {
        Ok(Some(Some((member, true)))) => Remembered::Took(member),
        // The handle is dropped here, where the thread's memory is not in use: it may be the last, and much may end
        // with it.
        Ok(Some(_)) | Err(_) => Remembered::Nothing,
        Ok(None) => Remembered::Unknown,
    }
}

fn place(pool: u64) -> usize {
    (pool % POOLS) as usize
}
