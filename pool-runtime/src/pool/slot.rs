//! One stream slot on one connection, and how to get it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::avoid::Avoid;
use super::core::{ConnectionId, Refusal};
use super::event::Event;
use super::forked::Forked;
use super::member::Member;
use super::shared::{Answer, Shared, TakeOrQueue};
use crate::Error;
use crate::conn::Connection;
use crate::error::{Kind, Phase};

/// The right to have one stream in flight on a connection. Given back exactly once: when it is dropped, or, after a
/// call that was cut short, as soon as the connection's task has then written the reset.
#[derive(Debug)]
pub(crate) struct Slot {
    member: Arc<Member>,
    /// The stream was cut short from this side, so the peer has yet to learn of its end.
    cut: AtomicBool,
}

impl Slot {
    /// A slot that was taken at the connection's gate.
    pub(super) fn new(member: Arc<Member>) -> Self {
        Self {
            member,
            cut: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.member.id
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.member.connection
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.member.shared
    }

    /// Nothing has come from the peer for long, while calls ran into their deadlines.
    pub(crate) fn doubt(&self) {
        self.shared().doubt(self.id());
        self.connection().link.control.doubt();
    }

    /// The call failed in a way that speaks against the peer.
    pub(crate) fn fault(&self) {
        self.shared().fault(&self.member);
    }

    /// The stream is cut short from this side: the slot is free once the peer has been told.
    pub(crate) fn cut_short(&self) {
        self.cut.store(true, Relaxed);
        self.shared().stream_cut(self.id());
    }

    /// Waits until the peer has been told of a stream that was cut short. For a slot that is used again without being
    /// given back; cancel safe.
    pub(crate) async fn until_reset(&self) {
        if self.cut.load(Relaxed) {
            let (held, written) = oneshot::channel::<Infallible>();
            self.connection().link.control.when_reset(Box::new(held));
            // Nothing is ever sent: this ends when the other end is dropped.
            let _ = written.await;
            self.cut.store(false, Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match *self.cut.get_mut() {
            true => {
                let slot = Self::new(self.member.clone());
                self.connection().link.control.when_reset(Box::new(slot));
            }
            false => self.shared().give_back(self.id(), &self.member.gate),
        }
    }
}

/// How a caller wants to wait.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    /// The call's deadline and how long it was in all.
    pub(crate) deadline: Option<(Instant, Duration)>,
    /// Waits through failed dials.
    pub(crate) for_ready: bool,
    /// The connections that it would rather not get.
    pub(crate) avoid: Avoid,
}

impl Wait {
    /// When to give up, and the reason then; never for a caller that waits for ready and has no deadline (gRPC's
    /// wait-for-ready: it ends with the deadline and nothing else).
    fn limit(&self, since: Instant, acquire_timeout: Duration) -> Option<(Instant, Limit)> {
        let patience = (since + acquire_timeout, Limit::AcquireTimeout(acquire_timeout));
        match self.deadline {
            Some((at, after)) if at <= patience.0 || self.for_ready => Some((at, Limit::Deadline(after))),
            None if self.for_ready => None,
            _ => Some(patience),
        }
    }
}

/// How often a waiting caller looks for dials that do not get on, because their runtime stands still: those of its own
/// runtime do.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Copy)]
enum Limit {
    Deadline(Duration),
    AcquireTimeout(Duration),
}

/// A place in the queue; leaves it when dropped.
struct Place<'a> {
    shared: &'a Arc<Shared>,
    waiter: u64,
    since: Instant,
    served: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.served {
            self.shared.give_up(self.waiter);
            self.shared.tell(|| Event::GaveUp {
                waited: self.since.elapsed(),
            });
        }
    }
}

impl Shared {
    /// Takes a slot, waiting for one if need be.
    ///
    /// Cancel safe: a caller that is dropped leaves the queue, and a slot that was on its way to it goes to the next.
    pub(crate) async fn acquire(self: &Arc<Self>, wait: Wait) -> Result<Slot, Error> {
        match self.try_take() {
            Some(slot) => Ok(slot),
            None => self.acquire_queued(wait).await,
        }
    }

    /// The same for a caller that found nothing free a moment ago.
    pub(crate) async fn acquire_queued(self: &Arc<Self>, wait: Wait) -> Result<Slot, Error> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::new(Kind::NoRuntime, &self.endpoint));
        }
        let since = Instant::now();
        let limit = wait.limit(since, self.config.acquire_timeout);
        // Goes round only when a dial died with the runtime it ran on: then this caller's runtime dials.
        loop {
            let (waiter, answer) = match self.take_or_queue(wait.for_ready, wait.avoid.clone()) {
                Ok(TakeOrQueue::Took(slot)) => return Ok(self.checked_out(slot, since)),
                Ok(TakeOrQueue::Queued(waiter, answer)) => (waiter, answer),
                Err(refusal) => return Err(self.refusal(refusal)),
            };
            self.tell(|| Event::Waiting);
            match self.wait_in(waiter, since, limit, answer).await? {
                Answer::Slot(slot) => return Ok(self.checked_out(slot, since)),
                Answer::Refused(Refusal::AskAgain) => {}
                Answer::Refused(refusal) => return Err(self.refusal(refusal)),
            }
            if self.is_runtime_gone() {
                return Err(Error::new(Kind::RuntimeGone, &self.endpoint));
            }
            // Every round is short of the limit, however fast runtimes come and go.
            if let Some((_, limit)) = limit.filter(|&(until, _)| until <= Instant::now()) {
                return Err(self.ran_out(limit));
            }
        }
    }

    async fn wait_in(
        self: &Arc<Self>,
        waiter: u64,
        since: Instant,
        limit: Option<(Instant, Limit)>,
        mut answer: oneshot::Receiver<Answer>,
    ) -> Result<Answer, Error> {
        let mut place = Place {
            shared: self,
            waiter,
            since,
            served: false,
        };
        loop {
            let look = Instant::now() + LOOK_AGAIN;
            let until = limit.map_or(look, |(until, _)| until.min(look));
            match (timeout_at(until, &mut answer).await, limit) {
                (Ok(answer), _) => {
                    // A notifier that was dropped has no slot in it: as if its dial had been abandoned.
                    let answer = answer.unwrap_or(Answer::Refused(Refusal::AskAgain));
                    place.served = matches!(answer, Answer::Slot(_));
                    return Ok(answer);
                }
                (Err(_), Some((end, limit))) if end <= until => return Err(self.ran_out(limit)),
                (Err(_), _) => self.step(|core, out| core.plan(Instant::now(), out)),
            }
        }
    }

    fn checked_out(&self, slot: Slot, since: Instant) -> Slot {
        self.tell(|| Event::CheckedOut {
            connection: slot.id(),
            waited: since.elapsed(),
        });
        slot
    }

    fn ran_out(self: &Arc<Self>, limit: Limit) -> Error {
        let phase = match self.core().serving() {
            0 => Phase::Connecting,
            _ => Phase::Waiting,
        };
        let kind = match limit {
            Limit::Deadline(after) => Kind::Deadline {
                after,
                inherited: false,
                phase,
            },
            Limit::AcquireTimeout(after) => Kind::AcquireTimeout { after, phase },
        };
        let error = Error::new(kind, &self.endpoint);
        // Whoever could not get a connection wants to know why the last one did not come up.
        match self.last_error() {
            _ if self.notices_fork() => error.because_of(Forked),
            Some(cause) if phase == Phase::Connecting => error.because_of(cause),
            _ => error,
        }
    }
}
