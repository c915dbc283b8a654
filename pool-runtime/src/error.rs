//! What went wrong, where, after how many attempts, and whether the request was sent.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};

use crate::call::fields::MOST_NAMES;
use crate::conn::error::{BoxError, ConnectError};
use crate::pool::event::CloseReason;
use crate::status;

/// Why a pool could not do what was asked of it.
///
/// Opaque, with predicates; `Display` tells its own level, [`source`](StdError::source) the cause. RPC methods return
/// it inside of a [`Status`], where [`Error::of`] finds it again:
///
/// ```
/// # use pool_runtime::Error;
/// # fn check(status: &tonic::Status) {
/// if let Some(error) = Error::of(status)
///     && error.is_timeout()
///     && !error.was_sent()
/// {
///     eprintln!("{} is overloaded: gave up in phase {:?}", error.endpoint(), error.phase());
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    endpoint: Arc<str>,
    attempts: u32,
    sent: bool,
    too_late: Option<Duration>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The part of a call in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for a free stream on a connection.
    Waiting,
    /// Waiting for a connection to come up.
    Connecting,
    /// Sending the request, or waiting for the response to begin.
    Requesting,
    /// Receiving the response.
    Responding,
}

/// The kinds of failure. What decides a status code is in here and nowhere else.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A setting that cannot be used.
    Config { field: &'static str, problem: String },
    /// The pool is closed.
    Closed,
    /// So many callers wait that no more are let in.
    QueueFull { max_waiters: usize },
    /// `acquire_timeout` ran out.
    AcquireTimeout { after: Duration, phase: Phase },
    /// Nothing is free for a caller who does not wait.
    NothingFree,
    /// The call's deadline ran out, or that of the incoming call that it was made for.
    Deadline {
        after: Duration,
        inherited: bool,
        phase: Phase,
    },
    /// The incoming call that this one was made for was cancelled.
    Cancelled { phase: Phase },
    /// No connection could be opened.
    Connect,
    /// The connection ended under the call.
    Lost {
        phase: Phase,
        reason: Option<CloseReason>,
        /// The GOAWAY or the error of the transport.
        detail: Option<Box<str>>,
    },
    /// The peer, or h2 on the peer's account, ended the stream.
    Reset { phase: Phase, reason: h2::Reason },
    /// The answer is not gRPC.
    NotGrpc {
        http_status: http::StatusCode,
        content_type: Option<String>,
    },
    /// A header block of the response is over `max_header_list_size`. Without a size, h2 has read only a part of it.
    HeaderList { size: Option<usize>, limit: u32 },
    /// A header block of the response has more names than a call can hold.
    HeaderNames { names: Option<usize> },
    /// The response's last block has more than one `grpc-status`.
    TwoStatuses,
    /// The server failed the call. That is told by its own status; this one comes with it.
    Answered { code: Code },
    /// The request cannot be put on an HTTP/2 connection.
    Request { problem: String },
    /// Nobody runs Tokio here.
    NoRuntime,
    /// The runtime on which a connection would be opened is shutting down, or is gone.
    RuntimeGone,
}

impl Error {
    pub(crate) fn new(kind: Kind, endpoint: &Arc<str>) -> Self {
        Self(Arc::new(Inner {
            kind,
            endpoint: endpoint.clone(),
            attempts: 0,
            sent: false,
            too_late: None,
            cause: None,
        }))
    }

    pub(crate) fn config(field: &'static str, problem: impl Into<String>, endpoint: &Arc<str>) -> Self {
        let problem = problem.into();
        Self::new(Kind::Config { field, problem }, endpoint)
    }

    pub(crate) fn connect(cause: &ConnectError, endpoint: &Arc<str>) -> Self {
        Self::new(Kind::Connect, endpoint).because_of(cause.clone())
    }

    pub(crate) fn because_of(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.because(Some(Box::new(cause)))
    }

    pub(crate) fn because(self, cause: Option<BoxError>) -> Self {
        self.change(|inner| inner.cause = cause.map(Arc::from))
    }

    /// States how often the call was tried, and whether the last attempt may have reached the peer's application.
    pub(crate) fn after(self, attempts: u32, sent: bool) -> Self {
        self.change(|inner| {
            inner.attempts = attempts;
            inner.sent = sent;
        })
    }

    /// States the delay before another attempt that the deadline leaves no time for, if there is one.
    pub(crate) fn too_late(self, delay: Option<Duration>) -> Self {
        match delay {
            Some(_) => self.change(|inner| inner.too_late = delay),
            None => self,
        }
    }

