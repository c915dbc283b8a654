//! What generated methods call: one generic function per call shape.
//!
//! Encoding and decoding are tonic's, so interceptors, compression, size limits, metadata and extensions behave as
//! they do with any tonic client. Unary calls of prost messages have a shorter way to the same ends.

mod reply;
mod settings;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, Streaming};
use tonic::codegen::tokio_stream::{self, Stream};
use tonic::service::Interceptor;
use tonic::{GrpcMethod, Request, Response, Status};

use self::settings::{Settings, common, sanitized};
use crate::Pool;
use crate::call::{self, Head, Options, Outgoing, Source};
use crate::call_options::CallOptions;
use crate::method::{Deadline, Method};
use crate::precedence::{Sizes, Stated, smaller};
use crate::service::Caller;
use crate::unary::{self, GRPC_ENCODING};

/// The state behind an annotated client: its pool and its settings.
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    deadline: Deadline,
    settings: Arc<Settings>,
}

impl Client {
    /// A client over `pool`; `deadline` is what the attribute states for the whole client.
    pub fn new(pool: Pool, deadline: Deadline) -> Self {
        let mut this = Self {
            pool,
            deadline,
            settings: Arc::default(),
        };
        this.state_common();
        this
    }

    /// The pool behind the client.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Replaces the client-wide deadline.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Deadline::After(deadline);
        self.state_common();
        self
    }

    /// Adds an interceptor; the one added last runs first. There is one of it for all calls of this client and of its
    /// clones, which take turns.
    #[must_use]
    pub fn with_interceptor<I>(mut self, interceptor: I) -> Self
    where
        I: Interceptor + Send + 'static,
    {
        let interceptor = Arc::new(Mutex::new(interceptor));
        self.set(|settings| settings.interceptors.insert(0, interceptor));
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
        self.set(|settings| settings.accept_compressed.enable(encoding));
        self.state_common();
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

    /// Follows a change of what all calls of the client say.
    fn state_common(&mut self) {
        let shared = self.pool.shared().clone();
        let deadline = match self.deadline {
            Deadline::After(after) => Some(after),
            Deadline::None => None,
            Deadline::Unset => shared.config.deadline,
        };
        self.set(|settings| {
            settings.common = common(&shared.user_agent, settings.accept_compressed, deadline);
        });
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
        let (metadata, extensions, message) = self.intercept(method, request)?.into_parts();
        let (options, sizes) = self.stated(method, extensions.get());
        let message = unary::encode(&message, sizes.request)?;
        let shared = self.pool.shared();
        let head = Head::new(shared, method.uri_path(), &self.settings.common, sanitized(metadata))?;
        let response = call::call(Source::Pool(shared), &head, Outgoing::whole(message), &options).await?;
        if !self.settings.accept_compressed.is_empty() && response.headers().contains_key(GRPC_ENCODING) {
            return Box::pin(self.settings.decompress(codec, response, sizes.response)).await;
        }
        let (parts, mut body) = response.into_parts();
        let limit = sizes.response.unwrap_or(unary::DEFAULT_MAX_DECODING);
        let received = unary::receive(&mut body, limit).await;
        reply::of(parts, received)
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
        let request = request.map(tokio_stream::once);
        reply::single(grpc.streaming(request, path, codec).await?).await
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
        reply::single(grpc.streaming(request, path, codec).await?).await
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
        // Before tonic adds its own headers.
        call::check_names(request.metadata().as_ref(), self.pool.shared())?;
        let (options, sizes) = self.stated(method, request.extensions().get());
        let caller = Caller {
            shared: self.pool.shared().clone(),
            options,
            limit: sizes.response.unwrap_or(unary::DEFAULT_MAX_DECODING),
        };
        Ok((
            self.settings.apply(Grpc::new(caller), sizes),
            request,
            method.uri_path(),
        ))
    }

    /// What holds for a call, after all that is stated of it.
    fn stated(&self, method: &Method, call: Option<&CallOptions>) -> (Options, Sizes) {
        let shared = self.pool.shared();
        let running = shared.method_config(method.service, method.name);
        let stated = Stated {
            call,
            client: self.deadline,
            method: Some(method),
            running: running.as_ref(),
            default: shared.config.deadline,
        };
        let sizes = stated.sizes();
        let sizes = Sizes {
            request: smaller(sizes.request, self.settings.max_encoding_message_size),
            response: smaller(sizes.response, self.settings.max_decoding_message_size),
        };
        (stated.options(), sizes)
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

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("pool", &self.pool)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
