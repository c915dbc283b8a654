//! An attempt: a slot, the request, and what comes of it. What the peer cannot have processed is sent again on another
//! slot, and stays the same attempt (R8).

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::RecvStream;
use http::{HeaderName, HeaderValue};
use pool_call_policy::Codes;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::body::{Account, ResponseBody};
use super::deadline::{Deadline, Origin, Timer};
use super::fate::{self, Fate, Mark};
use super::flight::{Answer, Flight, Landed, Start, Unanswered};
use super::head::Head;
use super::history::{History, Unprocessed};
use super::hold::Hold;
use super::outcome::{self, Failed, What};
use super::outgoing::{Outgoing, Pump};
use super::retry::Retry;
use super::span::CallSpan;
use super::{Source, again};
use crate::Error;
use crate::error::{Kind, Phase};
use crate::pool::event::Event;
use crate::pool::forked::Forked;
use crate::pool::slot::{Slot, Wait};

/// How many attempts there were before this one; absent on the first (R12).
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// A call under way: its attempts one after the other, or one of those side by side.
pub(super) struct Call<'a> {
    pub(super) source: Source<'a>,
    pub(super) head: &'a Head<'a>,
    pub(super) history: &'a History,
    pub(super) timer: Timer,
    pub(super) for_ready: bool,
    /// Other attempts of the call run beside this one: they avoid each other's connections.
    pub(super) is_hedged: bool,
    /// How often it was sent, replays included.
    pub(super) attempts: u32,
    /// Attempts before this one, replays not included.
    pub(super) previous: u32,
    /// An attempt before this one may have been processed.
    pub(super) was_sent: bool,
    /// The codes that the policy names, if there is one.
    pub(super) codes: Option<Codes>,
    pub(super) span: CallSpan,
}

/// Why a request on a slot came to nothing.
enum Failure {
    Final(Box<Failed>),
    /// The peer has not processed the call: it is sent again.
    Replay(Box<Replay>),
}

/// A request to be sent again.
struct Replay {
    body: Outgoing,
    /// How long the call waits before.
    pause: Duration,
}

impl<'a> Call<'a> {
    /// A call without a policy.
    pub(super) fn new(
        source: Source<'a>,
        head: &'a Head<'a>,
        history: &'a History,
        timer: Timer,
        for_ready: bool,
        span: CallSpan,
    ) -> Self {
        Self {
            source,
            head,
            history,
            timer,
            for_ready,
            is_hedged: false,
            attempts: 0,
            previous: 0,
            was_sent: false,
            codes: None,
            span,
        }
    }

    /// Makes the call on the slot it is given or one that it takes, and makes it again as `retry` has it.
    ///
    /// One loop for replays and retries: each future inside of another costs a call that succeeds at once, as most do,
    /// the moves into it and out of it.
    pub(super) async fn make(
        &mut self,
        mut slot: Option<Hold>,
        mut body: Outgoing,
        mut retry: Option<Retry<'_>>,
        mut now: Instant,
    ) -> Result<http::Response<ResponseBody>, Box<Failed>> {
        loop {
            let taken = match slot.take().or_else(|| self.take_at_once()) {
                Some(hold) => Ok(hold),
                // Apart, as all that few calls need: a call that succeeds at once carries no room for it.
                None => {
                    let taken = self.span.around(Box::pin(self.acquire())).await;
                    now = Instant::now();
                    taken
                }
            };
            let failure = match taken.and_then(|hold| self.check_time(now).map(|()| hold)) {
                Ok(hold) => match self.send(hold, body, now) {
                    Ok(mut flight) => {
                        let answer = poll_fn(|cx| self.poll_answer(&mut flight, cx)).await;
                        match self.conclude(&mut flight, answer) {
                            Ok(response) => return Ok(response),
                            Err(unanswered) => self.span.around(Box::pin(self.settle(flight, unanswered))).await,
                        }
                    }
                    Err(failure) => failure,
                },
                Err(error) => Failure::Final(Failed::found(error, Some(body))),
            };
            body = match (failure, &mut retry) {
                (Failure::Replay(replay), _) => {
                    let Replay { body, pause } = *replay;
                    if !pause.is_zero() && !Box::pin(again::sleep(&self.timer, pause)).await {
                        let error = self.error(Kind::Cancelled { phase: Phase::Waiting });
                        return Err(self.ended(Failed::found(error, None)));
                    }
                    body
                }
                (Failure::Final(failed), None) => return Err(self.ended(failed)),
                (Failure::Final(failed), Some(retry)) => {
                    let span = self.span.clone();
                    match span.around(Box::pin(again::next(self, retry, failed))).await {
                        Ok(body) => body,
                        Err(failed) => return Err(self.ended(failed)),
                    }
                }
            };
            now = Instant::now();
        }
    }