    /// States whether a deadline that ran out was that of the incoming call.
    pub(crate) fn of_incoming(self, is_it: bool) -> Self {
        match self.0.kind {
            Kind::Deadline { inherited, .. } if inherited != is_it => self.change(|inner| {
                if let Kind::Deadline { inherited, .. } = &mut inner.kind {
                    *inherited = is_it;
                }
            }),
            _ => self,
        }
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The error inside of a status that a pooled call returned, if this crate made that status, or if the server did and
    /// the call was tried more than once, or would have been but for its deadline ([`Error::is_answer`]).
    pub fn of(status: &Status) -> Option<&Self> {
        let mut cause = status.source();
        while let Some(error) = cause {
            if let Some(ours) = error.downcast_ref().or_else(|| InMessage::find(error)) {
                return Some(ours);
            }
            cause = error.source();
        }
        None
    }

    /// The pool was closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.0.kind, Kind::Closed)
    }

    /// Time ran out: the call's deadline, `acquire_timeout`, or `connect_timeout`. [`Error::phase`] says where.
    pub fn is_timeout(&self) -> bool {
        match &self.0.kind {
            Kind::Deadline { .. } | Kind::AcquireTimeout { .. } => true,
            Kind::Connect => self.connect_error().is_some_and(ConnectError::is_timeout),
            _ => false,
        }
    }

