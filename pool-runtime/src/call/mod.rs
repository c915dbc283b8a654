//! One call: its deadline over everything, and sending it again as long as the peer cannot have processed it.
//!
//! ```text
//! request -> Outgoing::begin -> acquire a slot -> send -> await headers -> ResponseBody
//!                                    ^                         |
//!                                    +--- not processed -------+
//! ```
//!
//! A call is made of HTTP: tonic encodes the request and decodes the response, and one way serves every shape.

mod body;
mod deadline;
mod fate;
mod head;
pub(crate) mod hold;
mod inherited;
mod outgoing;
mod span;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use h2::RecvStream;
use h2::client::ResponseFuture;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tracing::Instrument;

pub use self::body::ResponseBody;
use self::deadline::{Deadline, Origin, Timer};
pub(crate) use self::deadline::{GRPC_TIMEOUT, requested as requested_timeout};
use self::fate::{Fate, Mark};
pub(crate) use self::head::Head;
use self::hold::Hold;
pub use self::inherited::Inherited;
pub(crate) use self::outgoing::Outgoing;
use self::outgoing::Pump;
use crate::Error;
use crate::error::{Kind, Phase};
use crate::pool::shared::Shared;
use crate::pool::slot::{Slot, Wait};

/// How often a call that was never processed is sent again before it fails. A healthy pool needs one or two; a peer
/// that refuses everything must not be asked for ever.
const MAX_REPLAYS: u32 = 16;

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
}

/// Makes a call. Dropping the future at any point cancels the call and gives back what it holds.
pub(crate) async fn call(
    source: Source<'_>,
    head: &Head,
    body: Outgoing,
    options: Options,
) -> Result<http::Response<ResponseBody>, Status> {
    let span = span::of(source.shared(), &head.uri);
    if span.is_disabled() {
        return run(source, head, body, options, span).await;
    }
    let result = run(source, head, body, options, span.clone())
        .instrument(span.clone())
        .await;
    if let Err(status) = &result {
        span::record(&span, status.code());
    }
    result
}

async fn run(
    source: Source<'_>,
    head: &Head,
    mut body: Outgoing,
    options: Options,
    span: tracing::Span,
) -> Result<http::Response<ResponseBody>, Status> {
    if Handle::try_current().is_err() {
        return Err(Error::new(Kind::NoRuntime, &source.shared().endpoint).into());
    }
    let mut now = Instant::now();
    let stated = [deadline::requested(&head.own), options.deadline];
    let after = stated.into_iter().flatten().min().or(options.default_deadline);
    let own = after.map(|after| Deadline::after(now, after));
    let mut call = Call {
        timer: Timer::new(own, Inherited::current()),
        for_ready: options.wait_for_ready,
        head,
        source,
        attempts: 0,
        span,
    };
    loop {
        let hold = match call.take_at_once() {
            Some(hold) => hold,
            None => {
                let hold = call.acquire().await?;
                now = Instant::now();
                hold
            }
        };
        call.check_time(now)?;
        body = match call.attempt(hold, body, now).await {
            Ok(response) => return Ok(response),
            Err(Failure::Final(status)) => return Err(*status),
            Err(Failure::Replay(body)) => body,
        };
        now = Instant::now();
    }
}

impl Source<'_> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::Pool(shared) | Self::Lease(shared, _) => shared,
        }
    }
}

/// A call under way.
struct Call<'a> {
    source: Source<'a>,
    head: &'a Head,
    timer: Timer,
    for_ready: bool,
    attempts: u32,
    span: tracing::Span,
}

/// Why an attempt came to nothing.
enum Failure {
    Final(Box<Status>),
    /// The peer has not processed the call, and here is its body again.
    Replay(Outgoing),
}

/// A request under way: sent, or being sent, with no response yet. Dropped, it cancels the call.
struct Flight {
    response: ResponseFuture,
    pump: Option<Pump>,
    hold: Option<Hold>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(hold) = &self.hold {
            hold.cut_short();
        }
    }
}

