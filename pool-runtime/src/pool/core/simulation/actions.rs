//! What can happen: to callers, dials and the pool. What befalls a connection that is up is in [`super::connections`].

use std::time::Duration;

use super::world::{Peer, Stage, World};
use crate::pool::core::{ConnectionId, DialId, Opened};
use crate::pool::picker::{self, Load, Strategy};

/// One thing that happens, chosen at random among those that can happen now.
pub(super) type Action = fn(&mut World);

/// What happens, and how often as compared to the others.
pub(super) const ACTIONS: [(u32, Action); 31] = [
    (20, World::call),
    (20, World::call_past_the_pool),
    (4, World::remember),
    (25, World::give_some_back),
    (5, World::cut_a_call),
    (1, World::cut_many_calls),
    (6, World::give_up),
    (15, World::start_a_dial),
    (15, World::bring_a_dial_up),
    (5, World::fail_a_dial),
    (1, World::abandon_a_dial),
    (4, World::change_a_limit),
    (2, World::go_away),
    (2, World::lose_a_connection),
    (2, World::find_one_dead),
    (3, World::saturate_or_relax),
    (2, World::doubt_one),
    (4, World::trust_one),
    (6, World::end_a_drained_connection),
    (4, World::hear_late_news),
    (15, World::look_where_due),
    (2, World::look_early),
    (10, World::let_time_pass),
    (2, World::let_much_time_pass),
    (1, World::resize),
    (1, World::warm),
    (2, World::unwarm),
    (2, World::prod),
    (2, World::plan),
    (1, World::close_perhaps),
    (1, World::close_again),
];

impl World {
    fn call(&mut self) {
        self.show("call", self.callers);
        let nobody_waits = self.queue.is_empty();
        let is_free = self.is_slot_free();
        let avoid = self.some_to_avoid();
        let took = self.input_booked(
            |core, out| core.try_take(&avoid, out).map(|entry| entry.id),
            |world, took| {
                if let Some(connection) = *took {
                    world.took(connection);
                }
            },
        );
        assert!(
            took.is_none() || nobody_waits,
            "a new caller does not overtake those who wait"
        );
        assert_eq!(
            took.is_some(),
            is_free && nobody_waits && !self.closed,
            "a free slot is taken"
        );
        if took.is_none() {
            if self.rng.u8(..8) == 0 {
                self.give_some_back();
            }
            let patient = self.rng.bool();
            self.enqueue(patient);
        }
    }

    /// As the driver does first: at the gates of the connections that a thread remembers, however long ago.
    fn call_past_the_pool(&mut self) {
        self.show("call past the pool", self.callers);
        let gates: Vec<_> = self.remembered.iter().map(|id| (*id, self.gates[id].clone())).collect();
        let loads = gates.iter().map(|(_, gate)| Load {
            in_flight: gate.read().in_flight(),
            has_room: gate.admits(gate.read()),
            ..Load::default()
        });
        let ties = self.rng.u64(1..);
        let Some(index) = picker::pick(Strategy::LeastLoaded, loads, &mut 0, ties) else {
            self.check_refused_past_the_pool();
            return self.call();
        };
        let (connection, gate) = &gates[index];
        assert!(gate.try_take(), "a gate does as it says");
        assert!(self.queue.is_empty(), "nobody who waits is overtaken");
        self.took(*connection);
    }

    /// A thread learns which connections there are.
    fn remember(&mut self) {
        self.remembered = self.core.entries().iter().map(|entry| entry.id).collect();
    }

    fn give_some_back(&mut self) {
        if let Some(connection) = self.some_slot() {
            self.show("give back", connection);
            self.give_back(connection);
        }
    }

    fn cut_a_call(&mut self) {
        if let Some(connection) = self.some_slot() {
            self.show("cut", connection);
            self.cut(connection);
            self.give_back(connection);
        }
    }

