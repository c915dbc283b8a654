//! The response's body. It carries the call's slot: a call ends when its response does, not at its headers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pool_call_policy::Codes;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::deadline::{Deadline, Timer};
use super::fate;
use super::fields;
use super::hold::Hold;
use super::outcome;
use super::outgoing::Pump;
use super::span::CallSpan;
use crate::Error;
use crate::error::{Kind, Phase};
use crate::limit::{Limit, Messages};

/// The body of a response from the pool, as it comes in.
///
/// The slot of the call is given back when the body ends, fails or is dropped. Dropping it before its end cancels
/// the call (RST_STREAM). The call's deadline holds to the last byte.
pub struct ResponseBody {
    /// `None` once the body has ended.
    flow: Option<Flow>,
    timer: Timer,
    /// Data has come before: the clock is worth a look, in case the body never has to wait.
    has_begun: bool,
    account: Account,
    /// Where tonic decodes the messages: a limit of their sizes, or an encoding that is refused.
    messages: Option<Box<Messages>>,
    span: CallSpan,
}

/// More than a frame's padding and priority take (RFC 9113, 6.2), which count in the size of a block on the wire.
const PADDING: usize = 512;

/// A part of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    /// The last.
    Trailers(HeaderMap),
}

/// What is told of the call when its response ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    /// How often the call was sent.
    pub(super) attempts: u32,
    /// The codes that count against the retry budget, if the call has to do with it.
    pub(super) codes: Option<Codes>,
}

/// A response under way. The handles of the stream go before the slot does.
struct Flow {
    receive: RecvStream,
    pump: Option<Pump>,
    hold: Hold,
    /// The peer has ended the stream, and this side has too.
    finished: bool,
}

impl ResponseBody {
    pub(super) fn new(
        receive: RecvStream,
        has_ended: bool,
        pump: Option<Pump>,
        hold: Hold,
        timer: Timer,
        account: Account,
        span: CallSpan,
    ) -> Self {
        let mut this = Self {
            flow: Some(Flow {
                receive,
                pump,
                hold,
                finished: false,
            }),
            timer,
            has_begun: false,
            account,
            messages: None,
            span,
        };
        // A response that ended with its headers (Trailers-Only) holds nothing up.
        if has_ended {
            this.finish();
        }
        this
    }

    /// Fails the body with the first message over the limit, which is stated at `place`.
    pub(crate) fn limit_messages(&mut self, bytes: usize, place: &'static str) {
        let what = "decoded";
        self.messages
            .get_or_insert_default()
            .limit(Limit { what, bytes, place });
    }

    /// Fails the body with the first compressed message.
    pub(crate) fn refuse_compressed(&mut self, encoding: HeaderValue) {
        self.messages.get_or_insert_default().refuse(encoding);
    }

    fn finish(&mut self) {
        self.timer = Timer::default();
        if let Some(mut flow) = self.flow.take() {
            flow.finished = flow.pump.as_ref().is_none_or(Pump::is_finished);
        }
    }

    fn fail(&mut self, error: &h2::Error) -> Status {
        let Some(mut flow) = self.flow.take() else {
            return Status::internal("polled after the end");
        };
        // A reset by the peer has ended both directions: this side sends none, and none is counted.
        flow.finished = error.is_reset() && error.is_remote();
        if let Some(status) = flow.pump.as_ref().and_then(Pump::failure) {
            return status;
        }
        let kind = match self.timer.deadline {
            Some(deadline) if deadline.explains(error) => deadline.exceeded(Phase::Responding),
            _ => fate::kind(error, Phase::Responding, flow.hold.link()),
        };
        self.status(kind, &flow.hold)
    }

    /// The end of the call's time, if that has passed while the body always had more to give. Looked at from the second piece of
    /// data on, so that a small unary response costs no look at the clock.
    fn is_late(&mut self) -> Option<Deadline> {
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        (has_begun && self.timer.is_set())
            .then(|| self.timer.overdue(Instant::now()))
            .flatten()
    }

    fn time_out(&mut self, deadline: Deadline) -> Option<Status> {
        let flow = self.flow.take()?;
        Some(self.status(deadline.exceeded(Phase::Responding), &flow.hold))
    }

    fn status(&self, kind: Kind, hold: &Hold) -> Status {
        let endpoint: &Arc<str> = &hold.slot().shared().endpoint;
        let status = Status::from(Error::new(kind, endpoint).after(self.account.attempts, true));
        self.span.record(status.code());
        self.settle(status.code(), hold);
        status
    }

