//! What can befall a connection that is up.

use super::world::{WORKERS, World};
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
            let reasons = [CloseReason::GoAway, CloseReason::TooManyPings, CloseReason::Broken];
            let reason = reasons[self.rng.usize(..reasons.len())];
            let others = self.serving_without(connection);
            let peer = &self.peers[&connection];
            let (was_draining, opened, answered) = (peer.draining, peer.opened, peer.answered);
            let random = self.rng.f64();
            let announced = self.rng.bool();
            if !was_draining && announced {
                self.peers.get_mut(&connection).expect("a connection").announced = true;
            } else if !was_draining && reason != CloseReason::Broken {
                self.ended_early(opened, answered, random);
            }
            let is_news = self.input(|core, out| core.going_away(connection, reason, announced, now, random, out));
            assert_eq!(is_news, !was_draining, "a connection goes away once");
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
        let reason = match self.rng.u8(..8) {
            0 => CloseReason::RuntimeGone,
            1 => CloseReason::KeepAlive,
            _ => CloseReason::Lost,
        };
        let peer = self.peers.remove(&connection).expect("a connection");
        // That a runtime went away says nothing of the endpoint.
        if (!peer.draining || peer.announced) && reason != CloseReason::RuntimeGone {
            self.losses += usize::from(!peer.draining && peer.held > 0);
            self.ended_early(peer.opened, peer.answered, random);
        }
        self.gone.push(connection);
        let others = self.serving_without(connection);
        let cut = self.input(|core, out| core.closed(connection, reason, now, random, out));
        assert_eq!(cut, peer.held, "every call that is cut counts");
        assert_eq!(others, self.serving_without(connection), "a loss evicts nobody else");
    }

    /// A call finds a connection dead before the connection's own task reports its end.
    pub(super) fn find_one_dead(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            self.show("is found dead", connection);
            let now = self.now;
            let others = self.serving_without(connection);
            self.peers.get_mut(&connection).expect("a connection").dead = true;
            self.input(|core, out| core.found_dead(connection, now, out));
            assert_eq!(
                others,
                self.serving_without(connection),
                "a dead connection evicts nobody else"
            );
        }
    }

    pub(super) fn doubt_one(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            self.show("is doubted", connection);
            let now = self.now;
            let peer = self.peers.get_mut(&connection).expect("a connection");
            let is_news = peer.takes_calls();
            if is_news {
                peer.doubted = Some(now);
            }
            let told = self.input(|core, out| core.doubt(connection, now, out));
            assert_eq!(told, is_news, "a connection is doubted once");
        }
    }

    pub(super) fn trust_one(&mut self) {
        if let Some(connection) = self.some_peer(|peer| peer.doubted.is_some()) {
            self.trust(connection);
        }
    }

    pub(super) fn trust(&mut self, connection: ConnectionId) {
        self.show("is trusted again", connection);
        let now = self.now;
        self.input_booked(
            |core, out| core.trust(connection, now, out),
            |world, ()| {
                let is_over = world.core.serving() > world.core.policy().max_connections;
                let peer = world.peers.get_mut(&connection).expect("a connection");
                peer.doubted = None;
                if peer.is_in_use() {
                    peer.surplus = is_over;
                }
            },
        );
        self.check_surplus(connection);
    }

    pub(super) fn saturate_or_relax(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            let is_it = self.rng.bool();
            self.show(if is_it { "saturate" } else { "relax" }, connection);
            let now = self.now;
            self.peers.get_mut(&connection).expect("a connection").saturated = is_it;
            self.input(|core, out| core.saturated(connection, is_it, WORKERS, now, out));
            self.check_saturation();
        }
    }

    pub(super) fn end_a_drained_connection(&mut self) {
        if let Some(connection) = self.some_peer(|peer| !peer.is_in_use() && peer.held == 0) {
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
            core.going_away(connection, CloseReason::GoAway, false, now, random, out);
            core.limit_changed(connection, 0, now, out);
            core.stream_cut(connection, now, out);
            core.found_dead(connection, now, out);
            core.doubt(connection, now, out);
            core.trust(connection, now, out);
        });
        assert_eq!(before, self.picture(), "what is over changes nothing");
    }

    pub(super) fn look_where_due(&mut self) {
        let now = self.now;
        if let Some(connection) = self.some_peer(|peer| peer.look.is_some_and(|at| at <= now)) {
            self.look(connection);
        }
    }

    /// A connection that is told to drain looks at once.
    pub(super) fn look_early(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            self.look(connection);
        }
    }

    pub(super) fn look(&mut self, connection: ConnectionId) {
        self.show("look", connection);
        let now = self.now;
        let is_spare = self.serving() > self.floor() || self.peers[&connection].doubted.is_some();
        let took_calls = self.peers[&connection].takes_calls();
        self.see_if_idle(connection);
        let next = self.input(|core, out| core.look_at(connection, now, out));
        assert!(
            is_spare || took_calls == self.peers[&connection].takes_calls(),
            "the minimum is kept open, however old or idle"
        );
        self.check_look(connection, next);
        self.peers.get_mut(&connection).expect("a connection").look = next;
    }
}