impl Call<'_> {
    fn take_at_once(&self) -> Option<Hold> {
        match self.source {
            Source::Pool(shared) => shared.try_take().map(Hold::Slot),
            Source::Lease(..) => None,
        }
    }

    async fn acquire(&self) -> Result<Hold, Status> {
        let hold = match self.timer.incoming() {
            None => self.wait_for_slot().await,
            // Apart, so that other calls carry no room for it.
            Some(incoming) => match Box::pin(incoming.until_cancelled(self.wait_for_slot())).await {
                Some(hold) => hold,
                None => Err(self.error(Kind::Cancelled { phase: Phase::Waiting })),
            },
        };
        // To the pool one deadline is like another.
        let inherited = self
            .timer
            .deadline
            .is_some_and(|deadline| deadline.origin == Origin::Incoming);
        hold.map_err(|error| error.of_incoming(inherited).after(self.attempts, false).into())
    }

    async fn wait_for_slot(&self) -> Result<Hold, Error> {
        let wait = Wait {
            deadline: self.timer.deadline.map(|deadline| (deadline.at, deadline.after)),
            for_ready: self.for_ready,
        };
        match self.source {
            Source::Pool(shared) => shared.acquire_queued(wait).await.map(Hold::Slot),
            Source::Lease(_, slot) => self.turn_on(slot.clone()).await,
        }
    }

    /// Waits until the call before this one on the same lease has ended, and the peer knows of it.
    async fn turn_on(&self, slot: Arc<Mutex<Slot>>) -> Result<Hold, Error> {
        let turn = async {
            let slot = slot.lock_owned().await;
            slot.until_reset().await;
            slot
        };
        let Some(deadline) = self.timer.deadline else {
            return Ok(Hold::Lease(turn.await));
        };
        timeout_at(deadline.at, turn)
            .await
            .map(Hold::Lease)
            .map_err(|_| self.error(deadline.exceeded(Phase::Waiting)))
    }

    /// A call whose time is over sends nothing.
    fn check_time(&self, now: Instant) -> Result<(), Error> {
        match self.timer.overdue(now) {
            Some(deadline) => Err(self
                .error(deadline.exceeded(Phase::Waiting))
                .after(self.attempts, false)),
            None => Ok(()),
        }
    }

    async fn attempt(
        &mut self,
        hold: Hold,
        body: Outgoing,
        now: Instant,
    ) -> Result<http::Response<ResponseBody>, Failure> {
        self.attempts += 1;
        let head = self.head.request(self.timer.deadline, now);
        let mark = Mark::set(hold.link());
        let (response, mut stream) = match hold.slot().connection().open(head, body.is_empty()) {
            Ok(opened) => opened,
            Err(error) => return Err(self.failed(&error, Fate::Unsent, &hold, Some(body))),
        };
        let mut whole = None;
        let (pump, hold) = if body.is_complete() {
            body.send_whole(&mut stream);
            drop(stream);
            whole = Some(body);
            (None, hold)
        } else {
            let (ours, theirs) = hold.share();
            (Some(body.pump(stream, theirs)), ours)
        };
        let mut flight = Flight {
            response,
            pump,
            hold: Some(hold),
        };
        let timer = &mut self.timer;
        let answer = poll_fn(|cx| match Pin::new(&mut flight.response).poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => timer.poll(cx).map(Err),
        });
        let answer = match answer.await {
            Ok(answer) => answer,
            Err(deadline) => return Err(self.ran_out(deadline, flight, whole.as_ref(), mark).into()),
        };
        // From here on the stream is over, or the body of the response holds the slot.
        let (Some(hold), pump) = (flight.hold.take(), flight.pump.take()) else {
            return Err(Failure::Final(Box::new(Status::internal("the call lost its slot"))));
        };
        match answer {
            Ok(response) => self.answered(response, pump, hold).map_err(Failure::from),
            Err(error) => {
                let fate = mark.fate(&error, hold.link());
                let failure = pump.as_ref().and_then(Pump::failure);
                let body = match (failure, pump) {
                    (Some(status), _) => return Err(Failure::Final(Box::new(status))),
                    (None, Some(pump)) if fate != Fate::Sent => pump.take_back().await,
                    (None, _) => whole,
                };
                Err(self.failed(&error, fate, &hold, body))
            }
        }
    }

    /// The call's time was over before the response began.
    fn ran_out(&self, deadline: Deadline, flight: Flight, whole: Option<&Outgoing>, mark: Mark) -> Error {
        let link = flight.hold.as_ref().map(|hold| hold.slot().connection().link.clone());
        // Resets the stream. If its frames are queued as yet, h2 will send the headers and the reset, and drop the message.
        // That is nothing to a method that takes one message, but may be the begin of a call to one that takes a stream.
        drop(flight);
        let is_message = whole.is_some_and(Outgoing::is_message);
        let unsent = is_message && link.is_some_and(|link| mark.is_now(&link));
        let error = self.error(deadline.exceeded(Phase::Requesting));
        error.after(self.attempts, !unsent)
    }

    /// The response has begun.
    fn answered(
        &mut self,
        response: http::Response<RecvStream>,
        pump: Option<Pump>,
        hold: Hold,
    ) -> Result<http::Response<ResponseBody>, Error> {
        if let Some(pump) = &pump {
            pump.commit();
        }
        let (parts, receive) = response.into_parts();
        // A call that fails before it has anything to say does so in its headers (Trailers-Only).
        span::record_trailers(&self.span, &parts.headers);
        let body = ResponseBody::new(receive, pump, hold, self.timer.take(), self.attempts, self.span.clone());
        match head::not_grpc(parts.status, &parts.headers) {
            Some(kind) => Err(self.error(kind).after(self.attempts, true)),
            None => Ok(http::Response::from_parts(parts, body)),
        }
    }

    /// The attempt failed before its response began: once more, if that is safe.
    fn failed(&self, error: &h2::Error, fate: Fate, hold: &Hold, body: Option<Outgoing>) -> Failure {
        let connection = hold.slot().id();
        self.source.shared().call_failed_with(connection, error);
        let may_move = matches!(self.source, Source::Pool(_));
        if let Some(body) = body
            && fate != Fate::Sent
            && may_move
            && body.can_replay()
            && self.attempts <= MAX_REPLAYS
            && !fate::is_malformed(error)
        {
            let shared = self.source.shared();
            tracing::debug!(endpoint = %shared.endpoint, connection, ?fate, %error, "call is sent again");
            shared.tell(|| crate::pool::event::Event::Replayed { connection });
            return Failure::Replay(body);
        }
        let kind = match self.timer.deadline {
            Some(deadline) if deadline.explains(error) => deadline.exceeded(Phase::Requesting),
            _ => fate::kind(error, Phase::Requesting, hold.link()),
        };
        self.error(kind).after(self.attempts, fate == Fate::Sent).into()
    }

    fn error(&self, kind: Kind) -> Error {
        Error::new(kind, &self.source.shared().endpoint)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(Box::new(error.into()))
    }
}
