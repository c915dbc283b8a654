//! A request under way, and the ways in which it comes down.

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::HeaderMap;
use tonic::{Code, Status};

use super::deadline::Deadline;
use super::fate::Mark;
use super::head;
use super::hold::Hold;
use super::outcome;
use super::outgoing::{Outgoing, Pump};
use crate::Error;
use crate::error::Kind;
use crate::status;

/// A request under way: sent, or being sent, with no response yet. Dropped, it cancels the call.
pub(super) struct Flight {
    pub(super) response: ResponseFuture,
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

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(hold) = &self.hold {
            hold.cut_short();
        }
    }
}

/// How a response starts.
pub(super) struct Start {
    /// It is none of gRPC's, but a proxy's error page, say.
    pub(super) not_grpc: Option<Kind>,
    /// There is nothing after its headers.
    pub(super) has_ended: bool,
}

impl Start {
    pub(super) fn of(response: &http::Response<RecvStream>) -> Self {
        Self {
            not_grpc: head::not_grpc(response.status(), response.headers()),
            has_ended: response.body().is_end_stream(),
        }
    }

    /// The call has failed already, in a way that speaks against the server.
    pub(super) fn is_fault(&self, headers: &HeaderMap) -> bool {
        match &self.not_grpc {
            Some(kind) => outcome::is_fault(status::code(kind)),
            None => self.has_ended && outcome::is_fault(outcome::code(headers)),
        }
    }

    /// Whether this commits the call (R10). It does not if the server failed the call at once (Trailers-Only), or
    /// somebody answered in its place.
    pub(super) fn is_response(&self, headers: &HeaderMap) -> bool {
        let is_failure = || headers.contains_key(Status::GRPC_STATUS) && outcome::code(headers) != Code::Ok;
        self.not_grpc.is_none() && !(self.has_ended && is_failure())
    }
}
