//! What is set on a client, and the headers that follow from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::client::Grpc;
use tonic::codec::{CompressionEncoding, EnabledCompressionEncodings};
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::call::{self, Common};
use crate::precedence::Sizes;

/// What is set on a client beyond its deadline.
#[derive(Clone, Default)]
pub(super) struct Settings {
    /// In the order in which they run.
    pub(super) interceptors: Vec<Arc<dyn Intercept>>,
    pub(super) send_compressed: Option<CompressionEncoding>,
    pub(super) accept_compressed: EnabledCompressionEncodings,
    pub(super) max_decoding_message_size: Option<usize>,
    pub(super) max_encoding_message_size: Option<usize>,
    /// What every unary call of prost messages says.
    pub(super) common: Common,
}

/// An interceptor that all calls of a client share, and those of its clones.
pub(super) trait Intercept: Send + Sync {
    fn intercept(&self, request: Request<()>) -> Result<Request<()>, Status>;
}

/// tonic's interceptors take `&mut self`, so calls take turns. One that panics has harmed its own call: the others go on
/// with the state that it left.
impl<I> Intercept for Mutex<I>
where
    I: Interceptor + Send,
{
    fn intercept(&self, request: Request<()>) -> Result<Request<()>, Status> {
        self.lock().unwrap_or_else(PoisonError::into_inner).call(request)
    }
}

impl Settings {
    /// The same on tonic's client, with the limits that hold for one call.
    pub(super) fn apply<T>(&self, mut grpc: Grpc<T>, sizes: Sizes) -> Grpc<T> {
        if let Some(encoding) = self.send_compressed {
            grpc = grpc.send_compressed(encoding);
        }
        for encoding in in_order(self.accept_compressed) {
            grpc = grpc.accept_compressed(encoding);
        }
        if let Some(limit) = sizes.response {
            grpc = grpc.max_decoding_message_size(limit);
        }
        if let Some(limit) = sizes.request {
            grpc = grpc.max_encoding_message_size(limit);
        }
        grpc
    }
}

/// Headers that belong to the protocol, and not to a caller.
const RESERVED: [HeaderName; 5] = [
    TE,
    CONTENT_TYPE,
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-message-type"),
    Status::GRPC_STATUS,
];

/// The caller's metadata as headers.
pub(super) fn sanitized(metadata: MetadataMap) -> HeaderMap {
    let mut headers = metadata.into_headers();
    if !headers.is_empty() {
        for name in &RESERVED {
            headers.remove(name);
        }
    }
    headers
}

/// What all unary calls of a client say; `timeout` is the deadline that most of them have.
pub(super) fn common(
    user_agent: &HeaderValue,
    accepted: EnabledCompressionEncodings,
    timeout: Option<Duration>,
) -> Common {
    // Its clones have room for a few names of a call's own before they have to hash all of them anew.
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, user_agent.clone());
    if let Some(timeout) = timeout {
        headers.insert(call::GRPC_TIMEOUT, call::whole_header(timeout));
    }
    if !accepted.is_empty() {
        let names = in_order(accepted).into_iter().map(|encoding| format!("{encoding},"));
        if let Ok(names) = HeaderValue::try_from(names.collect::<String>() + "identity") {
            headers.insert("grpc-accept-encoding", names);
        }
    }
    Common { headers, timeout }
}

/// The encodings in the order in which they were enabled, which is that of preference.
pub(super) fn in_order(mut enabled: EnabledCompressionEncodings) -> Vec<CompressionEncoding> {
    let mut encodings: Vec<_> = std::iter::from_fn(|| enabled.pop()).collect();
    encodings.reverse();
    encodings
}