    fn cut_many_calls(&mut self) {
        if let Some(connection) = self.some_peer(|_| true) {
            self.show("cut many", connection);
            for _ in 0..self.rng.u32(..300) {
                self.cut(connection);
            }
        }
    }

    fn cut(&mut self, connection: ConnectionId) {
        let now = self.now;
        if let Some(peer) = self.peers.get_mut(&connection) {
            peer.cuts.push(now);
        }
        self.input(|core, out| core.stream_cut(connection, now, out));
    }

    fn give_up(&mut self) {
        if !self.queue.is_empty() {
            let index = self.rng.usize(..self.queue.len());
            let caller = self.queue.remove(index).expect("in the queue");
            self.show("give up", caller.number);
            self.core.give_up(caller.place);
            // By then it may have been answered: again is the same.
            self.core.give_up(caller.place);
        }
    }

    fn start_a_dial(&mut self) {
        let now = self.now;
        let is_due = |stage| matches!(stage, Stage::Ordered { due, .. } if due <= now);
        if let Some(id) = self.some_dial(is_due) {
            self.start(id);
        }
    }

    pub(super) fn start(&mut self, id: DialId) {
        self.show("dial starts", id);
        let now = self.now;
        let stage = self.dials.remove(&id).expect("ordered");
        let in_time = matches!(stage, Stage::Ordered { backoff: false, .. }) && !stage.is_overdue(now);
        let needed = self.wanted_for_callers() > self.live_dials() + self.freshly_doubted();
        if self.core.dial_starts(id, now) {
            assert!(!self.closed, "a closed pool dials no more");
            self.dials.insert(id, Stage::Running(now));
        } else {
            assert!(
                self.closed || !(in_time || needed),
                "a dial that callers need is not called off"
            );
        }
    }

    fn bring_a_dial_up(&mut self) {
        if let Some(id) = self.some_dial(Stage::is_running) {
            let limits = [0, 1, 2, 3, 10, u32::MAX];
            let limit = limits[self.rng.usize(..limits.len())];
            self.bring_up(id, limit);
        }
    }

    pub(super) fn bring_up(&mut self, id: DialId, limit: u32) {
        self.show("dial comes up", id);
        let now = self.now;
        let expires = (self.rng.u8(..4) > 0).then(|| now + Duration::from_secs(self.rng.u64(1..900)));
        self.dials.remove(&id);
        let retiring = self.retiring();
        let opened = Opened {
            peer: None,
            peer_limit: limit,
            expires,
        };
        let was_stalled = self.is_stalled();
        let random = self.rng.f64();
        let connection = self.input_booked(
            |core, out| core.dialed(id, opened, |_, _| (), now, random, out),
            |world, connection| {
                if let Some(connection) = *connection {
                    let gate = world.core.entry_mut(connection).expect("it is up").gate.clone();
                    world.gates.insert(connection, gate);
                    world.peers.insert(connection, Peer::new(limit, now));
                    let surplus = world.core.serving() > world.core.policy().max_connections;
                    world.peers.entry(connection).and_modify(|peer| peer.surplus = surplus);
                    if limit > 0 {
                        world.failures = 0;
                        world.backoff_until = None;
                    } else if was_stalled {
                        world.fails(random);
                    }
                    world.losses = world.losses.saturating_sub(1);
                    world.last_limit = Some(limit);
                }
            },
        );
        assert_eq!(
            connection.is_none(),
            self.closed,
            "a closed pool keeps no connection that comes up"
        );
        if let Some(connection) = connection {
            self.check_surplus(connection);
            assert!(
                retiring == 0 || self.retiring() < retiring,
                "a connection past its lifetime goes when another comes up"
            );
        }
    }

    fn fail_a_dial(&mut self) {
        if let Some(id) = self.some_dial(Stage::is_running) {
            self.fail(id);
        }
    }

