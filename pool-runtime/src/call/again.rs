//! Attempts one after the other: carries out what [`Retry`] decides.
//!
//! Between two attempts the call holds no slot, only what was kept of its request.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tonic::Code;

use super::attempt::Call;
use super::deadline::Timer;
use super::outcome::Failed;
use super::outgoing::Outgoing;
use super::retry::{Retry, Surroundings};
use crate::error::{Kind, Phase};
use crate::pool::event::Event;

/// After a failed attempt: waits as the policy has it and gives the request back for the next, or the failure if there
/// is no other attempt. Dropped in the delay, it leaves nothing behind.
pub(super) async fn next(
    call: &mut Call<'_>,
    retry: &mut Retry<'_>,
    mut failed: Box<Failed>,
) -> Result<Outgoing, Box<Failed>> {
    let shared = call.source.shared();
    let facts = failed.facts();
    let around = Surroundings {
        allowed: shared.ledger.failed(facts.counts(retry.codes())),
        left: call
            .timer
            .deadline
            .map(|deadline| deadline.at.duration_since(Instant::now())),
        random: fastrand::f64(),
    };
    let (Some(delay), Some(body)) = (retry.failed(facts, around), failed.body.take()) else {
        failed.too_late = retry.too_late();
        return Err(failed);
    };
    call.was_sent |= failed.was_sent;
    call.previous = retry.made();
    // What the attempt came to is not needed any more, least of all while the call sleeps.
    drop(failed);
    tell(call, facts.code, delay);
    if !sleep(&call.timer, delay).await {
        let error = call.error(Kind::Cancelled { phase: Phase::Waiting });
        return Err(Failed::found(error.after(call.attempts, call.was_sent), None));
    }
    Ok(body)
}

/// Waits between two attempts, no longer than the call's deadline. False if the incoming call was cancelled.
pub(super) async fn sleep(timer: &Timer, delay: Duration) -> bool {
    let now = Instant::now();
    let until = timer
        .deadline
        .map_or(now + delay, |deadline| deadline.at.min(now + delay));
    match timer.incoming() {
        Some(incoming) => incoming.until_cancelled(sleep_until(until)).await.is_some(),
        None => {
            sleep_until(until).await;
            true
        }
    }
}

fn tell(call: &Call<'_>, code: Code, delay: Duration) {
    let shared = call.source.shared();
    let attempt = call.previous + 1;
    tracing::debug!(endpoint = %shared.endpoint, attempt, ?delay, ?code, "call is retried");
    call.span.record_attempts(attempt);
    shared.ledger.retried();
    shared.tell(|| Event::Retried { attempt, delay, code });
}
