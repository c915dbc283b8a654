//! The tracing span of a call, with OpenTelemetry's semantic names for gRPC.

use http::{HeaderMap, Uri};
use tonic::Code;
use tracing::Span;
use tracing::field::Empty;

use super::outcome::GRPC_STATUS;
use crate::pool::shared::Shared;

/// A span at debug level; disabled, it costs a look at a static.
pub(super) fn of(shared: &Shared, uri: &Uri) -> Span {
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
    if !span.is_disabled() {
        let (service, method) = uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
        let target = shared.dialer.target();
        span.record("rpc.service", service).record("rpc.method", method);
        span.record("server.address", target.host().unwrap_or(target.authority()));
        span.record("server.port", target.port());
    }
    span
}

pub(super) fn record(span: &Span, code: Code) {
    span.record("rpc.grpc.status_code", code as i32);
}

/// Of a call that is tried more than once: replays of what was never processed do not count.
pub(super) fn record_attempts(span: &Span, attempts: u32) {
    span.record("grpc.attempts", attempts);
}

pub(super) fn record_trailers(span: &Span, trailers: &HeaderMap) {
    if !span.is_disabled()
        && let Some(status) = trailers.get(GRPC_STATUS)
    {
        record(span, Code::from_bytes(status.as_bytes()));
    }
}