    /// The last failure, with what went before it.
    fn ended(&self, mut failed: Box<Failed>) -> Box<Failed> {
        failed.attempts = self.attempts;
        failed.was_sent |= self.was_sent;
        failed
    }

    fn take_at_once(&self) -> Option<Hold> {
        match self.source {
            Source::Pool(shared) if self.attempts == 0 => shared.try_take().map(Hold::Slot),
            Source::Pool(shared) => shared.try_take_avoiding(&self.history.avoid()).map(Hold::Slot),
            Source::Lease(..) => None,
        }
    }

    async fn acquire(&self) -> Result<Hold, Error> {
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
        hold.map_err(|error| error.of_incoming(inherited).after(self.attempts, false))
    }

    async fn wait_for_slot(&self) -> Result<Hold, Error> {
        let wait = Wait {
            deadline: self.timer.deadline.map(|deadline| (deadline.at, deadline.after)),
            for_ready: self.for_ready,
            avoid: self.history.avoid(),
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

    /// Puts the request on its slot's connection.
    fn send(&mut self, hold: Hold, body: Outgoing, now: Instant) -> Result<Flight, Failure> {
        let _entered = self.span.enter();
        self.attempts += 1;
        let mut head = self.head.request(self.timer.deadline, now);
        if self.previous > 0 {
            head.headers_mut()
                .insert(PREVIOUS_ATTEMPTS, HeaderValue::from(self.previous));
        }
        if self.is_hedged {
            self.history.add(hold.slot());
        }
        let mark = Mark::set(hold.link(), now);
        let (response, mut stream) = match hold.slot().connection().open(head) {
            Ok(opened) => opened,
            Err(error) => return Err(self.failed(&error, Fate::Unsent, &hold, Some(body))),
        };
        let (pump, hold, body) = if body.is_complete() {
            body.send_whole(&mut stream);
            (None, hold, Some(body))
        } else {
            let (ours, theirs) = hold.share();
            (Some(body.pump(stream, theirs)), ours, None)
        };
        Ok(Flight {
            response: Some(response),
            pump,
            hold: Some(hold),
            body,
            mark,
        })
    }

    fn poll_answer(&mut self, flight: &mut Flight, cx: &mut Context<'_>) -> Poll<Answer> {
        let _entered = self.span.enter();
        match flight.poll_response(cx) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => self.timer.poll(cx).map(Err),
        }
    }

    /// Makes a response of the answer, unless it is none, or none yet.
    fn conclude(&mut self, flight: &mut Flight, answer: Answer) -> Result<http::Response<ResponseBody>, Unanswered> {
        let answer = answer.map_err(Unanswered::Late)?;
        let landed = flight.land()?;
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => return Err(flight.unanswered(error, landed, self.attempts)),
        };
        let start = Start::of(&mut response, self.head, self.source.shared(), &self.timer);
        if self.codes.is_some() && !start.is_response(response.headers()) {
            return Err(Unanswered::TurnedDown(Box::new(response), start, landed));
        }
        self.answered(response, start, landed).map_err(Unanswered::NotGrpc)
    }

    /// Says what becomes of a request without a response, and takes its body back where it may be sent again.
    async fn settle(&self, mut flight: Flight, unanswered: Unanswered) -> Failure {
        let end = |what| Failure::Final(Failed::new(what, None));
        match unanswered {
            Unanswered::Late(deadline) => end(What::Error(self.ran_out(deadline, flight))),
            Unanswered::NotGrpc(error) => end(What::Error(error)),
            Unanswered::Broken(status) => end(What::Body(status)),
            Unanswered::TurnedDown(response, start, Landed { hold, pump }) => {
                // The peer wants no more of the request, if there is more.
                if !pump.as_ref().is_none_or(Pump::is_finished) {
                    hold.cut_short();
                }
                let body = match pump {
                    Some(pump) => pump.take_back().await,
                    None => flight.body.take(),
                };
                Failure::Final(self.turned_down(*response, start, body, hold))
            }
            Unanswered::Failed(error, Landed { hold, pump }) => {
                let fate = flight.mark.fate(&error, hold.link());
                // The peer has yet to learn of a reset from this side: the body failed, or h2 took offence at the answer.
                if error.is_reset() && !error.is_remote() {
                    hold.cut_short();
                }
                let failure = pump.as_ref().and_then(Pump::failure);
                let body = match (failure, pump) {
                    (Some(status), _) => return end(What::Body(status)),
                    (None, Some(pump)) if fate != Fate::Sent || self.codes.is_some() => pump.take_back().await,
                    (None, _) => flight.body.take(),
                };
                self.failed(&error, fate, &hold, body)
            }
        }
    }

