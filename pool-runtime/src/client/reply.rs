//! The response of a unary call of prost messages, as tonic would give it.

use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use tonic::codec::{Codec, CompressionEncoding, Streaming};
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status};

use super::settings::{Settings, in_order};
use crate::call::ResponseBody;
use crate::status::drop_unreadable_details;
use crate::unary::Failure;

pub(super) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The response of a unary call, of what was read of it.
pub(super) fn of<M>(parts: Parts, received: Result<(M, HeaderMap), Failure>) -> Result<Response<M>, Status> {
    let mut headers = parts.headers;
    let (message, trailers) = match received {
        Ok(received) => received,
        Err(failure) => return Err(failed(failure, headers)),
    };
    if trailers.len() == 1 {
        // Of an OK response the status is all there is, most often.
        headers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    } else {
        headers.extend(trailers);
    }
    Ok(Response::from_parts(
        MetadataMap::from_headers(headers),
        message,
        parts.extensions,
    ))
}

impl Settings {
    /// The response of a unary call, read in tonic's way, which knows compression.
    pub(super) async fn decompress<C>(
        &self,
        mut codec: C,
        response: http::Response<ResponseBody>,
        limit: Option<usize>,
    ) -> Result<Response<C::Decode>, Status>
    where
        C: Codec,
        C::Decode: Sync,
    {
        let (parts, body) = response.into_parts();
        if body.is_end_stream() {
            return Err(failed(Failure::Empty, parts.headers));
        }
        let encoding = self.encoding(&parts.headers)?;
        let mut messages = Streaming::new_response(codec.decoder(), body, parts.status, encoding, limit);
        let message = match messages.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Err(Status::unimplemented("the response has no message")),
            Err(status) => return Err(failed(Failure::Status(status), parts.headers)),
        };
        let mut headers = parts.headers;
        if let Some(trailers) = messages.trailers().await? {
            headers.extend(trailers.into_headers());
        }
        Ok(Response::from_parts(
            MetadataMap::from_headers(headers),
            message,
            parts.extensions,
        ))
    }

    /// How the response is compressed; INTERNAL if this client cannot undo it (R26).
    fn encoding(&self, headers: &HeaderMap) -> Result<Option<CompressionEncoding>, Status> {
        let name = headers.get(GRPC_ENCODING).map(HeaderValue::as_bytes);
        for encoding in in_order(self.accept_compressed) {
            if name == Some(encoding.to_string().as_bytes()) {
                return Ok(Some(encoding));
            }
        }
        match name {
            None | Some(b"identity") => Ok(None),
            Some(other) => Err(Status::internal(format!(
                "the response is compressed with {}, which was not asked for",
                String::from_utf8_lossy(other)
            ))),
        }
    }
}

/// The status of a call whose response began with `headers`, which its metadata has too.
fn failed(failure: Failure, mut headers: HeaderMap) -> Status {
    let mut status = match failure {
        Failure::Empty => {
            drop_unreadable_details(&mut headers);
            match Status::from_header_map(&headers) {
                Some(status) if status.code() != Code::Ok => return status,
                Some(_) => Status::unimplemented("the response has no message"),
                None => no_status(),
            }
        }
        Failure::Status(status) => status,
        Failure::Trailers(trailers) => {
            Status::from_header_map(&trailers).unwrap_or_else(|| Status::unknown("the status cannot be read"))
        }
        Failure::NoTrailers => no_status(),
    };
    let metadata = std::mem::take(status.metadata_mut());
    let mut all = headers;
    all.extend(metadata.into_headers());
    *status.metadata_mut() = MetadataMap::from_headers(all);
    status
}

/// There is no OK without a status.
fn no_status() -> Status {
    Status::unknown("the response ended without a status")
}
