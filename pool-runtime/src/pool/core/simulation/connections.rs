//! What can befall a connection that is up.

use super::world::World;
use crate::pool::core::ConnectionId;
use crate::pool::event::CloseReason;

impl World {
    pub(super) fn change_a_limit(&mut self) {
        let limits = [0, 1, 2, 5, u32::MAX];
        let limit = limits[self.rng.usize(..limits.len())];
        if let Some(connection) = self.some_peer(|_| true) {
            self.limit(connection, limit);
        }
    }

    pub(super) fn limit(&mut self, connection: ConnectionId, limit: u32) {
        self.show("limit changes", connection);
        let now = self.now;
        let peer = self.peers.get_mut(&connection).expect("a connection");
        peer.limit = limit;
        peer.ceiling = limit.max(peer.held);
        self.last_limit = Some(limit);
        self.input(|core, out| core.limit_changed(connection, limit, now, out));
    }

    pub(super) fn go_away(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            self.show("goes away", connection);
            let now = self.now;
            let reasons = [CloseReason::GoAway, CloseReason::Broken];
            let reason = reasons[self.rng.usize(..reasons.len())];
            let others = self.serving_without(connection);
            self.input(|core, out| core.going_away(connection, reason, now, out));
            assert_eq!(others, self.serving_without(connection), "a GOAWAY evicts nobody else");
        }
    }

    pub(super) fn lose_a_connection(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            self.lose(connection);
        }
    }

    pub(super) fn lose(&mut self, connection: ConnectionId) {
        self.show("is lost", connection);
        let (now, random) = (self.now, self.rng.f64());
        let peer = self.peers.remove(&connection).expect("a connection");
        if !peer.draining {
            self.losses += usize::from(peer.held > 0);
            let is_young = now.duration_since(peer.opened) < self.core.policy().backoff.base;
            if is_young && peer.uses <= u64::from(peer.held) {
                self.useless += 1;
                if self.useless > 1 {
                    self.fails(random);
                }
            }
        }
        self.gone.push(connection);
        let others = self.serving_without(connection);
        self.input(|core, out| core.closed(connection, CloseReason::Lost, now, random, out));
        assert_eq!(others, self.serving_without(connection), "a loss evicts nobody else");
    }

    pub(super) fn end_a_drained_connection(&mut self) {
        if let Some(connection) = self.some_peer(|peer| peer.draining && peer.held == 0) {
            self.lose(connection);
        }
    }

    /// Something that is over for the pool is heard of again.
    pub(super) fn hear_late_news(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        let connection = self.gone[self.rng.usize(..self.gone.len())];
        self.show("late news", connection);
        let (now, random) = (self.now, self.rng.f64());
        let before = self.picture();
        self.input(|core, out| {
            core.closed(connection, CloseReason::Lost, now, random, out);
            core.going_away(connection, CloseReason::GoAway, now, out);
            core.limit_changed(connection, 0, now, out);
            core.stream_cut(connection, now, out);
        });
        assert_eq!(before, self.picture(), "what is over changes nothing");
    }

    pub(super) fn look_where_due(&mut self) {
        let now = self.now;
        if let Some(connection) = self.some_peer(|peer| peer.look.is_some_and(|at| at <= now)) {
            self.look(connection);
        }
    }

    pub(super) fn look(&mut self, connection: ConnectionId) {
        self.show("look", connection);
        let now = self.now;
        let next = self.input(|core, out| core.look_at(connection, now, out));
        self.check_look(connection, next);
        self.peers.get_mut(&connection).expect("a connection").look = next;
    }
}
