//! The tracing span of a call, with OpenTelemetry's semantic names for gRPC.

use http::{HeaderMap, Uri};
use tonic::{Code, Status};
use tracing::Span;
use tracing::field::Empty;
use tracing::instrument::{Instrument, Instrumented};
use tracing::span::Entered;

use crate::pool::shared::Shared;

/// The span of a call, if anybody listens; a call without one carries next to nothing for it.
#[derive(Debug, Clone, Default)]
pub(super) struct CallSpan(Option<Box<Span>>);

impl CallSpan {
    /// A span at debug level; disabled, it costs a look at a static.
    pub(super) fn of(shared: &Shared, uri: &Uri) -> Self {
        let span = tracing::debug_span!(
            "grpc.call",
            otel.kind = "client",
            rpc.system = "grpc",
            rpc.service = Empty,
            rpc.method = Empty,
            rpc.grpc.status_code = Empty,
            grpc.attempts = Empty,
            server.address = Empty,
            server.port = Empty,
        );
        if span.is_disabled() {
            return Self(None);
        }
        let (service, method) = uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
        let target = shared.dialer.target();
        span.record("rpc.service", service).record("rpc.method", method);
        span.record("server.address", target.host().unwrap_or(target.authority()));
        span.record("server.port", target.port());
        Self(Some(Box::new(span)))
    }

    /// For what is done at once: the guard is not held over an await.
    pub(super) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_deref().map(Span::enter)
    }

    /// For what takes its time.
    pub(super) fn around<F: Future>(&self, future: F) -> Instrumented<F> {
        future.instrument(self.0.as_deref().cloned().unwrap_or_else(Span::none))
    }

    /// Records what the call comes to.
    pub(super) fn ended<T>(&self, end: Result<T, Status>) -> Result<T, Status> {
        if let Err(status) = &end {
            self.record(status.code());
        }
        end
    }

    pub(super) fn record(&self, code: Code) {
        if let Some(span) = &self.0 {
            span.record("rpc.grpc.status_code", code as i32);
        }
    }

    /// Of a call that is tried more than once: replays of what was never processed do not count.
    pub(super) fn record_attempts(&self, attempts: u32) {
        if let Some(span) = &self.0 {
            span.record("grpc.attempts", attempts);
        }
    }

    pub(super) fn record_trailers(&self, trailers: &HeaderMap) {
        if self.0.is_some()
            && let Some(status) = trailers.get(Status::GRPC_STATUS)
        {
            self.record(Code::from_bytes(status.as_bytes()));
        }
    }
}