    /// The next piece; none once the body has ended.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, Status>> {
        let Some(flow) = &mut self.flow else {
            return Poll::Ready(Ok(None));
        };
        let mut piece = match flow.poll(cx) {
            Poll::Ready(Ok(piece)) => piece,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(&error))),
            Poll::Pending => {
                let deadline = ready!(self.timer.poll(cx));
                return Poll::Ready(self.time_out(deadline).map_or(Ok(None), Err));
            }
        };
        match &mut piece {
            Some(Piece::Data(data)) => {
                if let Some(deadline) = self.is_late() {
                    return Poll::Ready(self.time_out(deadline).map_or(Ok(None), Err));
                }
                if let Some(messages) = &mut self.messages
                    && let Err(status) = messages.check(data)
                {
                    self.span.record(status.code());
                    self.flow = None;
                    return Poll::Ready(Err(status));
                }
            }
            Some(Piece::Trailers(trailers)) => {
                let blocks = &flow.hold.link().pace.blocks;
                // The stream's number costs h2's lock.
                let large = match blocks.is_empty() {
                    true => None,
                    // One that is not the last was the response's headers, and those have been judged.
                    false => blocks
                        .take(flow.receive.stream_id().as_u32())
                        .filter(|block| block.is_last)
                        .map(|block| block.size),
                };
                if (large.is_some() || !is_plain_ok(trailers))
                    && let Err(kind) = self.judge(trailers, large)
                {
                    return Poll::Ready(self.misjudged(*kind).map_or(Ok(None), Err));
                }
                self.span.record_trailers(trailers);
                self.settle_with(trailers);
                self.finish();
            }
            None => self.finish(),
        }
        Poll::Ready(Ok(piece))
    }

    /// Whether the trailers can be accepted, with what tonic cannot read in them mended. `large` is their size on the wire,
    /// if that is over the limit: h2 has dropped some of them if those that are left are less.
    fn judge(&self, trailers: &mut HeaderMap, large: Option<usize>) -> Result<(), Box<Kind>> {
        if let Some(flow) = &self.flow {
            let limit = flow.hold.slot().shared().config.http2.max_header_list_size;
            fields::check_size(trailers, 0, limit)?;
            if large.is_some_and(|wire| wire > fields::size(trailers) + PADDING) {
                return Err(Box::new(Kind::HeaderList { size: None, limit }));
            }
        }
        fields::mend_status(trailers, || None)?;
        match self.timer.explains(trailers) {
            Some(deadline) => Err(Box::new(deadline.exceeded(Phase::Responding))),
            None => Ok(()),
        }
    }

    /// Ends a body whose trailers cannot be accepted. The peer has ended the stream.
    fn misjudged(&mut self, kind: Kind) -> Option<Status> {
        let mut flow = self.flow.take()?;
        flow.finished = flow.pump.as_ref().is_none_or(Pump::is_finished);
        Some(self.status(kind, &flow.hold))
    }

    fn settle_with(&self, trailers: &HeaderMap) {
        if self.account.codes.is_some()
            && let Some(flow) = &self.flow
        {
            self.settle(outcome::code(trailers), &flow.hold);
        }
    }

    /// Tells the retry budget how the call ended.
    fn settle(&self, code: Code, hold: &Hold) {
        if let Some(codes) = self.account.codes {
            hold.slot().shared().ledger.ended(codes, code);
        }
    }
}

/// Whether trailers are a status OK and nothing else, as most are.
fn is_plain_ok(trailers: &HeaderMap) -> bool {
    let first = trailers.iter().next();
    trailers.len() == 1 && first.is_some_and(|(name, value)| name == Status::GRPC_STATUS && value == "0")
}

impl Flow {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, h2::Error>> {
        if let Some(data) = ready!(self.receive.poll_data(cx)) {
            let data = data?;
            // Fails only for more than was received.
            let _ = self.receive.flow_control().release_capacity(data.len());
            self.hold.link().saw_data(data.len());
            return Poll::Ready(Ok(Some(Piece::Data(data))));
        }
        let trailers = ready!(self.receive.poll_trailers(cx))?;
        Poll::Ready(Ok(trailers.map(Piece::Trailers)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = |piece| match piece {
            Piece::Data(data) => Frame::data(data),
            Piece::Trailers(trailers) => Frame::trailers(trailers),
        };
        let piece = ready!(self.get_mut().poll_piece(cx));
        Poll::Ready(piece.transpose().map(|piece| piece.map(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.flow {
            None => SizeHint::with_exact(0),
            Some(_) => SizeHint::default(),
        }
    }
}

impl Default for ResponseBody {
    /// A body that has ended. tonic's `InterceptedService`, of which `GreeterClient::with_interceptor(pool, ..)` is
    /// made, answers with it where an interceptor refuses the call.
    fn default() -> Self {
        Self {
            flow: None,
            timer: Timer::default(),
            has_begun: false,
            account: Account::default(),
            messages: None,
            span: CallSpan::default(),
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        if !self.finished {
            self.hold.cut_short();
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody")
            .field("ended", &self.flow.is_none())
            .field("deadline", &self.timer.deadline)
            .finish_non_exhaustive()
    }
}