    /// The call's time was over before the response began.
    fn ran_out(&self, deadline: Deadline, mut flight: Flight) -> Error {
        let link = flight.hold.as_ref().map(|hold| hold.slot().connection().link.clone());
        let is_message = flight.body.take().is_some_and(|body| body.is_message());
        let mark = flight.mark;
        if deadline.origin != Origin::Cancelled
            && let Some(hold) = &flight.hold
        {
            hold.slot().fault();
            if mark.timed_out(hold.link(), Instant::now()) {
                hold.slot().doubt();
            }
        }
        // Resets the stream. If its frames are queued as yet, h2 will send the headers and the reset, and drop the message.
        // That is nothing to a method that takes one message, but may be the begin of a call to one that takes a stream.
        let is_reset_first = flight.give_up();
        let unsent = is_message && is_reset_first && link.is_some_and(|link| mark.is_now(&link));
        let mut error = self.error(deadline.exceeded(Phase::Requesting));
        if self.source.shared().notices_fork() {
            error = error.because_of(Forked);
        }
        error.after(self.attempts, !unsent)
    }

    /// The response has begun: from here on the call is committed.
    fn answered(
        &mut self,
        response: http::Response<RecvStream>,
        start: Start,
        Landed { hold, pump }: Landed,
    ) -> Result<http::Response<ResponseBody>, Error> {
        if let Some(pump) = &pump {
            pump.commit();
        }
        if start.is_fault(response.headers()) {
            hold.slot().fault();
        }
        let (parts, receive) = response.into_parts();
        if start.has_ended {
            hold.link().pace.blocks.take(receive.stream_id().as_u32());
        }
        // A call that fails before it has anything to say does so in its headers (Trailers-Only).
        self.span.record_trailers(&parts.headers);
        if let Some(codes) = self.codes
            && start.has_ended
        {
            let code = outcome::code(&parts.headers);
            self.source.shared().ledger.ended(codes, code);
        }
        let (timer, account) = (self.timer.take(), self.account(self.codes));
        let body = ResponseBody::new(receive, start.has_ended, pump, hold, timer, account, self.span.clone());
        match start.failure {
            Some(kind) => Err(self.error(*kind).after(self.attempts, true)),
            None => Ok(http::Response::from_parts(parts, body)),
        }
    }

    /// The server, or a proxy in its place, failed the call at once, and a policy is to say what follows.
    fn turned_down(
        &self,
        response: http::Response<RecvStream>,
        start: Start,
        body: Option<Outgoing>,
        hold: Hold,
    ) -> Box<Failed> {
        let (parts, receive) = response.into_parts();
        if start.is_fault(&parts.headers) {
            hold.slot().fault();
        }
        self.history.add(hold.slot());
        self.span.record_trailers(&parts.headers);
        let (timer, account) = (Timer::default(), self.account(None));
        let unread = ResponseBody::new(receive, start.has_ended, None, hold, timer, account, self.span.clone());
        let what = match start.failure {
            Some(kind) => What::Error(self.error(*kind).after(self.attempts, true)),
            None => What::Answer(Box::new(http::Response::from_parts(parts, unread))),
        };
        Failed::new(what, body)
    }

    fn account(&self, codes: Option<Codes>) -> Account {
        Account {
            attempts: self.attempts,
            codes,
        }
    }

    /// The request failed before its response began: once more, if that is safe.
    fn failed(&self, error: &h2::Error, fate: Fate, hold: &Hold, body: Option<Outgoing>) -> Failure {
        let connection = hold.slot().id();
        let shared = self.source.shared();
        shared.call_failed_with(connection, hold.link(), error);
        self.history.add(hold.slot());
        let why = match fate {
            Fate::Sent => None,
            Fate::Unsent => Some(Unprocessed::Unsent),
            Fate::Refused if error.is_go_away() => Some(Unprocessed::GoAway {
                of_use: hold.link().pace.has_answered(),
            }),
            Fate::Refused => Some(Unprocessed::Refused),
        };
        if error.is_reset() && error.is_remote() {
            hold.slot().fault();
        }
        let mut body = body.filter(Outgoing::can_replay);
        if let Some(why) = why
            && matches!(self.source, Source::Pool(_))
            && !fate::is_malformed(error)
            && body.is_some()
            && let Some(pause) = self.history.replay(why, fastrand::f64())
            && let Some(body) = body.take()
        {
            tracing::debug!(endpoint = %shared.endpoint, connection, ?why, ?pause, %error, "call is sent again");
            shared.ledger.replayed();
            shared.tell(|| Event::Replayed { connection });
            return Failure::Replay(Box::new(Replay { body, pause }));
        }
        let kind = match self.timer.deadline {
            Some(deadline) if deadline.explains(error) => deadline.exceeded(Phase::Requesting),
            _ => fate::kind(error, Phase::Requesting, hold.link()),
        };
        let error = self.error(kind).after(self.attempts, fate == Fate::Sent);
        Failure::Final(Failed::found(error, body))
    }

    pub(super) fn error(&self, kind: Kind) -> Error {
        Error::new(kind, &self.source.shared().endpoint)
    }
}
