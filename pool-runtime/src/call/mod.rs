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
pub(crate) mod hold;
mod outgoing;
mod span;

use std::sync::Arc;
use std::time::Duration;

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::header::{CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method, StatusCode, request};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tracing::Instrument;

pub use self::body::ResponseBody;
use self::deadline::{Deadline, GRPC_TIMEOUT};
use self::fate::{Fate, Mark};
use self::hold::Hold;
use self::outgoing::{Outgoing, Pump};
use crate::Error;
use crate::error::{Kind, Phase};
use crate::pool::shared::Shared;
use crate::pool::slot::{Slot, Wait};

/// How often a call that was never processed is sent again before it fails. A healthy pool needs one or two; a peer
/// that refuses everything must not be asked for ever.
const MAX_REPLAYS: u32 = 16;

/// Where a call gets its slot from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Any connection of the pool.
    Pool(Arc<Shared>),
    /// The one of a lease, when it is this call's turn.
    Lease(Arc<Shared>, Arc<tokio::sync::Mutex<Slot>>),
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
    source: Source,
    request: http::Request<Body>,
    options: Options,
) -> Result<http::Response<ResponseBody>, Status> {
    let span = span::of(source.shared(), request.uri());
    if span.is_disabled() {
        return run(source, request, options, span).await;
    }
    let result = run(source, request, options, span.clone())
        .instrument(span.clone())
        .await;
    if let Err(status) = &result {
        span::record(&span, status.code());
    }
    result
}

async fn run(
    source: Source,
    request: http::Request<Body>,
    options: Options,
    span: tracing::Span,
) -> Result<http::Response<ResponseBody>, Status> {
    if Handle::try_current().is_err() {
        return Err(Error::new(Kind::NoRuntime, &source.shared().endpoint).into());
    }
    let (head, body) = request.into_parts();
    let stated = [deadline::requested(&head.headers), options.deadline];
    let after = stated.into_iter().flatten().min().or(options.default_deadline);
    let mut call = Call {
        deadline: after.map(|after| Deadline::after(Instant::now(), after)),
        for_ready: options.wait_for_ready,
        head: Head::new(head, source.shared())?,
        source,
        attempts: 0,
        span,
    };
    let mut body = Outgoing::begin(body).await?;
    loop {
        let hold = call.acquire().await?;
        let now = Instant::now();
        call.check_time(now)?;
        body = match call.attempt(hold, body, now).await {
            Ok(response) => return Ok(response),
            Err(Failure::Final(status)) => return Err(*status),
            Err(Failure::Replay(body)) => body,
        };
    }
}

impl Source {
    fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::Pool(shared) | Self::Lease(shared, _) => shared,
        }
    }
}

/// A call under way.
struct Call {
    source: Source,
    head: Head,
    deadline: Option<Deadline>,
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

impl Call {
    async fn acquire(&mut self) -> Result<Hold, Status> {
        let wait = Wait {
            deadline: self.deadline.map(|deadline| (deadline.at, deadline.after)),
            for_ready: self.for_ready,
        };
        let hold = match &self.source {
            Source::Pool(shared) => shared.acquire(wait).await.map(Hold::Slot),
            Source::Lease(_, slot) => self.turn_on(slot.clone()).await,
        };
        hold.map_err(|error| error.after(self.attempts, false).into())
    }

    /// Waits until the call before this one on the same lease has ended.
    async fn turn_on(&self, slot: Arc<tokio::sync::Mutex<Slot>>) -> Result<Hold, Error> {
        let turn = slot.lock_owned();
        let Some(deadline) = self.deadline else {
            return Ok(Hold::Lease(turn.await));
        };
        timeout_at(deadline.at, turn)
            .await
            .map(Hold::Lease)
            .map_err(|_| self.error(deadline.exceeded(Phase::Waiting)))
    }

    /// A deadline that has passed sends nothing.
    fn check_time(&self, now: Instant) -> Result<(), Error> {
        match self.deadline {
            Some(deadline) if deadline.at <= now => Err(self
                .error(deadline.exceeded(Phase::Waiting))
                .after(self.attempts, false)),
            _ => Ok(()),
        }
    }

    async fn attempt(
        &mut self,
        hold: Hold,
        body: Outgoing,
        now: Instant,
    ) -> Result<http::Response<ResponseBody>, Failure> {
        self.attempts += 1;
        let head = self.head.request(self.deadline, now);
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
        let answer = match self.deadline {
            Some(deadline) => match timeout_at(deadline.at, &mut flight.response).await {
                Ok(answer) => answer,
                Err(_) => {
                    let error = self.error(deadline.exceeded(Phase::Requesting));
                    return Err(error.after(self.attempts, true).into());
                }
            },
            None => (&mut flight.response).await,
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

    /// The response has begun.
    fn answered(
        &self,
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
        let body = ResponseBody::new(receive, pump, hold, self.deadline, self.attempts, self.span.clone());
        match not_grpc(parts.status, &parts.headers) {
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
        let kind = match self.deadline {
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

/// The head of a request, from which each attempt makes its own.
struct Head {
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    fn new(head: request::Parts, shared: &Shared) -> Result<Self, Status> {
        let (scheme, authority) = shared.dialer.target().origin();
        let uri = absolute(head.uri, scheme, authority)
            .map_err(|problem| Error::new(Kind::Request { problem }, &shared.endpoint))?;
        let mut headers = head.headers;
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.entry(USER_AGENT).or_insert_with(|| shared.user_agent.clone());
        Ok(Self { uri, headers })
    }

    fn request(&self, deadline: Option<Deadline>, now: Instant) -> http::Request<()> {
        let mut request = http::Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        if let Some(deadline) = deadline {
            request.headers_mut().insert(GRPC_TIMEOUT, deadline.header(now));
        }
        request
    }
}

/// `uri` with the target's scheme and, where it has none of its own (tonic's `with_origin`), authority.
fn absolute(uri: Uri, scheme: &Scheme, authority: &Authority) -> Result<Uri, String> {
    let mut parts = uri.into_parts();
    parts.scheme = Some(scheme.clone());
    parts.authority.get_or_insert_with(|| authority.clone());
    parts
        .path_and_query
        .get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

/// Whether an answer is something else than gRPC: a proxy's error page, say. Such a body is never parsed (R24).
fn not_grpc(status: StatusCode, headers: &HeaderMap) -> Option<Kind> {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = content_type.is_some_and(|value| value.starts_with(b"application/grpc"));
    let has_status = headers.contains_key(Status::GRPC_STATUS);
    if has_status || (is_grpc && status == StatusCode::OK) {
        return None;
    }
    Some(Kind::NotGrpc {
        http_status: status,
        content_type: content_type.map(|value| String::from_utf8_lossy(value).into_owned()),
    })
}
