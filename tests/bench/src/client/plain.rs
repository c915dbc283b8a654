//! tonic's generated client over any service: a bare `Channel`, say, or a pool.

use std::error::Error;

use bytes::Bytes;
use tonic::Request;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, StdError};
use tonic::metadata::MetadataValue;

use super::{Caller, Job, Shape};
use crate::Failure;
use crate::helloworld::HelloRequest;
use crate::helloworld::greeter_client::GreeterClient;

/// The one message of a unary request.
pub(super) fn message(job: &Job) -> HelloRequest {
    HelloRequest {
        name: job.payload.clone(),
        times: job.messages,
    }
}

/// The messages of a streamed request.
pub(super) fn messages(job: &Job) -> impl tokio_stream::Stream<Item = HelloRequest> + Send + 'static {
    let message = message(job);
    tokio_stream::iter((0..job.messages).map(move |_| message.clone()))
}

/// The request with what the job asks for around it.
pub(super) fn request<T>(job: &Job, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(deadline) = job.deadline {
        request.set_timeout(deadline);
    }
    if job.metadata {
        let metadata = request.metadata_mut();
        metadata.insert("x-request-id", MetadataValue::from_static("5f3a1c9e7b2d4860"));
        metadata.insert("x-tenant", MetadataValue::from_static("benchmarks"));
    }
    request
}

/// The four calls of a generated client, annotated or not: the methods are called the same.
macro_rules! call_all_shapes {
    ($client:expr, $job:expr) => {{
        let job = $job;
        match job.shape {
            Shape::Unary => {
                $client.say_hello(request(job, message(job))).await?;
            }
            Shape::ClientStreaming => {
                $client.say_hello_to_all(request(job, messages(job))).await?;
            }
            Shape::ServerStreaming => {
                let mut replies = $client.say_many_hellos(request(job, message(job))).await?.into_inner();
                while replies.message().await?.is_some() {}
            }
            Shape::Bidi => {
                let mut replies = $client.chat(request(job, messages(job))).await?.into_inner();
                while replies.message().await?.is_some() {}
            }
        }
    }};
}
pub(super) use call_all_shapes;

impl<S> Caller for GreeterClient<S>
where
    S: GrpcService<Body> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<StdError>,
    S::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <S::ResponseBody as HttpBody>::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        call_all_shapes!(self, job);
        Ok(())
    }
}
