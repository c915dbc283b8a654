//! The response of a unary call of prost messages, as tonic would give it.

use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, Streaming};
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status};

use super::settings::{Settings, in_order};
use crate::call::ResponseBody;
use crate::status::drop_unreadable_details;
use crate::unary::{self, Failure};

pub(super) const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

impl Settings {
    /// The response of a unary call, read directly.
    pub(super) async fn receive<M>(&self, response: http::Response<ResponseBody>) -> Result<Response<M>, Status>
    where
        M: Message + Default,
    {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        if body.is_end_stream() {
            drop_unreadable_details(&mut headers);
            if let Some(status) = Status::from_header_map(&headers) {
                return Err(match status.code() {
                    Code::Ok => Status::unimplemented("the response has no message"),
                    _ => status,
                });
            }
        }
        let limit = self.max_decoding_message_size.unwrap_or(unary::DEFAULT_MAX_DECODING);
        let (message, trailers) = match unary::receive(body, limit).await {
            Ok(received) => received,
            Err(failure) => return Err(failed(failure, headers)),
        };
        headers.extend(trailers);
        Ok(Response::from_parts(
            MetadataMap::from_headers(headers),
            message,
            parts.extensions,
        ))
    }

    /// The response of a unary call, read in tonic's way, which knows compression.
    pub(super) async fn decompress<C>(
        &self,
        mut codec: C,
        response: http::Response<ResponseBody>,
    ) -> Result<Response<C::Decode>, Status>
    where
        C: Codec,
        C::Decode: Sync,
    {
        let (parts, body) = response.into_parts();
        let encoding = self.encoding(&parts.headers)?;
        let limit = self.max_decoding_message_size;
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
fn failed(failure: Failure, headers: HeaderMap) -> Status {
    let mut status = match failure {
        Failure::Status(status) => status,
        Failure::Trailers(trailers) => {
            Status::from_header_map(&trailers).unwrap_or_else(|| Status::unknown("the status cannot be read"))
        }
        Failure::NoTrailers => Status::unknown("the response ended without a status"),
    };
    let metadata = std::mem::take(status.metadata_mut());
    let mut all = headers;
    all.extend(metadata.into_headers());
    *status.metadata_mut() = MetadataMap::from_headers(all);
    status
}
