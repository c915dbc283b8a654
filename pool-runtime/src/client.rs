//! What generated methods call: one generic function per call shape.
//!
//! Encoding and decoding are tonic's, so interceptors, compression, size limits, metadata and extensions behave as
//! they do with any tonic client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, Streaming};
use tonic::codegen::tokio_stream::Stream;
use tonic::service::Interceptor;
use tonic::{GrpcMethod, Request, Response, Status};

use crate::Pool;
use crate::call::Options;
use crate::method::{Deadline, Method, Shape};
use crate::service::Caller;

/// The state behind an annotated client: its pool and its settings.
#[derive(Clone)]
pub struct Client {
    pool: Pool,
    deadline: Deadline,
    settings: Settings,
}

/// What is set on a client beyond its deadline.
#[derive(Clone, Default)]
struct Settings {
    /// In the order in which they run.
    interceptors: Vec<Arc<dyn Intercept>>,
    send_compressed: Option<CompressionEncoding>,
    accept_compressed: Vec<CompressionEncoding>,
    max_decoding_message_size: Option<usize>,
    max_encoding_message_size: Option<usize>,
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
        Self {
            pool,
            deadline,
            settings: Settings::default(),
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
        self.settings.interceptors.insert(0, Arc::new(interceptor));
        self
    }

    /// Compresses requests.
    #[must_use]
    pub fn send_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.settings.send_compressed = Some(encoding);
        self
    }

    /// Accepts compressed responses.
    #[must_use]
    pub fn accept_compressed(mut self, encoding: CompressionEncoding) -> Self {
        self.settings.accept_compressed.push(encoding);
        self
    }

    /// Limits the size of a decoded message.
    #[must_use]
    pub fn max_decoding_message_size(mut self, limit: usize) -> Self {
        self.settings.max_decoding_message_size = Some(limit);
        self
    }

    /// Limits the size of an encoded message.
    #[must_use]
    pub fn max_encoding_message_size(mut self, limit: usize) -> Self {
        self.settings.max_encoding_message_size = Some(limit);
        self
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
        mut request: Request<T>,
    ) -> Result<(Grpc<Caller>, Request<T>, PathAndQuery), Status> {
        // Before the interceptors, which may want to know whose request they see; tonic's own order.
        request
            .extensions_mut()
            .insert(GrpcMethod::new(method.service, method.name));
        let request = self.intercept(request)?;
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

    fn intercept<T>(&self, request: Request<T>) -> Result<Request<T>, Status> {
        if self.settings.interceptors.is_empty() {
            return Ok(request);
        }
        let (metadata, extensions, message) = request.into_parts();
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
        for encoding in &self.accept_compressed {
            grpc = grpc.accept_compressed(*encoding);
        }
        if let Some(limit) = self.max_decoding_message_size {
            grpc = grpc.max_decoding_message_size(limit);
        }
        if let Some(limit) = self.max_encoding_message_size {
            grpc = grpc.max_encoding_message_size(limit);
        }
        grpc
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
