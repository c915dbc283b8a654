//! The response's body. It carries the call's slot: a call ends when its response does, not at its headers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;
use tonic::Status;

use super::deadline::{Deadline, Timer};
use super::fate;
use super::hold::Hold;
use super::outgoing::Pump;
use crate::Error;
use crate::error::{Kind, Phase};

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
    attempts: u32,
    span: tracing::Span,
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
        pump: Option<Pump>,
        hold: Hold,
        timer: Timer,
        attempts: u32,
        span: tracing::Span,
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
            attempts,
            span,
        };
        // A response that ended with its headers (Trailers-Only) holds nothing up.
        if this.flow.as_ref().is_some_and(|flow| flow.receive.is_end_stream()) {
            this.finish();
        }
        this
    }

    fn finish(&mut self) {
        self.timer = Timer::default();
        if let Some(mut flow) = self.flow.take() {
            flow.finished = flow.pump.as_ref().is_none_or(Pump::is_finished);
        }
    }

    fn fail(&mut self, error: &h2::Error) -> Status {
        let Some(flow) = self.flow.take() else {
            return Status::internal("polled after the end");
        };
        if let Some(status) = flow.pump.as_ref().and_then(Pump::failure) {
            return status;
        }
        let kind = match self.timer.deadline {
            Some(deadline) if deadline.explains(error) => deadline.exceeded(Phase::Responding),
            _ => fate::kind(error, Phase::Responding, flow.hold.link()),
        };
        self.status(kind, &flow.hold)
    }

    /// Whether the call's time is over while the body always had more to give. Looked at from the second piece of
    /// data on, so that a small unary response costs no look at the clock.
    fn is_late(&mut self) -> bool {
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        has_begun && self.timer.is_set() && self.timer.overdue(Instant::now()).is_some()
    }

    fn time_out(&mut self, deadline: Deadline) -> Option<Status> {
        let flow = self.flow.take()?;
        Some(self.status(deadline.exceeded(Phase::Responding), &flow.hold))
    }

    fn status(&self, kind: Kind, hold: &Hold) -> Status {
        let endpoint: &Arc<str> = &hold.slot().shared().endpoint;
        let status = Status::from(Error::new(kind, endpoint).after(self.attempts, true));
        super::span::record(&self.span, status.code());
        status
    }

    fn poll_flow(flow: &mut Flow, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, h2::Error>> {
        if let Some(data) = ready!(flow.receive.poll_data(cx)) {
            let data = data?;
            // Fails only for more than was received.
            let _ = flow.receive.flow_control().release_capacity(data.len());
            flow.hold.link().saw_data(data.len());
            return Poll::Ready(Ok(Some(Frame::data(data))));
        }
        let trailers: Option<HeaderMap> = ready!(flow.receive.poll_trailers(cx))?;
        Poll::Ready(Ok(trailers.map(Frame::trailers)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(flow) = &mut this.flow else {
            return Poll::Ready(None);
        };
        match Self::poll_flow(flow, cx) {
            Poll::Ready(Ok(Some(frame))) if frame.is_data() && this.is_late() => Poll::Ready(
                this.timer
                    .overdue(Instant::now())
                    .and_then(|deadline| this.time_out(deadline))
                    .map(Err),
            ),
            Poll::Ready(Ok(Some(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    super::span::record_trailers(&this.span, trailers);
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Ok(None)) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(this.fail(&error)))),
            Poll::Pending => {
                let deadline = ready!(this.timer.poll(cx));
                Poll::Ready(this.time_out(deadline).map(Err))
            }
        }
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
            attempts: 0,
            span: tracing::Span::none(),
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
