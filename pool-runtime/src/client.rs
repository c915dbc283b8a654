//! What generated methods call: one generic function per call shape.

use std::time::Duration;

use tonic::codec::{Codec, CompressionEncoding, Streaming};
use tonic::service::Interceptor;
use tonic::{Request, Response, Status};

use crate::Pool;
use crate::method::{Deadline, Method};

/// The state behind an annotated client: its pool and its settings.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool,
}

impl Client {
    /// A client over `pool`; `deadline` is what the attribute states for the whole client.
    pub fn new(pool: Pool, deadline: Deadline) -> Self {
        let _ = deadline;
        Self { pool }
    }

    /// The pool behind the client.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Replaces the client-wide deadline.
    pub fn with_deadline(self, _deadline: Duration) -> Self {
        self
    }

    /// Adds an interceptor; the one added last runs first.
    pub fn with_interceptor<I>(self, _interceptor: I) -> Self
    where
        I: Interceptor + Clone + Send + Sync + 'static,
    {
        self
    }

    /// Compresses requests.
    pub fn send_compressed(self, _encoding: CompressionEncoding) -> Self {
        self
    }

    /// Accepts compressed responses.
    pub fn accept_compressed(self, _encoding: CompressionEncoding) -> Self {
        self
    }

    /// Limits the size of a decoded message.
    pub fn max_decoding_message_size(self, _limit: usize) -> Self {
        self
    }

    /// Limits the size of an encoded message.
    pub fn max_encoding_message_size(self, _limit: usize) -> Self {
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
        let _ = (method, codec, request);
        todo!()
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
        let _ = (method, codec, request);
        todo!()
    }

    /// A stream of requests, one response. `request` is what `IntoStreamingRequest` makes.
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
        S: tonic::codegen::tokio_stream::Stream<Item = C::Encode> + Send + 'static,
    {
        let _ = (method, codec, request);
        todo!()
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
        S: tonic::codegen::tokio_stream::Stream<Item = C::Encode> + Send + 'static,
    {
        let _ = (method, codec, request);
        todo!()
    }
}
