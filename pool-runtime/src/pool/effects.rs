//! Carries out what the core decides.
//!
//! Under the lock, numbers are turned into handles; everything else comes after it: nothing is awaited, dialled or called
//! back under the lock, and no [`Slot`] is dropped under it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Release;

use h2::Reason;
use tokio::time::Instant;

use super::core::{ConnectionId, Effect, Refusal};
use super::dial::{self, Dial};
use super::event::{CloseReason, Event};
use super::member::Member;
use super::shared::{Answer, Notifier, PoolCore, Shared, slot_on};
use super::slot::Slot;
use crate::conn::Link;
use crate::conn::control::Drain;

/// The effects of one step that are carried out without the lock.
#[derive(Default)]
struct Work {
    grants: Vec<(Notifier, Slot)>,
    refusals: Vec<(Notifier, Refusal)>,
    drains: Vec<Draining>,
    dials: Vec<(Dial, Option<Instant>)>,
}

/// A connection that is to drain.
struct Draining {
    connection: ConnectionId,
    link: Arc<Link>,
    order: Drain,
    /// The pool's handle of it, to be dropped.
    handle: Option<Arc<Member>>,
}

impl Shared {
    /// One step of the core, and its effects.
    pub(crate) fn step<R>(self: &Arc<Self>, step: impl FnOnce(&mut PoolCore, &mut Vec<Effect<Notifier>>) -> R) -> R {
        self.step_telling(step, |_| ())
    }

    /// The same, with a word to the observers in between: a cause is told before its effects are carried out, so
    /// that a connection is opened before it is handed out, or another drains for it.
    pub(super) fn step_telling<R>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut PoolCore, &mut Vec<Effect<Notifier>>) -> R,
        tell: impl FnOnce(&R),
    ) -> R {
        let mut effects = Vec::new();
        let mut core = self.core();
        let result = step(&mut core, &mut effects);
        self.version.store(core.version(), Release);
        if effects.is_empty() {
            drop(core);
            tell(&result);
            return result;
        }
        let work = self.resolve(&mut core, effects);
        drop(core);
        tell(&result);
        self.carry_out(work);
        result
    }

    /// Turns numbers into handles, under the lock that keeps them true.
    fn resolve(self: &Arc<Self>, core: &mut PoolCore, effects: Vec<Effect<Notifier>>) -> Work {
        let mut work = Work::default();
        for effect in effects {
            match effect {
                Effect::Dial { id, at } => work.dials.push((Dial::new(self.clone(), id), at)),
                Effect::Refuse { waiter, why } => work.refusals.push((waiter, why)),
                Effect::Grant { waiter, connection } => {
                    if let Some(slot) = core.entry_mut(connection).and_then(|entry| slot_on(entry)) {
                        work.grants.push((waiter, slot));
                    }
                }
                Effect::Drain {
                    connection,
                    reason,
                    cut_after,
                } => {
                    if let Some(entry) = core.entry_mut(connection) {
                        work.drains.push(Draining {
                            connection,
                            link: entry.payload.link.clone(),
                            order: Drain { reason, cut_after },
                            handle: entry.payload.member.take(),
                        });
                    }
                }
            }
        }
        work
    }

    /// Reports the peer's GOAWAY, if that is why the connection drains.
    fn tell_goaway(&self, draining: &Draining) {
        let Draining {
            connection,
            link,
            order,
            ..
        } = draining;
        let Some(goaway) = link.goaway().filter(|_| is_goaway(order.reason)) else {
            return;
        };
        match goaway.code {
            Reason::NO_ERROR => tracing::debug!(endpoint = %self.endpoint, connection, "{goaway}"),
            _ => tracing::warn!(endpoint = %self.endpoint, connection, "{goaway}"),
        }
        self.tell(|| Event::GoAway {
            connection: *connection,
            code: goaway.code.into(),
            debug_data: &goaway.debug_data,
        });
    }

    fn carry_out(self: &Arc<Self>, work: Work) {
        for mut draining in work.drains {
            draining.link.control.drain(draining.order);
            drop(draining.handle.take());
            self.tell_goaway(&draining);
            self.tell(|| Event::Draining {
                connection: draining.connection,
                reason: draining.order.reason,
            });
        }
        for (notifier, slot) in work.grants {
            // A caller that is gone sends the slot back here, where its drop gives it to the next in line.
            drop(notifier.send(Answer::Slot(slot)));
        }
        for (notifier, why) in work.refusals {
            drop(notifier.send(Answer::Refused(why)));
        }
        for (dial, at) in work.dials {
            dial::spawn(dial, at);
        }
    }
}

fn is_goaway(reason: CloseReason) -> bool {
    matches!(reason, CloseReason::GoAway | CloseReason::TooManyPings)
}
