//! What must be true.

use std::time::Duration;

use tokio::time::Instant;

use super::world::{Caller, Peer, WORKERS, World};
use crate::pool::core::{ConnectionId, Refusal};
use crate::pool::event::ConnectionState;

/// Each connection's number, state, slots and limit; callers that wait; dials.
pub(super) type Picture = (Vec<(ConnectionId, ConnectionState, u32, u32)>, usize, usize);

impl World {
    /// After every step.
    pub(super) fn check(&self) {
        self.check_books();
        self.check_limits();
        self.check_bounds();
        if self.closed {
            assert!(self.queue.is_empty(), "after close nobody waits");
            assert_eq!(self.serving(), 0, "after close no connection takes calls");
        } else {
            self.check_queue();
        }
    }

    /// The core counts what there is: slots come back exactly once, and nothing is counted twice or forgotten.
    fn check_books(&self) {
        for entry in self.core.entries() {
            let peer = self.peers.get(&entry.id).expect("no connection is kept that is gone");
            assert_eq!(entry.in_flight(), peer.held, "a slot is given back exactly once");
            assert_eq!(
                entry.takes_calls(),
                peer.takes_calls(),
                "a connection that drains or is dead takes no calls"
            );
            assert_eq!(entry.total_uses(), peer.uses, "every use counts once");
            assert_eq!(
                entry.gate.read().flags(),
                (peer.surplus || !peer.takes_calls(), !self.queue.is_empty()),
                "a gate knows whether the pool has a say"
            );
        }
        let entries = self.core.entries().len();
        assert_eq!(entries, self.peers.len(), "no connection is forgotten");
        assert_eq!(self.core.waiting(), self.queue.len(), "the queue holds who waits");
        assert_eq!(self.core.dials(), self.dials.len(), "a dial counts until it ends");
        let totals = self.core.totals();
        assert_eq!(totals.opened - totals.closed, entries as u64, "the sums add up");
        assert_eq!(totals.checkouts, self.checkouts, "the sums add up");
    }

    fn check_limits(&self) {
        let most = self.core.policy().max_total_uses.unwrap_or(u64::MAX);
        for peer in self.peers.values() {
            assert!(
                peer.held <= peer.ceiling,
                "the peer never sees more streams than it allowed"
            );
            assert!(
                peer.held <= self.core.policy().max_concurrent_streams,
                "no connection has more streams than are configured"
            );
            let max = self.core.policy().max_resets;
            let of_late = peer.cuts.iter().filter(|&&cut| cut + max.per > self.now).count();
            let is_young = self.now < peer.opened + Duration::from_millis(250);
            // That it is old enough now is seen by the next reset.
            let is_seen = peer
                .cuts
                .last()
                .is_some_and(|&cut| cut >= peer.opened + Duration::from_millis(250));
            assert!(
                of_late <= 2 * max.count as usize || is_young || !is_seen || !peer.is_in_use(),
                "no peer sees more resets than it bears"
            );
            assert!(peer.uses <= most, "no connection is used more often than it may be");
        }
    }

    fn check_bounds(&self) {
        let policy = self.core.policy();
        let most = policy.max_connections.saturating_add(policy.max_extra());
        assert!(self.serving() <= most, "no more connections serve than may");
    }

    /// A connection came up or was given back.
    pub(super) fn check_surplus(&mut self, connection: ConnectionId) {
        let is_over = self.serving() > self.core.policy().max_connections;
        let Some(peer) = self.peers.get_mut(&connection) else {
            return;
        };
        peer.surplus &= is_over;
        assert!(
            !peer.surplus || !peer.takes_calls() || peer.held > 0 || self.words.contains(&connection),
            "past the maximum a connection closes when it is given back"
        );
    }

    /// Whoever waits, waits for something.
    fn check_queue(&self) {
        if self.queue.is_empty() {
            return;
        }
        assert!(
            !self.is_slot_free() || !self.words.is_empty(),
            "nobody waits while a slot is free"
        );
        assert!(
            self.serving() > 0 || !self.dials.is_empty() || self.doubted() > 0,
            "nobody waits with neither a connection nor a dial"
        );
        assert!(
            // That a dial is overdue is only seen by the next step that plans.
            !self.is_unreachable()
                || self.live_dials() < self.dials.len()
                || self.queue.iter().all(|caller| caller.patient),
            "who does not wait for ready is told when nothing can be reached"
        );
        assert!(
            // Whether doubt lasts too long is only seen by the next step that plans.
            self.dials.len() + self.doubted() >= self.wanted_for_callers(),
            "what callers need is being dialled"
        );
    }

