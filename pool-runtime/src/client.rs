//! What generated methods call: one generic function per call shape.
//!
//! Encoding and decoding are tonic's, so interceptors, compression, size limits, metadata and extensions behave as
//! they do with any tonic client. Unary calls of prost messages have a shorter way to the same ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, EnabledCompressionEncodings, Streaming};
use tonic::codegen::tokio_stream::Stream;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Code, GrpcMethod, Request, Response, Status};

use crate::Pool;
use crate::call::{self, Head, Options, Outgoing, ResponseBody, Source};
use crate::method::{Deadline, Method, Shape};
use crate::service::Caller;
use crate::unary::{self, Failure};

/// The state behind an annotated client: its pool and its settings.
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    deadline: Deadline,
    settings: Arc<Settings>,
}

/// What is set on a client beyond its deadline.
#[derive(Clone, Default)]
struct Settings {
    /// In the order in which they run.
    interceptors: Vec<Arc<dyn Intercept>>,
    send_compressed: Option<CompressionEncoding>,
    accept_compressed: EnabledCompressionEncodings,
    max_decoding_message_size: Option<usize>,
    max_encoding_message_size: Option<usize>,
    /// The headers of every unary call of prost messages.
    headers: Arc<HeaderMap>,
}

/// An interceptor that is shared by all calls of a client. tonic's interceptors take `&mut self`; each call runs a
/// clone, as each clone of a tonic client does.
trait Intercept: Send + Sync {
    fn intercept(&self, request: Request<()>) -> Result<Request<()>, Status>;
}

impl<I> Intercept for I
where
    I: Interceptor + Clone + Send + Sync,
{
    fn intercept(&self, request: Request<()>) -> Result<Request<()>, Status> {
        self.clone().call(request)
    }
}

impl Client {
    /// A client over `pool`; `deadline` is what the attribute states for the whole client.
    pub fn new(pool: Pool, deadline: Deadline) -> Self {
        let settings = Settings {
            headers: Arc::new(common_headers(
                &pool.shared().user_agent,
                EnabledCompressionEncodings::default(),
            )),
            ..Settings::default()
        };
        Self {
            pool,
            deadline,
            settings: Arc::new(settings),
        }
    }

    /// The pool behind the client.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Replaces the client-wide deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Deadline::After(deadline);
        self
    }

    /// Adds an interceptor; the one added last runs first.
    #[must_use]
    pub fn with_interceptor<I>(mut self, interceptor: I) -> Self
    where
        I: Interceptor + Clone + Send + Sync + 'static,
    {
        self.set(|settings| settings.interceptors.insert(0, Arc::new(interceptor)));
        self
    }

    /// Compresses requests.
    #[must_use]
    pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.set(|settings| settings.send_compressed = Some(encoding));
        self
    }

    /// Accepts compressed responses.
    #[must_use]
    pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
        let agent = self.pool.shared().user_agent.clone();
        self.set(|settings| {
            settings.accept_compressed.enable(encoding);
            settings.headers = Arc::new(common_headers(&agent, settings.accept_compressed));
        });
        self
    }

    /// Limits the size of a decoded message.
    #[must_use]
    pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
        self.set(|settings| settings.max_decoding_message_size = Some(limit));
        self
    }

    /// Limits the size of an encoded message.
    #[must_use]
    pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
        self.set(|settings| settings.max_encoding_message_size = Some(limit));
        self
    }

    fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        change(Arc::make_mut(&mut self.settings));
    }

    /// One request, one response, both of them prost messages.
    pub async fn unary_prost<C>(
        &self,
        method: &'static Method,
        codec: C,
        request: Request<C::Encode>,
    ) -> Result<Response<C::Decode>, Status>
    where
        C: Codec,
        C::Encode: Message + Sync,
        C::Decode: Message + Default + Sync,
    {
        if self.settings.send_compressed.is_some() {
            return self.unary(method, codec, request).await;
        }
        let (metadata, _, message) = self.intercept(method, request)?.into_parts();
        let message = unary::encode(&message, self.settings.max_encoding_message_size)?;
        let shared = self.pool.shared();
        let path = PathAndQuery::from_static(method.path);
        let head = Head::new(shared, path, self.settings.headers.clone(), sanitized(metadata))?;
        let options = self.options(method);
        let response = call::call(Source::Pool(shared), &head, Outgoing::whole(message), options).await?;
        if !self.settings.accept_compressed.is_empty() && response.headers().contains_key(GRPC_ENCODING) {
            return self.settings.decompress(codec, response).await;
        }
        self.settings.receive(response).await
    }

    /// One request, one response.
    pub async fn unary<C>(
        &self,
        method: &'static Method,
        codec: C,
        request: Request<C::Encode>,
    ) -> Result<Response<C::Decode>, Status>
    where
        C: Codec,
        C::Encode: Sync,
        C::Decode: Sync,
    {
        let (mut grpc, request, path) = self.prepare(method, request)?;
        grpc.unary(request, path, codec).await
    }

    /// One request, a stream of responses.
    pub async fn server_streaming<C>(
        &self,
        method: &'static Method,
        codec: C,
        request: Request<C::Encode>,
    ) -> Result<Response<Streaming<C::Decode>>, Status>
    where
        C: Codec,
        C::Encode: Sync,
        C::Decode: Sync,
    {
        let (mut grpc, request, path) = self.prepare(method, request)?;
        grpc.server_streaming(request, path, codec).await
    }

    /// A stream of requests, one response.
    pub async fn client_streaming<C, S>(
        &self,
        method: &'static Method,
        codec: C,
        request: Request<S>,
    ) -> Result<Response<C::Decode>, Status>
    where
        C: Codec,
        C::Encode: Sync,
        C::Decode: Sync,
        S: Stream<Item = C::Encode> + Send + 'static,
    {
        let (mut grpc, request, path) = self.prepare(method, request)?;
        grpc.client_streaming(request, path, codec).await
    }

    /// A stream of requests, a stream of responses.
    pub async fn bidi_streaming<C, S>(
        &self,
        method: &'static Method,
        codec: C,
        request: Request<S>,
    ) -> Result<Response<Streaming<C::Decode>>, Status>
    where
        C: Codec,
        C::Encode: Sync,
        C::Decode: Sync,
        S: Stream<Item = C::Encode> + Send + 'static,
    {
        let (mut grpc, request, path) = self.prepare(method, request)?;
        grpc.streaming(request, path, codec).await
    }

    /// The service that carries the call, the request as the interceptors leave it, and the path.
    fn prepare<T>(
        &self,
        method: &'static Method,
        request: Request<T>,
    ) -> Result<(Grpc<Caller>, Request<T>, PathAndQuery), Status> {
        let request = self.intercept(method, request)?;
        let caller = Caller {
            shared: self.pool.shared().clone(),
            options: self.options(method),
        };
        Ok((
            self.settings.apply(Grpc::new(caller)),
            request,
            PathAndQuery::from_static(method.path),
        ))
    }

    fn options(&self, method: &Method) -> Options {
        let stated = [self.deadline, method.deadline];
        let shortest = stated.iter().filter_map(|deadline| match deadline {
            Deadline::After(after) => Some(*after),
            Deadline::Unset | Deadline::None => None,
        });
        let default = match method.shape {
            Shape::Unary if !stated.contains(&Deadline::None) => self.pool.shared().config.deadline,
            _ => None,
        };
        Options {
            deadline: shortest.min(),
            default_deadline: default,
            wait_for_ready: method.wait_for_ready,
        }
    }

    fn intercept<T>(&self, method: &Method, request: Request<T>) -> Result<Request<T>, Status> {
        if self.settings.interceptors.is_empty() {
            return Ok(request);
        }
        let (metadata, mut extensions, message) = request.into_parts();
        extensions.insert(GrpcMethod::new(method.service, method.name));
        let mut bare = Request::from_parts(metadata, extensions, ());
        for interceptor in &self.settings.interceptors {
            bare = interceptor.intercept(bare)?;
        }
        let (metadata, extensions, ()) = bare.into_parts();
        Ok(Request::from_parts(metadata, extensions, message))
    }
}

