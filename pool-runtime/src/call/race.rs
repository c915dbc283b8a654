//! Attempts side by side: carries out what [`Hedge`] decides.
//!
//! All attempts are polled by the caller's own task, and each holds a slot of its own. The first to be answered wins;
//! the others are dropped with the race, which cancels them.
//!
//! Only the first attempt, and one that is the only one under way, waits in line for a slot. Any other takes a slot
//! that is free at once: a hedge is to spare the caller a wait, and in a queue, or by a new connection, it would add to
//! the load that made it wait.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use pool_call_policy::{Codes, HedgingPolicy};
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::attempt::Call;
use super::body::ResponseBody;
use super::deadline::{Deadline, Timer};
use super::hedge::{Hedge, Verdict};
use super::hold::Hold;
use super::outcome::Failed;
use super::outgoing::Outgoing;
use super::span::CallSpan;
use super::{Head, Source};
use crate::pool::event::Event;

/// Makes a call with a body that is complete, in as many attempts as its policy has. Dropping the future cancels all.
pub(super) async fn run(
    call: Call<'_>,
    body: Outgoing,
    policy: HedgingPolicy,
    now: Instant,
) -> Result<http::Response<ResponseBody>, Status> {
    let race = Race {
        source: call.source,
        head: call.head,
        deadline: call.timer.deadline,
        for_ready: call.for_ready,
        codes: policy.non_fatal_codes,
        span: call.span,
        since: now,
    };
    race.run(Hedge::new(policy), body).await
}

/// What all attempts of a call have in common.
struct Race<'a> {
    source: Source<'a>,
    head: &'a Head<'a>,
    deadline: Option<Deadline>,
    for_ready: bool,
    codes: Codes,
    span: CallSpan,
    since: Instant,
}

/// An attempt on its way, and how often it was sent once it has ended.
type Attempt<'a> = Pin<Box<dyn Future<Output = (Outcome, u32)> + Send + 'a>>;
type Outcome = Result<http::Response<ResponseBody>, Box<Failed>>;

impl<'a> Race<'a> {
    async fn run(&'a self, mut hedge: Hedge, body: Outgoing) -> Result<http::Response<ResponseBody>, Status> {
        let shared = self.source.shared();
        let deadline = self.deadline.map(|deadline| deadline.at);
        let mut attempts = vec![self.attempt(0, None, body.again(), self.since)];
        hedge.begin(self.since);
        let (mut sent, mut was_sent) = (0, false);
        loop {
            let failed = match next(&mut attempts, hedge.due()).await {
                None => {
                    self.hedge(&mut hedge, &mut attempts, &body);
                    continue;
                }
                Some((Ok(response), _)) => return Ok(response),
                Some((Err(failed), times)) => {
                    sent += times;
                    failed
                }
            };
            let facts = failed.facts();
            let allowed = shared.ledger.failed(facts.counts(self.codes));
            if hedge.failed(facts, allowed, attempts.len(), Instant::now(), deadline) == Verdict::Over {
                sent += u32::try_from(attempts.len()).unwrap_or(u32::MAX);
                return failed.into_result(&shared.endpoint, sent, was_sent || !attempts.is_empty());
            }
            was_sent |= failed.was_sent();
        }
    }

    /// Begins the next attempt, if there is room for it.
    fn hedge(&'a self, hedge: &mut Hedge, attempts: &mut Vec<Attempt<'a>>, body: &Outgoing) {
        let shared = self.source.shared();
        let now = Instant::now();
        let is_alone = attempts.is_empty();
        if !is_alone && !shared.ledger.allows() {
            return hedge.stop();
        }
        let slot = shared.try_take().map(Hold::Slot);
        if !is_alone && slot.is_none() {
            return hedge.put_off(now);
        }
        attempts.push(self.attempt(hedge.begun(), slot, body.again(), now));
        hedge.begin(now);
        let (attempt, delay) = (hedge.begun(), now - self.since);
        tracing::debug!(endpoint = %shared.endpoint, attempt, ?delay, "call is hedged");
        self.span.record_attempts(attempt);
        shared.ledger.hedged();
        shared.tell(|| Event::Hedged { attempt, delay });
    }

    fn attempt(&'a self, previous: u32, slot: Option<Hold>, body: Outgoing, now: Instant) -> Attempt<'a> {
        let mut call = Call {
            source: self.source,
            head: self.head,
            timer: Timer::new(self.deadline),
            for_ready: self.for_ready,
            attempts: previous,
            previous,
            was_sent: false,
            codes: Some(self.codes),
            span: self.span.clone(),
        };
        Box::pin(async move {
            let outcome = call.attempt(slot, body, now).await;
            (outcome, call.attempts - previous)
        })
    }
}

/// Waits until an attempt ends, which is taken out, or until the next is due: then there is none.
async fn next(attempts: &mut Vec<Attempt<'_>>, due: Option<Instant>) -> Option<(Outcome, u32)> {
    let mut due = pin!(due.map(sleep_until));
    poll_fn(|cx| {
        for index in 0..attempts.len() {
            if let Poll::Ready((outcome, times)) = attempts[index].as_mut().poll(cx) {
                // The attempt that has ended holds nothing any more.
                drop(attempts.swap_remove(index));
                return Poll::Ready(Some((outcome, times)));
            }
        }
        match due.as_mut().as_pin_mut() {
            Some(due) => due.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
