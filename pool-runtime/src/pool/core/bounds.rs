//! What the pool as a whole is told: its bounds, how many connections to hold ready, its end.

use std::time::Duration;

use tokio::time::Instant;

use super::Core;
use super::effect::{Effect, Refusal};
use crate::pool::event::{CloseReason, ConnectionState};

impl<P, W> Core<P, W> {
    /// Changes the bounds (R2). Raising dials by need; lowering drains the surplus, idle connections first, and
    /// cuts nothing.
    pub(crate) fn resize(&mut self, min: usize, max: usize, now: Instant, out: &mut Vec<Effect<W>>) {
        self.policy.min_connections = min;
        self.policy.max_connections = max;
        while self.serving() > max {
            let least = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, entry)| entry.takes_calls())
                .min_by_key(|(_, entry)| entry.in_flight())
                .map(|(index, _)| index);
            let Some(index) = least else { break };
            self.drain(index, CloseReason::Resized, out);
        }
        self.plan(now, out);
    }

    /// Asks for `n` connections until [`Core::unwarm`].
    pub(crate) fn warm(&mut self, n: usize, now: Instant, out: &mut Vec<Effect<W>>) {
        self.floors.push(n);
        self.plan(now, out);
    }

    pub(crate) fn unwarm(&mut self, n: usize) {
        if let Some(position) = self.floors.iter().position(|&floor| floor == n) {
            self.floors.swap_remove(position);
        }
    }

    /// This is a fork of the process that opened the connections, and none of its tasks is here. The connections stay listed
    /// and are not used: to close them is up to the parent.
    pub(crate) fn forked(&mut self, now: Instant, out: &mut Vec<Effect<W>>) {
        for entry in &mut self.entries {
            entry.dead = true;
            entry.set_apart();
        }
        self.dials.clear();
        self.refuse_where(|_| true, Refusal::AskAgain, out);
        self.plan(now, out);
    }

    /// Closes the pool: nothing new, waiters are told, what is in flight may finish. Again is the same.
    pub(crate) fn close(&mut self, cut_after: Duration, out: &mut Vec<Effect<W>>) {
        self.closed = true;
        self.refuse_where(|_| true, Refusal::Closed, out);
        for entry in &mut self.entries {
            entry.state = ConnectionState::Draining;
            entry.set_apart();
            out.push(Effect::Drain {
                connection: entry.id,
                reason: CloseReason::PoolClosed,
                cut_after: Some(cut_after),
            });
        }
    }
}