impl Settings {
    fn apply<T>(&self, mut grpc: Grpc<T>) -> Grpc<T> {
        if let Some(encoding) = self.send_compressed {
            grpc = grpc.send_compressed(encoding);
        }
        for encoding in in_order(self.accept_compressed) {
            grpc = grpc.accept_compressed(encoding);
        }
        if let Some(limit) = self.max_decoding_message_size {
            grpc = grpc.max_decoding_message_size(limit);
        }
        if let Some(limit) = self.max_encoding_message_size {
            grpc = grpc.max_encoding_message_size(limit);
        }
        grpc
    }

    /// The response of a unary call, read directly.
    async fn receive<M>(&self, response: http::Response<ResponseBody>) -> Result<Response<M>, Status>
    where
        M: Message + Default,
    {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        if body.is_end_stream()
            && let Some(status) = Status::from_header_map(&headers)
        {
            return Err(match status.code() {
                Code::Ok => Status::unimplemented("the response has no message"),
                _ => status,
            });
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
    async fn decompress<C>(
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

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Headers that belong to the protocol, and not to a caller.
const RESERVED: [HeaderName; 5] = [
    TE,
    CONTENT_TYPE,
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-message-type"),
    HeaderName::from_static("grpc-status"),
];

/// The caller's metadata as headers.
fn sanitized(metadata: MetadataMap) -> HeaderMap {
    let mut headers = metadata.into_headers();
    if !headers.is_empty() {
        for name in &RESERVED {
            headers.remove(name);
        }
    }
    headers
}

/// The headers that all calls of a client have.
fn common_headers(user_agent: &HeaderValue, accepted: EnabledCompressionEncodings) -> HeaderMap {
    // Its clones have room for a few names of a call's own before they have to hash all of them anew.
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, user_agent.clone());
    headers.insert(call::GRPC_TIMEOUT, HeaderValue::from_static("1S"));
    if !accepted.is_empty() {
        let names = in_order(accepted).into_iter().map(|encoding| format!("{encoding},"));
        if let Ok(names) = HeaderValue::try_from(names.collect::<String>() + "identity") {
            headers.insert("grpc-accept-encoding", names);
        }
    }
    headers
}

/// The encodings in the order in which they were enabled, which is that of preference.
fn in_order(mut enabled: EnabledCompressionEncodings) -> Vec<CompressionEncoding> {
    let mut encodings: Vec<_> = std::iter::from_fn(|| enabled.pop()).collect();
    encodings.reverse();
    encodings
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

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("pool", &self.pool)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