    pub(super) fn fail(&mut self, id: DialId) {
        self.show("dial fails", id);
        let (now, random) = (self.now, self.rng.f64());
        self.dials.remove(&id);
        self.losses = 0;
        self.fails(random);
        self.input(|core, out| core.dial_failed(id, now, random, out));
    }

    fn abandon_a_dial(&mut self) {
        if let Some(id) = self.some_dial(|_| true) {
            self.show("dial is abandoned", id);
            self.dials.remove(&id);
            self.abandoning = true;
            self.input(|core, out| core.dial_abandoned(id, out));
            self.abandoning = false;
        }
    }

    fn let_time_pass(&mut self) {
        let time = Duration::from_millis(self.rng.u64(..2_000));
        self.show("milliseconds pass", time.as_millis() as u64);
        self.now += time;
    }

    fn let_much_time_pass(&mut self) {
        let time = Duration::from_secs(self.rng.u64(..600));
        self.show("seconds pass", time.as_secs());
        self.now += time;
    }

    fn resize(&mut self) {
        let max = self.rng.usize(1..=5);
        let min = self.rng.usize(0..=2).min(max);
        self.show("resize to", max as u64);
        let now = self.now;
        self.input(|core, out| core.resize(min, max, now, out));
    }

    fn warm(&mut self) {
        let n = self.rng.usize(1..=3).min(self.core.policy().max_connections);
        self.show("warm", n as u64);
        let now = self.now;
        self.floors.push(n);
        self.input(|core, out| core.warm(n, now, out));
        self.check_warm();
    }

    fn unwarm(&mut self) {
        if let Some(n) = self.floors.pop() {
            self.show("unwarm", n as u64);
            self.core.unwarm(n);
        }
    }

    fn prod(&mut self) {
        self.show("prod", 0);
        let now = self.now;
        if self.serving() == 0 {
            self.losses = self.losses.max(1);
        }
        self.input(|core, out| core.prod(now, out));
    }

    fn plan(&mut self) {
        self.show("plan", 0);
        let now = self.now;
        self.input(|core, out| core.plan(now, out));
        // No more than so many dials are ordered of runtimes that stand still.
        let most = self.core.policy().max_connections.saturating_add(16);
        assert!(
            self.closed
                || self.dials.len() >= most
                || self.live_dials() + self.freshly_doubted() >= self.wanted_for_callers(),
            "what callers need is being dialled where it can begin"
        );
        assert!(
            !self.is_unreachable() || self.queue.iter().all(|caller| caller.patient),
            "a dial that cannot end is nothing to wait for"
        );
    }

    fn close_perhaps(&mut self) {
        if self.rng.u8(..8) == 0 {
            self.close();
        }
    }

    pub(super) fn close(&mut self) {
        self.show("close", 0);
        self.closed = true;
        self.input(|core, out| core.close(Duration::from_secs(30), out));
    }

    /// A shutdown after a close, say: only the time that calls have to finish is another.
    fn close_again(&mut self) {
        if self.closed {
            let before = self.picture();
            self.close();
            assert_eq!(before, self.picture(), "closing again changes nothing");
        }
    }

    fn some_slot(&mut self) -> Option<ConnectionId> {
        let slots = self.slots.len();
        (slots > 0).then(|| self.slots[self.rng.usize(..slots)])
    }

    pub(super) fn some_peer(&mut self, wanted: impl Fn(&Peer) -> bool) -> Option<ConnectionId> {
        let peers = self.peers.iter().filter(|(_, peer)| wanted(peer)).map(|(&id, _)| id);
        self.rng.choice(peers.collect::<Vec<_>>())
    }

    fn some_dial(&mut self, wanted: impl Fn(Stage) -> bool) -> Option<DialId> {
        let dials = self
            .dials
            .iter()
            .filter(|(_, stage)| wanted(**stage))
            .map(|(&id, _)| id);
        self.rng.choice(dials.collect::<Vec<_>>())
    }
}
