//! The response of a unary call of prost messages, as tonic would give it.

use http::response::Parts;
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use tonic::codec::{Codec, CompressionEncoding, Streaming};
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status};

use super::settings::{Settings, in_order};
use crate::call::ResponseBody;
use crate::unary::{self, Failure, GRPC_ENCODING};

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
        let (parts, mut body) = response.into_parts();
        if body.is_end_stream() {
            return Err(failed(Failure::Empty, parts.headers));
        }
        let limit = limit.unwrap_or(unary::DEFAULT_MAX_DECODING);
        body.limit_messages(limit, "");
        let encoding = self.encoding(&parts.headers).unwrap_or_else(|unknown| {
            body.refuse_compressed(unknown);
            None
        });
        let messages = Streaming::new_response(codec.decoder(), body, parts.status, encoding, Some(limit));
        let metadata = MetadataMap::from_headers(parts.headers);
        single(Response::from_parts(metadata, messages, parts.extensions)).await
    }

    /// How the response is compressed, or the name of an encoding that this client cannot undo.
    fn encoding(&self, headers: &HeaderMap) -> Result<Option<CompressionEncoding>, HeaderValue> {
        let name = headers.get(GRPC_ENCODING);
        for encoding in in_order(self.accept_compressed) {
            if name.is_some_and(|name| name.as_bytes() == encoding.to_string().as_bytes()) {
                return Ok(Some(encoding));
            }
        }
        match name {
            Some(other) if other != "identity" => Err(other.clone()),
            _ => Ok(None),
        }
    }
}

/// The response of a method that answers with one message, read from a stream of them. None and a second one are
/// UNIMPLEMENTED (gRPC statuscodes); tonic fails the one with INTERNAL, and drops the other.
pub(super) async fn single<M>(response: Response<Streaming<M>>) -> Result<Response<M>, Status> {
    let (metadata, mut messages, extensions) = response.into_parts();
    let mut headers = metadata.into_headers();
    let message = match messages.message().await {
        Ok(Some(message)) => message,
        Ok(None) => return Err(failed(Failure::Status(no_message()), headers)),
        Err(status) => return Err(failed(Failure::Status(status), headers)),
    };
    match messages.message().await {
        Ok(None) => {}
        Ok(Some(_)) => return Err(failed(Failure::Status(unary::second_message()), headers)),
        Err(status) => return Err(failed(Failure::Status(status), headers)),
    }
    if let Some(trailers) = messages.trailers().await? {
        headers.extend(trailers.into_headers());
    }
    Ok(Response::from_parts(
        MetadataMap::from_headers(headers),
        message,
        extensions,
    ))
}

/// The status of a call whose response began with `headers`, which its metadata has too.
fn failed(failure: Failure, headers: HeaderMap) -> Status {
    let mut status = match failure {
        Failure::Empty => match Status::from_header_map(&headers) {
            Some(status) if status.code() != Code::Ok => return status,
            Some(_) => no_message(),
            None => no_status(),
        },
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

fn no_message() -> Status {
    Status::unimplemented("the response has no message")
}
