//! From failures to gRPC status codes, all in one place (R20 to R26).
//!
//! A client library never makes up INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED,
//! OUT_OF_RANGE or DATA_LOSS (R25): those are for the server's application.

use http::StatusCode;
use tonic::Code;

use crate::error::{Kind, Phase};

pub(crate) fn code(kind: &Kind) -> Code {
    match kind {
        Kind::Answered { code } => *code,
        Kind::Deadline { .. } => Code::DeadlineExceeded,
        Kind::Cancelled { .. } => Code::Cancelled,
        // Nothing is full where no connection is up.
        Kind::AcquireTimeout {
            phase: Phase::Connecting,
            ..
        } => Code::Unavailable,
        Kind::QueueFull { .. }
        | Kind::AcquireTimeout { .. }
        | Kind::NothingFree
        | Kind::HeaderList { .. }
        | Kind::HeaderNames { .. } => Code::ResourceExhausted,
        Kind::TwoStatuses => Code::Unknown,
        Kind::Closed | Kind::Connect | Kind::Lost { .. } | Kind::RuntimeGone => Code::Unavailable,
        Kind::Reset { reason, .. } => of_reset(*reason),
        Kind::NotGrpc { http_status, .. } => of_http(*http_status),
        Kind::Config { .. } | Kind::Request { .. } | Kind::NoRuntime => Code::Internal,
    }
}

/// RST_STREAM (PROTOCOL-HTTP2, "Errors"; R23).
fn of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        h2::Reason::NO_ERROR
        | h2::Reason::PROTOCOL_ERROR
        | h2::Reason::INTERNAL_ERROR
        | h2::Reason::FLOW_CONTROL_ERROR
        | h2::Reason::SETTINGS_TIMEOUT
        | h2::Reason::FRAME_SIZE_ERROR
        | h2::Reason::COMPRESSION_ERROR
        | h2::Reason::CONNECT_ERROR => Code::Internal,
        _ => Code::Unknown,
    }
}

/// Answers without grpc-status (http-grpc-status-mapping; R24).
fn of_http(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::sync::Arc;

    use tonic::Status;

    use super::*;
    use crate::Error;

    #[test]
    fn http_statuses_map_as_the_grpc_documents_say() {
        let rows = [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (431, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (200, Code::Unknown),
            (301, Code::Unknown),
            (418, Code::Unknown),
            (500, Code::Unknown),
        ];
        for (http, expected) in rows {
            assert_eq!(of_http(StatusCode::from_u16(http).unwrap()), expected, "{http}");
        }
    }

    #[test]
    fn resets_map_as_the_grpc_documents_say() {
        let rows = [
            (0, Code::Internal),
            (1, Code::Internal),
            (2, Code::Internal),
            (3, Code::Internal),
            (4, Code::Internal),
            (5, Code::Unknown),
            (6, Code::Internal),
            (7, Code::Unavailable),
            (8, Code::Cancelled),
            (9, Code::Internal),
            (10, Code::Internal),
            (11, Code::ResourceExhausted),
            (12, Code::PermissionDenied),
            (13, Code::Unknown),
            (999, Code::Unknown),
        ];
        for (reason, expected) in rows {
            assert_eq!(of_reset(reason.into()), expected, "{reason}");
        }
    }

    #[test]
    fn a_status_tells_the_error_and_gives_it_back() {
        let endpoint: Arc<str> = "http://example:1".into();
        let status = Status::from(Error::new(Kind::Closed, &endpoint).after(2, true));
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(
            status.message(),
            "http://example:1: the pool is closed (attempt 2, request sent)"
        );
        let error = Error::of(&status).unwrap();
        assert!(error.is_closed() && error.was_sent());
        assert_eq!((error.attempts(), error.endpoint()), (2, "http://example:1"));
    }

    #[test]
    fn a_printed_status_repeats_nothing() {
        let endpoint: Arc<str> = "http://example:1".into();
        let cause = std::io::Error::other("no route");
        let status = Status::from(Error::new(Kind::Connect, &endpoint).because_of(cause));
        let mut text = format!("{status}");
        let mut source = status.source();
        while let Some(error) = source {
            text += &format!("; {error} {error:?}");
            source = error.source();
        }
        for part in ["http://example:1", "cannot connect", "no route"] {
            assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
        }
        assert_eq!(Error::of(&status).unwrap().source().unwrap().to_string(), "no route");
    }
}
