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
use super::history::History;
use super::hold::Hold;
use super::outcome::Failed;
use super::outgoing::Outgoing;
use super::span::CallSpan;
use super::{Head, Inherited, Source};
use crate::Error;
use crate::error::{Kind, Phase};
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
        history: call.history,
        deadline: call.timer.deadline,
        incoming: call.timer.incoming().cloned(),
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
    history: &'a History,
    deadline: Option<Deadline>,
    incoming: Option<Inherited>,
    for_ready: bool,
    codes: Codes,
    span: CallSpan,
    since: Instant,
}

/// An attempt on its way.
type Attempt<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;
type Outcome = Result<http::Response<ResponseBody>, Box<Failed>>;

impl<'a> Race<'a> {
    async fn run(&'a self, mut hedge: Hedge, body: Outgoing) -> Result<http::Response<ResponseBody>, Status> {
        let shared = self.source.shared();
        let deadline = self.deadline.map(|deadline| deadline.at);
        let mut attempts = vec![self.attempt(0, None, body.again(), self.since)];
        hedge.begin(self.since);
        let (mut sent, mut was_sent) = (0, false);
        loop {
            if attempts.is_empty() && self.is_cancelled_before(hedge.due()).await {
                let error = Error::new(Kind::Cancelled { phase: Phase::Waiting }, &shared.endpoint);
                return Err(error.after(sent, was_sent).into());
            }
            let mut failed = match next(&mut attempts, hedge.due()).await {
                None => {
                    self.hedge(&mut hedge, &mut attempts, &body);
                    continue;
                }
                Some(Ok(response)) => return Ok(response),
                Some(Err(failed)) => failed,
            };
            sent += failed.attempts;
            was_sent |= failed.was_sent;
            let facts = failed.facts();
            let allowed = shared.ledger.failed(facts.counts(self.codes));
            let under_way = attempts.len();
            // One that was refused, and finds no room to be sent again, says nothing of those that are on their way.
            if under_way > 0 && failed.is_turned_away() {
                continue;
            }
            let now = Instant::now();
            if hedge.failed(facts, allowed, under_way, now, deadline) == Verdict::Over {
                // One that is due, and does not come, comes too late.
                failed.too_late = hedge.due().map(|due| due.saturating_duration_since(now));
                failed.attempts = sent + u32::try_from(under_way).unwrap_or(u32::MAX);
                failed.was_sent = was_sent || under_way > 0;
                return failed.into_result(&shared.endpoint);
            }
        }
    }

    /// Waits with no attempt under way, which would see for itself that the incoming call is cancelled.
    async fn is_cancelled_before(&self, due: Option<Instant>) -> bool {
        match (&self.incoming, due) {
            (Some(incoming), Some(due)) => incoming.until_cancelled(sleep_until(due)).await.is_none(),
            _ => false,
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
        let slot = shared.try_take_avoiding(&self.history.avoid()).map(Hold::Slot);
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
        let timer = Timer::new(self.deadline, self.incoming.clone());
        let mut call = Call::new(
            self.source,
            self.head,
            self.history,
            timer,
            self.for_ready,
            self.span.clone(),
        );
        call.is_hedged = true;
        // Should the response break off, its error tells of the attempts before, too.
        call.attempts = previous;
        call.previous = previous;
        call.codes = Some(self.codes);
        Box::pin(async move {
            call.make(slot, body, None, now).await.map_err(|mut failed| {
                failed.attempts = failed.attempts.saturating_sub(previous);
                failed
            })
        })
    }
}

/// Waits until an attempt ends, which is taken out; `None` if the next is due first.
async fn next(attempts: &mut Vec<Attempt<'_>>, due: Option<Instant>) -> Option<Outcome> {
    let mut due = pin!(due.map(sleep_until));
    poll_fn(|cx| {
        for index in 0..attempts.len() {
            if let Poll::Ready(outcome) = attempts[index].as_mut().poll(cx) {
                // The attempt that has ended holds nothing any more.
                drop(attempts.swap_remove(index));
                return Poll::Ready(Some(outcome));
            }
        }
        match due.as_mut().as_pin_mut() {
            Some(due) => due.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
