//! What an attempt without an answer ended with, as far as a policy asks.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use pool_call_policy::Codes;
use tonic::{Code, Status};

use super::body::ResponseBody;
use super::outgoing::Outgoing;
use crate::Error;
use crate::error::Kind;

/// An attempt that came to nothing before its response began.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) what: What,
    /// The body of the request, if it can be sent again.
    pub(super) body: Option<Outgoing>,
    /// How often the call was sent.
    pub(super) attempts: u32,
    /// The peer's application may have seen the request.
    pub(super) was_sent: bool,
    /// The delay before another attempt that the deadline leaves no time for.
    pub(super) too_late: Option<Duration>,
}

/// What it came to instead.
#[derive(Debug)]
pub(super) enum What {
    /// The server failed the call at once (Trailers-Only). Only calls with a policy have it here; to others it is a
    /// response like any.
    Answer(Box<http::Response<ResponseBody>>),
    /// A failure that was found on this side.
    Error(Error),
    /// The body of the request failed: whose that is, it is the caller's.
    Body(Status),
}

/// The longest pause that a server can ask for. One that asks for more gets no other attempt: sooner would be against its
/// wish, and a call without a deadline would sleep for days. gRPC's connection backoff goes no further either.
const MOST_PUSHBACK: Duration = Duration::from_secs(120);

/// What the server says of the next attempt (`grpc-retry-pushback-ms`; R11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushback {
    /// Exactly after this.
    After(Duration),
    /// None, please: a negative number, or what is none.
    Stop,
}

/// An attempt's end as policies see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) code: Code,
    pub(super) pushback: Option<Pushback>,
    /// This side refuses the call, and would again.
    pub(super) is_final: bool,
    /// The request is still there to be sent again.
    pub(super) has_body: bool,
}

impl Facts {
    /// Whether the failure counts against the retry budget of a call whose policy names `codes` (R13).
    pub(super) fn counts(self, codes: Codes) -> bool {
        !self.is_final && (codes.contains(self.code as i32) || self.pushback == Some(Pushback::Stop))
    }
}

impl Failed {
    pub(super) fn new(what: What, body: Option<Outgoing>) -> Box<Self> {
        let (attempts, was_sent) = match &what {
            What::Answer(_) => (1, true),
            What::Error(error) => (error.attempts(), error.was_sent()),
            What::Body(_) => (1, false),
        };
        Box::new(Self {
            what,
            body: body.filter(Outgoing::can_replay),
            attempts,
            was_sent,
            too_late: None,
        })
    }

    /// What failed on this side.
    pub(super) fn found(error: Error, body: Option<Outgoing>) -> Box<Self> {
        Self::new(What::Error(error), body)
    }

    pub(super) fn facts(&self) -> Facts {
        let (code, pushback, is_final) = match &self.what {
            What::Answer(response) => (code(response.headers()), pushback(response.headers()), false),
            What::Error(error) => (error.code(), None, is_final(error.kind())),
            What::Body(status) => (status.code(), None, true),
        };
        Facts {
            code,
            pushback,
            is_final,
            has_body: self.body.is_some(),
        }
    }

    /// The pool had no room for the attempt.
    pub(super) fn is_turned_away(&self) -> bool {
        matches!(&self.what, What::Error(error) if error.is_exhausted())
    }

    /// The caller's result. A status of the server's stays as it is; [`Error::of`] finds in it how many attempts there
    /// were, if there was more than one, and a deadline that left no time for another.
    pub(super) fn into_result(self, endpoint: &Arc<str>) -> Result<http::Response<ResponseBody>, Status> {
        let Self {
            attempts,
            was_sent,
            too_late,
            ..
        } = self;
        match self.what {
            What::Body(status) => Err(status),
            What::Error(error) => Err(error.after(attempts, was_sent).too_late(too_late).into()),
            What::Answer(response) if attempts > 1 || too_late.is_some() => {
                let code = code(response.headers());
                let mut status = Status::from_header_map(response.headers())
                    .unwrap_or_else(|| Status::unknown("the status cannot be read"));
                let error = Error::new(Kind::Answered { code }, endpoint)
                    .after(attempts, true)
                    .too_late(too_late);
                status.set_source(Arc::new(error));
                Err(status)
            }
            What::Answer(response) => Ok(*response),
        }
    }
}

/// The status in a response's headers or trailers; without one it is not known.
pub(super) fn code(headers: &HeaderMap) -> Code {
    headers
        .get(Status::GRPC_STATUS)
        .map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()))
}

/// A failure of the server rather than of the request: another server might well have served it.
pub(super) fn is_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Internal | Code::Unavailable
    )
}

/// What no other attempt would mend: the caller's time is up, the pool is closed, the request or the settings are
/// wrong. And what the pool turns away because it is full, it would not take in sooner if the call asked again.
fn is_final(kind: &Kind) -> bool {
    match kind {
        Kind::Connect
        | Kind::Lost { .. }
        | Kind::Reset { .. }
        | Kind::NotGrpc { .. }
        | Kind::HeaderList { .. }
        | Kind::HeaderNames { .. }
        | Kind::TwoStatuses
        | Kind::Answered { .. } => false,
        Kind::Config { .. }
        | Kind::Closed
        | Kind::QueueFull { .. }
        | Kind::AcquireTimeout { .. }
        | Kind::NothingFree
        | Kind::Deadline { .. }
        | Kind::Cancelled { .. }
        | Kind::Request { .. }
        | Kind::NoRuntime
        | Kind::RuntimeGone => true,
    }
}

pub(crate) fn pushback(headers: &HeaderMap) -> Option<Pushback> {
    let text = headers.get("grpc-retry-pushback-ms")?.as_bytes();
    let digits = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let delay = digits.and_then(|digits| digits.parse().ok()).map(Duration::from_millis);
    Some(match delay.filter(|&delay| delay <= MOST_PUSHBACK) {
        Some(delay) => Pushback::After(delay),
        None => Pushback::Stop,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn faults_are_the_servers() {
        let faults = [2, 4, 8, 13, 14];
        for code in 0..=16 {
            assert_eq!(is_fault(Code::from_i32(code)), faults.contains(&code), "{code}");
        }
    }

    #[test]
    fn a_pushback_is_a_number_of_milliseconds_or_a_stop() {
        let after = |ms| Some(Pushback::After(Duration::from_millis(ms)));
        let rows = [
            ("0", after(0)),
            ("250", after(250)),
            ("120000", after(120_000)),
            ("120001", Some(Pushback::Stop)),
            ("18446744073709551615", Some(Pushback::Stop)),
            ("18446744073709551616", Some(Pushback::Stop)),
            ("-1", Some(Pushback::Stop)),
            ("+1", Some(Pushback::Stop)),
            ("1.5", Some(Pushback::Stop)),
            ("", Some(Pushback::Stop)),
            (" 1", Some(Pushback::Stop)),
            ("soon", Some(Pushback::Stop)),
            ("é", Some(Pushback::Stop)),
        ];
        for (text, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(
                "grpc-retry-pushback-ms",
                HeaderValue::from_bytes(text.as_bytes()).unwrap(),
            );
            assert_eq!(pushback(&headers), expected, "{text:?}");
        }
        assert_eq!(pushback(&HeaderMap::new()), None);
    }
}
