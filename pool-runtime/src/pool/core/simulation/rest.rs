//! How a schedule ends: whatever has happened, the pool comes to rest.

use super::world::{Peer, Stage, World};
use crate::pool::core::{ConnectionId, DialId};

/// More rounds than any recovery takes.
const ROUNDS: usize = 2_000;

impl World {
    pub(super) fn come_to_rest(&mut self) {
        if !self.closed {
            self.recover();
            self.fall_idle();
            self.close();
            self.check();
        }
        self.end();
    }

    /// The endpoint answers and allows streams: every caller is served.
    fn recover(&mut self) {
        for _ in 0..ROUNDS {
            if self.queue.is_empty() {
                return;
            }
            self.start_and_settle(|world, id| world.bring_up(id, 10));
            for connection in self.all(|peer| peer.takes_calls() && peer.limit == 0) {
                self.limit(connection, 10);
            }
            self.finish_calls();
            self.wait_for_something();
            self.check();
        }
        panic!("every caller is served in the end");
    }

    /// Nobody calls, and the endpoint is dead: no connection and no dial is left.
    fn fall_idle(&mut self) {
        let now = self.now;
        let max = self.core.policy().max_connections;
        while let Some(n) = self.floors.pop() {
            self.core.unwarm(n);
        }
        self.input(|core, out| core.resize(0, max, now, out));
        if self.core.policy().idle_timeout.is_none() {
            return;
        }
        for _ in 0..ROUNDS {
            if self.peers.is_empty() && self.dials.is_empty() {
                return;
            }
            self.start_and_settle(|world, id| world.fail(id));
            self.finish_calls();
            self.wait_for_something();
            self.check();
        }
        panic!("without callers the pool falls idle");
    }

    /// After close everything ends, without another word from the core.
    fn end(&mut self) {
        let ids: Vec<DialId> = self.dials.keys().copied().collect();
        for id in ids {
            self.fail(id);
        }
        self.finish_calls();
        assert!(self.slots.is_empty(), "every slot is given back");
        assert!(self.core.entries().is_empty(), "after close no connection is left");
        assert_eq!(self.core.dials(), 0, "after close no dial is left");
        self.check();
    }

    fn start_and_settle(&mut self, settle: impl Fn(&mut Self, DialId)) {
        let now = self.now;
        let due = self.dials.iter().filter(|(_, stage)| match stage {
            Stage::Ordered { due, .. } => *due <= now,
            Stage::Running(_) => true,
        });
        for (id, stage) in due.map(|(&id, &stage)| (id, stage)).collect::<Vec<_>>() {
            if !stage.is_running() {
                self.start(id);
            }
            if self.dials.contains_key(&id) {
                settle(self, id);
            }
        }
    }

    /// All slots come back, what has drained or is dead ends, and every task that is due looks.
    fn finish_calls(&mut self) {
        for connection in std::mem::take(&mut self.slots) {
            self.slots.push(connection);
            self.give_back(connection);
        }
        self.tell();
        // A peer that is doubted answers, or its connection ends.
        for connection in self.all(|peer| peer.doubted.is_some()) {
            match self.rng.bool() {
                true => self.trust(connection),
                false => self.lose(connection),
            }
        }
        for connection in self.all(|peer| !peer.is_in_use() && peer.held == 0) {
            self.lose(connection);
        }
        let now = self.now;
        for connection in self.all(|peer| peer.look.is_some_and(|at| at <= now)) {
            self.look(connection);
        }
    }

    fn all(&self, wanted: impl Fn(&Peer) -> bool) -> Vec<ConnectionId> {
        let peers = self.peers.iter().filter(|(_, peer)| wanted(peer));
        peers.map(|(&id, _)| id).collect()
    }

    /// Moves the clock on to the next time that somebody waits for.
    fn wait_for_something(&mut self) {
        let dials = self.dials.values().filter_map(|stage| match stage {
            Stage::Ordered { due, .. } => Some(*due),
            Stage::Running(_) => None,
        });
        let looks = self.peers.values().filter_map(|peer| peer.look);
        if let Some(next) = dials.chain(looks).min() {
            self.now = self.now.max(next);
        }
    }
}