    /// A slot is about to be booked.
    pub(super) fn check_take(&self, connection: ConnectionId) {
        let peer = self
            .peers
            .get(&connection)
            .expect("only a connection that is there has slots");
        let limit = peer.limit.min(self.core.policy().max_concurrent_streams);
        assert!(!peer.draining, "a connection that drains is not handed out");
        assert!(!peer.dead, "a connection that was found dead is not handed out again");
        assert!(peer.held < limit, "no slot is handed out past the limit");
    }

    /// A dial was ordered.
    pub(super) fn check_order(&self, at: Option<Instant>) {
        assert!(!self.closed, "a closed pool dials no more");
        let backoff = self.backoff_until.filter(|&until| until > self.now);
        assert_eq!(
            at, backoff,
            "a dial waits for the end of the backoff, and for nothing else"
        );
    }

    /// Dials were ordered, and the step is over.
    pub(super) fn check_dials(&self) {
        let dials = self.live_dials() + self.freshly_doubted();
        let retiring = self.retiring();
        let kept = self.floor().saturating_sub(self.serving() - retiring);
        let saturated = usize::from(self.is_saturated());
        let others = kept.max(self.losses).max(retiring.min(1)).max(saturated);
        assert!(
            dials <= self.needed_for_callers().max(others),
            "no more is dialled than is needed"
        );
        assert!(
            self.failures == 0 || self.live_dials() == 1,
            "a failing endpoint is dialled by one alone"
        );
        assert!(self.live_dials() <= self.room(), "no more is dialled than may serve");
    }

    /// Nothing was had at the gates of the connections that are remembered.
    pub(super) fn check_refused_past_the_pool(&self) {
        let policy = self.core.policy();
        let most = policy.max_total_uses.unwrap_or(u64::MAX);
        let needs_no_decision = |id: &ConnectionId| {
            self.peers.get(id).is_some_and(|peer| {
                let has_room = peer.held < peer.limit.min(policy.max_concurrent_streams);
                has_room && peer.uses + 1 < most && peer.takes_calls() && !peer.surplus
            })
        };
        assert!(
            !self.queue.is_empty() || !self.remembered.iter().any(needs_no_decision),
            "a slot that needs no decision is had without one"
        );
    }

    /// A connection's task has said how busy it is.
    pub(super) fn check_saturation(&self) {
        let has_room = self.serving() + self.doubted() < self.core.policy().max_connections;
        assert!(
            self.closed || !self.is_saturated() || !has_room || !self.dials.is_empty() || self.doubted() > 0,
            "a pool that cannot do more gets another connection"
        );
    }

    /// Connections were asked for ahead of calls.
    pub(super) fn check_warm(&self) {
        let (serving, retiring) = (self.serving(), self.retiring());
        let doubted = self.doubted();
        let most = self
            .core
            .policy()
            .max_connections
            .saturating_add(retiring.min(1) + doubted.min(1));
        let missing = self.floor().saturating_sub(serving - retiring);
        let wanted = missing.min(most.saturating_sub(serving + doubted));
        let wanted = if self.failures > 0 { wanted.min(1) } else { wanted };
        assert!(
            self.closed || self.dials.len() + doubted >= wanted,
            "what is to be ready is being dialled"
        );
    }

    pub(super) fn check_refusal(&self, caller: &Caller, why: Refusal) {
        match why {
            Refusal::Closed => assert!(self.closed, "only a closed pool says so"),
            Refusal::AskAgain => assert!(self.abandoning, "only a dial that is abandoned makes callers ask again"),
            Refusal::Unreachable => {
                assert!(!caller.patient, "who waits for ready is not turned away");
                assert!(
                    self.is_unreachable(),
                    "nobody is turned away who has something to wait for"
                );
            }
            Refusal::QueueFull => unreachable!("who is in the queue has a place"),
        }
    }