    /// The incoming call that this one was made for ended it: by its deadline (DEADLINE_EXCEEDED), or because it was
    /// cancelled (CANCELLED). See [`InheritLayer`](crate::InheritLayer).
    pub fn is_inherited(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::Cancelled { .. } | Kind::Deadline { inherited: true, .. }
        )
    }

    /// No connection could be opened.
    pub fn is_connect(&self) -> bool {
        matches!(self.0.kind, Kind::Connect)
    }

    /// The pool has no stream to give: the queue is full, the wait was too long, or the caller would not wait.
    pub fn is_exhausted(&self) -> bool {
        matches!(
            self.0.kind,
            Kind::QueueFull { .. } | Kind::AcquireTimeout { .. } | Kind::NothingFree
        )
    }

    /// The server failed the call itself. Its status, in which this error is, is as the server sent it; the error is
    /// there only if the call was tried more than once, to say [how often](Error::attempts), or if its deadline left
    /// [no time](Error::retry_outlasts_deadline) for another attempt.
    pub fn is_answer(&self) -> bool {
        matches!(self.0.kind, Kind::Answered { .. })
    }

    /// A setting cannot be used; the message names it.
    pub fn is_config(&self) -> bool {
        matches!(self.0.kind, Kind::Config { .. })
    }

    /// The target; empty if what was given to the builder is none.
    pub fn endpoint(&self) -> &str {
        &self.0.endpoint
    }

    /// In which part of the call it failed, if it failed in a call.
    pub fn phase(&self) -> Option<Phase> {
        match self.0.kind {
            Kind::Deadline { phase, .. }
            | Kind::Cancelled { phase }
            | Kind::AcquireTimeout { phase, .. }
            | Kind::Lost { phase, .. }
            | Kind::Reset { phase, .. } => Some(phase),
            Kind::Connect => Some(Phase::Connecting),
            Kind::QueueFull { .. } | Kind::NothingFree => Some(Phase::Waiting),
            Kind::NotGrpc { .. }
            | Kind::Answered { .. }
            | Kind::HeaderList { .. }
            | Kind::HeaderNames { .. }
            | Kind::TwoStatuses => Some(Phase::Responding),
            Kind::Request { .. } => Some(Phase::Requesting),
            Kind::RuntimeGone => Some(Phase::Connecting),
            Kind::Config { .. } | Kind::Closed | Kind::NoRuntime => None,
        }
    }

    /// How many times a connection was asked to carry the call, retries, hedges and replays included; 0 if it never
    /// got that far.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the peer's application may have seen the request. If not, it is safe to make the call again.
    pub fn was_sent(&self) -> bool {
        self.0.sent
    }

    /// The delay before the next attempt, if the call was not made again because that delay reaches past its deadline. The
    /// call then fails at once with the status of its last attempt.
    pub fn retry_outlasts_deadline(&self) -> Option<Duration> {
        self.0.too_late
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    pub(crate) fn code(&self) -> Code {
        status::code(&self.0.kind)
    }

    fn connect_error(&self) -> Option<&ConnectError> {
        self.0.cause.as_deref().and_then(|cause| cause.downcast_ref())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting for a free stream",
            Self::Connecting => "waiting for a connection",
            Self::Requesting => "waiting for the response",
            Self::Responding => "receiving the response",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { field, problem } => write!(f, "{field}: {problem}"),
            Self::Closed => f.write_str("the pool is closed"),
            Self::QueueFull { max_waiters } => {
                write!(f, "{max_waiters} callers wait for a free stream already (max_waiters)")
            }
            Self::AcquireTimeout { after, phase } => {
                write!(f, "gave up after {after:?} (acquire_timeout) while {phase}")
            }
            Self::NothingFree => f.write_str("no stream is free"),
            Self::Deadline {
                after,
                inherited: false,
                phase,
            } => write!(f, "deadline of {after:?} exceeded while {phase}"),
            Self::Deadline { after, phase, .. } => {
                write!(f, "deadline of the incoming call ({after:?}) exceeded while {phase}")
            }
            Self::Cancelled { phase } => write!(f, "the incoming call was cancelled while {phase}"),
            Self::Connect => f.write_str("cannot connect"),
            Self::Lost { phase, reason, detail } => {
                write!(f, "connection lost while {phase}")?;
                match reason {
                    // The detail has it already, or there is nothing to add.
                    Some(CloseReason::GoAway | CloseReason::TooManyPings) if detail.is_some() => {}
                    Some(CloseReason::Lost) | None => {}
                    Some(reason) => write!(f, ": {reason}")?,
                }
                match detail {
                    Some(detail) => write!(f, ": {detail}"),
                    None => Ok(()),
                }
            }
            Self::Reset { phase, reason } => write!(f, "stream ended with {} while {phase}", reason.description()),
            Self::NotGrpc {
                http_status,
                content_type,
            } => {
                write!(f, "the answer is not gRPC: HTTP status {http_status}, content-type ")?;
                f.write_str(content_type.as_deref().unwrap_or("missing"))
            }
            Self::HeaderList { size, limit } => {
                f.write_str("the response has headers or trailers ")?;
                if let Some(size) = size {
                    write!(f, "of {size} bytes, ")?;
                }
                write!(f, "over the limit of {limit} bytes (max_header_list_size)")
            }
            Self::HeaderNames { names } => {
                f.write_str("the response has headers or trailers with ")?;
                match names {
                    Some(names) => write!(f, "{names} names, over the limit of {MOST_NAMES}"),
                    None => write!(f, "more than {MOST_NAMES} names"),
                }
            }
            Self::TwoStatuses => f.write_str("the response has more than one grpc-status"),
            Self::Answered { code } => write!(f, "the server failed the call: {code:?}"),
            Self::Request { problem } => write!(f, "the request cannot be sent: {problem}"),
            Self::NoRuntime => f.write_str("called outside of a Tokio runtime"),
            Self::RuntimeGone => f.write_str("no connection can be opened: the Tokio runtime is shutting down"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            endpoint,
            attempts,
            sent,
            too_late,
            ..
        } = &*self.0;
        if !endpoint.is_empty() {
            write!(f, "{endpoint}: ")?;
        }
        write!(f, "{kind}")?;
        match (attempts, sent) {
            (0, _) => {}
            (n, false) => write!(f, " (attempt {n}, request not sent)")?,
            (n, true) => write!(f, " (attempt {n}, request sent)")?,
        }
        match too_late {
            Some(delay) => write!(f, ", and a retry after {delay:?} would be past the deadline"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    /// `main` prints errors this way, so it reads like the message, with all its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}

/// An error as the source of a status whose message has its text, and that of its causes. Printed after the message, it
/// repeats nothing.
struct InMessage(Error);

impl InMessage {
    fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
        error.downcast_ref().map(|Self(error)| error)
    }
}

impl fmt::Display for InMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pool_runtime::Error")
    }
}

impl fmt::Debug for InMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for InMessage {}

impl From<Error> for Status {
    /// The message is the error with its causes; [`Error::of`] finds the error itself. The status has a source that
    /// prints as "pool_runtime::Error" and nothing more, so that a log of both does not repeat the message.
    fn from(error: Error) -> Self {
        let mut status = Self::new(error.code(), format!("{error:?}"));
        status.set_source(Arc::new(InMessage(error)));
        status
    }
}
