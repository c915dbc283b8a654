//! A request under way, and the ways in which it comes down.

use std::pin::Pin;
use std::task::{Context, Poll};

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::deadline::{Deadline, Timer};
use super::fate::Mark;
use super::fields::{self, STATUS_FIELD};
use super::head::{self, Head};
use super::hold::Hold;
use super::outcome;
use super::outgoing::{Outgoing, Pump};
use crate::Error;
use crate::error::{Kind, Phase};
use crate::pool::shared::Shared;
use crate::status;

/// A request under way: sent, or being sent, with no response yet. Dropped, it cancels the call.
pub(super) struct Flight {
    /// Taken when the flight is given up.
    pub(super) response: Option<ResponseFuture>,
    pub(super) pump: Option<Pump>,
    pub(super) hold: Option<Hold>,
    /// The body, if all of it was sent at once.
    pub(super) body: Option<Outgoing>,
    pub(super) mark: Mark,
}

/// What a request that was sent came to, if not to a response.
pub(super) enum Unanswered {
    /// The deadline has passed.
    Late(Deadline),
    /// The stream or its connection failed.
    Failed(h2::Error, Landed),
    /// The server, or a proxy in its place, failed the call at once, and a policy is to say what follows.
    TurnedDown(Box<http::Response<RecvStream>>, Start, Landed),
    /// The answer is not gRPC's.
    NotGrpc(Error),
    /// This side is to blame.
    Broken(Status),
}

/// What is left of a flight whose stream is over, or held by somebody else from here on.
pub(super) struct Landed {
    pub(super) hold: Hold,
    pub(super) pump: Option<Pump>,
}

/// What the connection has for a request within its time.
pub(super) type Answer = Result<Result<http::Response<RecvStream>, h2::Error>, Deadline>;

impl Flight {
    pub(super) fn land(&mut self) -> Result<Landed, Unanswered> {
        match self.hold.take() {
            Some(hold) => Ok(Landed {
                hold,
                pump: self.pump.take(),
            }),
            None => Err(Unanswered::Broken(Status::internal("the call lost its slot"))),
        }
    }
}

impl Flight {
    /// Why there is no response. Headers over its limit h2 answers with a reset.
    pub(super) fn unanswered(&self, error: h2::Error, landed: Landed, attempts: u32) -> Unanswered {
        let stream = self.response.as_ref().map(|response| response.stream_id().as_u32());
        let shared = landed.hold.slot().shared();
        let kind = (error.is_reset() && error.is_library())
            .then_some(stream)
            .flatten()
            .and_then(|stream| landed.hold.link().pace.blocks.take(stream))
            .map(|block| block.size)
            .and_then(|wire| fields::refused(wire, shared.config.http2.max_header_list_size));
        let Some(kind) = kind else {
            return Unanswered::Failed(error, landed);
        };
        landed.hold.cut_short();
        Unanswered::NotGrpc(Error::new(kind, &shared.endpoint).after(attempts, true))
    }
}

impl Flight {
    pub(super) fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<http::Response<RecvStream>, h2::Error>> {
        match &mut self.response {
            Some(response) => Pin::new(response).poll(cx),
            None => Poll::Pending,
        }
    }

    /// Cancels the call, if it has not landed. False if its reset waits, because many streams are given up at once: then
    /// the request goes out before it.
    pub(super) fn give_up(&mut self) -> bool {
        let Some(hold) = self.hold.take() else { return true };
        hold.cut_short();
        // Ends the task that sends the request's body, and with it the other handle of the stream.
        self.pump = None;
        let response = self.response.take();
        if !self.mark.is_young(Instant::now()) {
            return true;
        }
        let link = hold.slot().connection().link.clone();
        link.control.give_up(Box::new((response, hold)))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// How a response starts.
pub(super) struct Start {
    /// It is none: a proxy's error page, or headers that cannot be accepted.
    pub(super) failure: Option<Box<Kind>>,
    /// There is nothing after its headers.
    pub(super) has_ended: bool,
}

impl Start {
    /// Judges the headers of a response, and leaves in them only a status that counts and that can be read.
    pub(super) fn of(
        response: &mut http::Response<RecvStream>,
        head: &Head<'_>,
        shared: &Shared,
        timer: &Timer,
    ) -> Self {
        let has_ended = response.body().is_end_stream();
        let http_status = response.status();
        let headers = response.headers_mut();
        let limit = shared.config.http2.max_header_list_size;
        let failure = match fields::check_size(headers, STATUS_FIELD, limit) {
            Err(kind) => Some(kind),
            Ok(has_status) => {
                let judged = match (has_status, has_ended) {
                    (false, _) => Ok(()),
                    (true, false) => {
                        fields::remove_status(headers);
                        Ok(())
                    }
                    (true, true) => read_status(headers, head, shared, timer),
                };
                judged
                    .err()
                    .or_else(|| head::not_grpc(http_status, headers).map(Box::new))
            }
        };
        Self { failure, has_ended }
    }

    /// The call has failed already, in a way that speaks against the server.
    pub(super) fn is_fault(&self, headers: &HeaderMap) -> bool {
        match &self.failure {
            Some(kind) => outcome::is_fault(status::code(kind)),
            None => self.has_ended && outcome::is_fault(outcome::code(headers)),
        }
    }

    /// Whether this commits the call (R10). It does not if the server failed the call at once (Trailers-Only), or
    /// somebody answered in its place.
    pub(super) fn is_response(&self, headers: &HeaderMap) -> bool {
        let is_failure = || headers.contains_key(Status::GRPC_STATUS) && outcome::code(headers) != Code::Ok;
        self.failure.is_none() && !(self.has_ended && is_failure())
    }
}

/// The status of a call that is over with its headers.
fn read_status(headers: &mut HeaderMap, head: &Head<'_>, shared: &Shared, timer: &Timer) -> Result<(), Box<Kind>> {
    let path = head.uri.path();
    let place = || Some(format!("the server at {} does not implement {path}", shared.endpoint));
    fields::mend_status(headers, place)?;
    match timer.explains(headers) {
        Some(deadline) => Err(Box::new(deadline.exceeded(Phase::Requesting))),
        None => Ok(()),
    }
}
