//! The seam to tonic: a pool and a lease are both services that a generated client can be made over.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use crate::call::{self, Head, Options, Outgoing, ResponseBody, Source};
use crate::limit::{IN_CONFIG, Limited};
use crate::method::Deadline;
use crate::pool::shared::Shared;
use crate::precedence::Stated;
use crate::unary::GRPC_ENCODING;
use crate::{Lease, Pool};

/// A call through a [`Pool`] or a [`Lease`]. Dropping it cancels the call.
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Result<http::Response<ResponseBody>, Status>> + Send>>);

impl ResponseFuture {
    fn over_pool(shared: Arc<Shared>, request: http::Request<Body>, stated: Option<(Options, usize)>) -> Self {
        Self(Box::pin(async move {
            let source = Source::Pool(&shared);
            let Some((options, limit)) = stated else {
                return call_plain(source, request).await;
            };
            let mut response = call_over(source, request, options).await?;
            response.body_mut().limit_messages(limit, "");
            Ok(response)
        }))
    }
}

/// A call of a plain tonic client: what holds for it is known by its path.
async fn call_plain(source: Source<'_>, request: http::Request<Body>) -> Result<http::Response<ResponseBody>, Status> {
    let running = source.shared().method_config_of(request.uri().path());
    let stated = Stated {
        call: request.extensions().get(),
        client: Deadline::Unset,
        method: None,
        running: running.as_ref(),
        default: None,
    };
    let (options, sizes) = (stated.options(), stated.sizes());
    let request = match sizes.request {
        Some(limit) => request.map(|body| Limited::request(body, limit, IN_CONFIG)),
        None => request,
    };
    let mut response = call_over(source, request, options).await?;
    if let Some(limit) = sizes.response {
        response.body_mut().limit_messages(limit, IN_CONFIG);
    }
    Ok(response)
}

async fn call_over(
    source: Source<'_>,
    request: http::Request<Body>,
    options: Options,
) -> Result<http::Response<ResponseBody>, Status> {
    let (head, body) = request.into_parts();
    let head = Head::of_request(source.shared(), head.uri, head.headers)?;
    let body = Outgoing::begin(body).await?;
    let mut response = call::call(source, &head, body, &options).await?;
    // tonic refuses a response in an encoding that is not enabled, though its messages may not be compressed.
    if let Some(encoding) = response.headers().get(GRPC_ENCODING)
        && encoding != "identity"
        && !head.accepts(encoding)
        && let Some(encoding) = response.headers_mut().remove(GRPC_ENCODING)
    {
        response.body_mut().refuse_compressed(encoding);
    }
    Ok(response)
}

impl Future for ResponseFuture {
    type Output = Result<http::Response<ResponseBody>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl Service<http::Request<Body>> for Pool {
    type Response = http::Response<ResponseBody>;
    type Error = Status;
    type Future = ResponseFuture;

    /// Always ready: a call waits for its slot within its own deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        ResponseFuture::over_pool(self.shared().clone(), request, None)
    }
}

impl Service<http::Request<Body>> for Lease {
    type Response = http::Response<ResponseBody>;
    type Error = Status;
    type Future = ResponseFuture;

    /// Always ready: a call waits for its turn within its own deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        let parts = self.parts();
        ResponseFuture(Box::pin(async move {
            let Some((shared, slot)) = parts else {
                return Err(Status::internal("the lease lost its slot"));
            };
            call_plain(Source::Lease(&shared, &slot), request).await
        }))
    }
}

/// The service under an annotated client's method: the pool with that method's options.
pub(crate) struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Options,
    /// The size of the largest message that it accepts. tonic checks it too, and fails with OUT_OF_RANGE.
    pub(crate) limit: usize,
}

impl Service<http::Request<Body>> for Caller {
    type Response = http::Response<ResponseBody>;
    type Error = Status;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        ResponseFuture::over_pool(self.shared.clone(), request, Some((self.options, self.limit)))
    }
}