    pub(super) fn check_look(&self, connection: ConnectionId, next: Option<Instant>) {
        let peer = &self.peers[&connection];
        assert!(next.is_none_or(|at| at > self.now), "the next look lies ahead");
        if !peer.takes_calls() {
            return;
        }
        let timeout = self.core.policy().idle_timeout;
        let latest = self.core.policy().idle_look().map(|after| self.now + after);
        assert!(
            latest.is_none() || next.is_some_and(|at| Some(at) <= latest),
            "whether a connection is idle is looked at in time"
        );
        if let (Some(timeout), Some(since)) = (timeout, peer.idle_since) {
            assert!(
                since + timeout > self.now || self.serving() <= self.floor(),
                "a connection that has fallen idle is kept only as part of the minimum"
            );
        }
    }

    pub(super) fn floor(&self) -> usize {
        let asked = self.floors.iter().copied().max().unwrap_or(0);
        asked.max(self.core.policy().min_connections)
    }

    pub(super) fn serving(&self) -> usize {
        self.peers.values().filter(|peer| peer.takes_calls()).count()
    }

    pub(super) fn retiring(&self) -> usize {
        let entries = self.core.entries().iter().filter(|entry| entry.takes_calls());
        entries.filter(|entry| entry.state == ConnectionState::Retiring).count()
    }

    pub(super) fn serving_without(&self, connection: ConnectionId) -> Vec<ConnectionId> {
        let serving = self.core.entries().iter().filter(|entry| entry.takes_calls());
        serving.map(|entry| entry.id).filter(|&id| id != connection).collect()
    }

    /// All that late news could change.
    pub(super) fn picture(&self) -> Picture {
        let entries = self.core.entries().iter();
        let entries = entries.map(|entry| (entry.id, entry.state, entry.in_flight(), entry.peer_limit));
        (entries.collect(), self.core.waiting(), self.core.dials())
    }

    pub(super) fn is_slot_free(&self) -> bool {
        let mine = self.core.policy().max_concurrent_streams;
        let mut peers = self.peers.values();
        peers.any(|peer| peer.takes_calls() && peer.held < peer.limit.min(mine))
    }

    fn room(&self) -> usize {
        let policy = self.core.policy();
        let most = policy.max_connections.saturating_add(policy.max_extra());
        most.saturating_add(self.retiring().min(1) + self.doubted().min(1))
            .saturating_sub(self.serving() + self.doubted())
    }

    pub(super) fn doubted(&self) -> usize {
        let in_doubt = |peer: &&Peer| peer.is_in_use() && peer.doubted.is_some();
        self.peers.values().filter(in_doubt).count()
    }

    /// Those that may be well again in a moment: as good as a dial.
    pub(super) fn freshly_doubted(&self) -> usize {
        let fresh = |since: Instant| self.now < since + Duration::from_millis(250);
        let in_doubt = |peer: &&Peer| peer.is_in_use() && peer.doubted.is_some_and(fresh);
        self.peers.values().filter(in_doubt).count()
    }

    /// Connections that it takes to serve all who wait at once.
    fn is_saturated(&self) -> bool {
        let mut serving = self.peers.values().filter(|peer| peer.takes_calls());
        (1..WORKERS).contains(&self.serving()) && serving.all(|peer| peer.saturated)
    }

    fn needed_for_callers(&self) -> usize {
        let policy = self.core.policy();
        let uses = policy
            .max_total_uses
            .map_or(u32::MAX, |uses| u32::try_from(uses).unwrap_or(u32::MAX));
        let newest = || {
            let serves = |peer: &&Peer| peer.takes_calls() && peer.limit > 0;
            self.peers.values().rev().find(serves).map(|peer| peer.limit)
        };
        let peer = match self.last_limit {
            Some(0) => newest(),
            limit => limit,
        };
        let each = peer.unwrap_or(u32::MAX).min(uses).min(policy.max_concurrent_streams);
        match self.is_stalled() {
            true => self.queue.len().min(1),
            false => self.queue.len().div_ceil(each as usize),
        }
    }

    /// There are connections, and no peer allows a stream.
    pub(super) fn is_stalled(&self) -> bool {
        let serves = |peer: &Peer| peer.takes_calls() && peer.limit > 0;
        self.serving() > 0 && !self.peers.values().any(serves)
    }

    pub(super) fn wanted_for_callers(&self) -> usize {
        let wanted = self.needed_for_callers().min(self.room());
        if self.failures > 0 { wanted.min(1) } else { wanted }
    }
}
