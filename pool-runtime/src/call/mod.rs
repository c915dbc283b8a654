//! One call: its deadline over everything, sending it again as long as the peer cannot have processed it, and making it
//! again as its policy has it.
//!
//! ```text
//!                                 +---- again: a delay, as `retry` decides -----+
//!                                 v                                             |
//! request -> Outgoing::begin -> attempt: a slot -> send -> await headers -> failed
//!                                 ^  |     ^                 |    |
//!      race: as `hedge` decides --+  |     +- not processed -+    +-> ResponseBody
//! ```
//!
//! [`attempt`] is what calls with and without a policy have in common. [`retry`] and [`hedge`] decide, on what
//! [`outcome`] makes of a failure, and do nothing else; [`again`] and [`race`] carry out what they decide.
//!
//! A call is made of HTTP: tonic encodes the request and decodes the response, and one way serves every shape.

mod again;
mod attempt;
mod body;
pub(crate) mod deadline;
mod fate;
pub(crate) mod fields;
mod flight;
pub(crate) mod head;
mod hedge;
mod history;
pub(crate) mod hold;
mod inherited;
pub(crate) mod outcome;
mod outgoing;
mod race;
mod retry;
mod span;

use std::sync::Arc;
use std::time::Duration;

use pool_call_policy::Attempts;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::consume_budget;
use tokio::time::Instant;
use tonic::Status;

use self::attempt::Call;
pub(crate) use self::body::Piece;
pub use self::body::ResponseBody;
use self::deadline::{Deadline, Timer};
pub(crate) use self::deadline::{GRPC_TIMEOUT, requested as requested_timeout, whole_header};
pub(crate) use self::head::{Common, Head, check_names};
use self::history::History;
pub use self::inherited::Inherited;
pub(crate) use self::outgoing::Outgoing;
use self::retry::Retry;
use self::span::CallSpan;
use crate::Error;
use crate::error::Kind;
use crate::pool::shared::Shared;
use crate::pool::slot::Slot;

/// Where a call gets its slot from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Any connection of the pool.
    Pool(&'a Arc<Shared>),
    /// The one of a lease, when it is this call's turn.
    Lease(&'a Arc<Shared>, &'a Arc<Mutex<Slot>>),
}

/// What the caller wants beyond what the request says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// The deadline that the client or the RPC states.
    pub(crate) deadline: Option<Duration>,
    /// The deadline if neither they nor the request state one.
    pub(crate) default_deadline: Option<Duration>,
    /// Waits while the endpoint cannot be reached.
    pub(crate) wait_for_ready: bool,
    /// Attempts beyond the first, for calls that may have been processed.
    pub(crate) attempts: Option<Attempts>,
}

/// Makes a call. Dropping the future at any point cancels the call and gives back what it holds.
pub(crate) async fn call(
    source: Source<'_>,
    head: &Head<'_>,
    body: Outgoing,
    options: &Options,
) -> Result<http::Response<ResponseBody>, Status> {
    let shared = source.shared();
    if Handle::try_current().is_err() {
        return Err(Error::new(Kind::NoRuntime, &shared.endpoint).into());
    }
    let now = Instant::now();
    let stated = [head.requested, options.deadline];
    let after = stated.into_iter().flatten().min().or(options.default_deadline);
    let own = after.map(|after| Deadline::after(now, after));
    let timer = Timer::new(own, Inherited::current());
    let history = History::default();
    let mut call = Call::new(
        source,
        head,
        &history,
        timer,
        options.wait_for_ready,
        CallSpan::of(shared, &head.uri),
    );
    let retry = match &options.attempts {
        // A request that streams is not hedged: its parts are made once, at the pace of one attempt. Nor is a call on a
        // lease, which has one stream.
        Some(Attempts::Hedge(policy)) if body.is_complete() && matches!(source, Source::Pool(_)) => {
            let span = call.span.clone();
            let outcome = span.ended(span.around(Box::pin(race::run(call, body, *policy, now))).await);
            if outcome.is_err() {
                consume_budget().await;
            }
            return outcome;
        }
        Some(Attempts::Retry(policy)) => {
            call.codes = Some(policy.codes);
            Some(Retry::new(policy))
        }
        Some(Attempts::Hedge(_)) | None => None,
    };
    match call.make(None, body, retry, now).await {
        Ok(response) => Ok(response),
        Err(failed) => {
            // A call that fails at once has not yielded yet: a caller that repeats it leaves room for other tasks.
            consume_budget().await;
            call.span.ended(failed.into_result(&shared.endpoint))
        }
    }
}

impl Source<'_> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::Pool(shared) | Self::Lease(shared, _) => shared,
        }
    }
}
